"""VGG with the weights of torchvision and of Keras makes the maps it makes there."""

import numpy as np
import pytest
from scipy.signal import correlate

from jaxdefect.backbones import weights
from tests.jaxdefect.backbones.plain_layers import maps, relu
from tests.jaxdefect.backbones.weight_files import RNG, draw, save

VGG = {
    "vgg16": (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28),
    "vgg19": (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34),
}


@pytest.mark.parametrize("name", VGG)
def test_the_convolutions_of_vgg_are_found_by_their_places_in_torchvision(tmp_path, name):
    widths = [3, 64, 64, 128, 128] + [256] * (3 if name == "vgg16" else 4) + [512] * (6 if name == "vgg16" else 8)
    state = {"classifier.0.weight": np.zeros((1, 1), np.float16), "pre_logits.fc1.bias": np.zeros(1, np.float16)}
    for order, (index, i, o) in enumerate(zip(VGG[name], widths[:-1], widths[1:], strict=True)):
        state[f"features.{index}.weight"] = np.zeros((o, i, 3, 3), np.float16)
        state[f"features.{index}.bias"] = np.full(o, order, np.float16)
    params = weights.load(save(tmp_path / "net.safetensors", state), name)["params"]
    in_order = sorted(params)  # block1_conv1, block1_conv2, ...
    assert [params[layer]["bias"][0] for layer in in_order] == list(range(len(VGG[name])))


@pytest.mark.parametrize("root", ["", "model_weights/"])
def test_a_vgg_of_keras_sees_images_as_caffe_did(tmp_path, root):
    h5py = pytest.importorskip("h5py")
    path, inputs = tmp_path / "vgg16_notop.h5", 3
    first, bias = draw(64, 3, 3, 3).transpose(2, 3, 1, 0), draw(64)
    with h5py.File(path, "w") as file:
        for block, count in enumerate((2, 2, 3, 3, 3), 1):
            for number in range(1, count + 1):
                out, layer = min(64 * 2 ** (block - 1), 512), f"block{block}_conv{number}"
                file[f"{root}{layer}/{layer}_W_1:0"] = np.zeros((3, 3, inputs, out), np.float32)
                file[f"{root}{layer}/{layer}_b_1:0"] = np.zeros(out, np.float32)
                inputs = out
        file[f"{root}predictions/predictions_W_1:0"] = draw(4, 4)
        file[f"{root}block1_conv1/block1_conv1_W_1:0"][...] = first
        file[f"{root}block1_conv1/block1_conv1_b_1:0"][...] = bias
        file[f"{root}block1_conv2/block1_conv2_W_1:0"][1, 1] = np.eye(64)
    image = RNG.integers(256, size=(12, 12, 3))
    found = maps("vgg16", weights.load(path, "vgg16"), image[None].astype(np.float32) / 255, 12)[0][0]
    caffe = image[..., ::-1] - [103.939, 116.779, 123.68]  # blue, green, red
    padded = np.pad(caffe, ((1, 1), (1, 1), (0, 0)))
    expected = [correlate(padded, first[..., out], "valid")[..., 0] + bias[out] for out in range(64)]
    np.testing.assert_allclose(found, relu(np.stack(expected, -1)), atol=0.01)  # of some hundreds
