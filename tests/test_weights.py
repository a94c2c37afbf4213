"""Weights in files of torchvision and Keras arrive where they belong: the maps are those these libraries make."""

from functools import partial

import jax
import numpy as np
import pytest
from scipy.signal import correlate

from jaxdefect import backbones
from jaxdefect.backbones import weights
from jaxdefect.training import loop
from tests.weight_files import FIRES, RNG, draw, resnet, save, squeezenet

VGG = {
    "vgg16": (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28),
    "vgg19": (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34),
}
# The oracle: channels first, as in the files.


def convolved(x, kernel, stride=1, padding=0):
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[2:], (1, 2))[:, ::stride, ::stride]
    return np.einsum("chwij,ocij->ohw", windows, kernel, optimize=True)


def pooled(x, padding):
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding)), constant_values=-np.inf)
    return np.lib.stride_tricks.sliding_window_view(x, (3, 3), (1, 2))[:, ::2, ::2].max((3, 4))


def relu(x):
    return np.maximum(x, 0)


def resnet_maps(state, image, blocks, bottleneck):
    def norm(x, name):
        mean, var, gain, shift = (
            state[f"{name}.{key}"][:, None, None] for key in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / np.sqrt(var + 1e-5) * gain + shift

    x = pooled(relu(norm(convolved(image, state["conv1.weight"], 2, 3), "bn1")), 1)
    maps = []
    for stage, count in enumerate(blocks):
        for number in range(count):
            name, stride, y = f"layer{stage + 1}.{number}", 2 if stage and not number else 1, x
            plan = [(1, 0), (stride, 1), (1, 0)] if bottleneck else [(stride, 1), (1, 1)]
            for layer, (step, padding) in enumerate(plan, 1):
                y = norm(convolved(y, state[f"{name}.conv{layer}.weight"], step, padding), f"{name}.bn{layer}")
                y = relu(y) if layer < len(plan) else y
            if f"{name}.downsample.0.weight" in state:
                x = norm(convolved(x, state[f"{name}.downsample.0.weight"], stride), f"{name}.downsample.1")
            x = relu(x + y)
        maps.append(x)
    return maps


def maps(name, variables, images, size):
    backbone = backbones.load(name)._replace(size=size)
    return jax.jit(partial(backbones.maps, backbone), compiler_options=loop.quick_to_compile())(variables, images)


def normalised(image):
    """[H, W, 3] -> [3, H, W] as torchvision's transforms do."""
    return ((image - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]).transpose(2, 0, 1)


@pytest.mark.parametrize(
    "name, blocks, bottleneck", [("resnet18", (2, 2, 2, 2), False), ("resnet50", (3, 4, 6, 3), True)]
)
def test_a_resnet_of_torchvision_makes_the_maps_it_makes_there(tmp_path, name, blocks, bottleneck):
    state, image = resnet(blocks, bottleneck), RNG.uniform(size=(35, 35, 3)).astype(np.float32)
    variables = weights.load(save(tmp_path / "net.safetensors", state), name)
    expected = resnet_maps(state, normalised(image), blocks, bottleneck)
    for ours, theirs in zip(maps(name, variables, image[None], 35), expected, strict=True):
        np.testing.assert_allclose(ours[0], theirs.transpose(1, 2, 0), atol=1e-4 * theirs.max())


def test_a_squeezenet_of_torchvision_makes_the_maps_it_makes_there(tmp_path):
    state, image = squeezenet(), RNG.uniform(size=(63, 63, 3)).astype(np.float32)
    variables = weights.load(save(tmp_path / "net.safetensors", state), "squeezenet")
    layer = lambda x, name, **how: relu(
        convolved(x, state[f"{name}.weight"], **how) + state[f"{name}.bias"][:, None, None]
    )
    x, expected = layer(normalised(image), "features.0", stride=2), []
    for index in FIRES:
        x = pooled(x, 0) if index in (3, 6, 9) else x
        squeezed = layer(x, f"features.{index}.squeeze")
        parts = (
            layer(squeezed, f"features.{index}.expand1x1"),
            layer(squeezed, f"features.{index}.expand3x3", padding=1),
        )
        x = np.concatenate(parts)
        expected += [x] if index in (4, 7, 12) else []
    for ours, theirs in zip(maps("squeezenet", variables, image[None], 63), expected, strict=True):
        np.testing.assert_allclose(ours[0], theirs.transpose(1, 2, 0), atol=1e-4 * theirs.max())


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
                file.create_dataset(f"{root}{layer}/{layer}_W_1:0", (3, 3, inputs, out), "float32")  # zeros
                file.create_dataset(f"{root}{layer}/{layer}_b_1:0", (out,), "float32")
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


def test_the_real_squeezenet_of_keras_makes_the_maps_it_makes_there(real_weights):
    """To fire3 by scipy, on blue, green, red less their mean."""
    import h5py

    image = RNG.integers(256, size=(31, 31, 3))
    with h5py.File(real_weights) as file:

        def layer(x, name, padding=0):
            datasets = [file[name][weight.decode()][()] for weight in file[name].attrs["weight_names"]]
            kernel, bias = sorted(datasets, key=np.ndim, reverse=True)
            x = np.pad(x, ((padding, padding), (padding, padding), (0, 0))).astype(np.float32)
            outs = [correlate(x, kernel[..., out], "valid", "direct")[..., 0] for out in range(len(bias))]
            return relu(np.stack(outs, -1) + bias)

        x = layer(image[..., ::-1] - [103.939, 116.779, 123.68], "conv1")[::2, ::2]
        x = pooled(x.transpose(2, 0, 1), 0).transpose(1, 2, 0)
        for fire in ("fire2", "fire3"):
            squeezed = layer(x, f"{fire}/squeeze1x1")
            x = np.concatenate([layer(squeezed, f"{fire}/expand1x1"), layer(squeezed, f"{fire}/expand3x3", 1)], -1)
    variables = weights.load(real_weights, "squeezenet")
    found = maps("squeezenet", variables, image[None].astype(np.float32) / 255, 31)[0][0]
    np.testing.assert_allclose(found, x, atol=1e-4 * x.max())


def test_the_real_squeezenet_tells_real_surfaces_apart(real_weights, real_images):
    """Halves of images: one of each surface shows what it looks like, the others are told by the nearest."""
    from PIL import Image

    folders = {"aitex": "NoDefect_images", "nanotwice": "Normal", "magnetic_tile": "MT_Free"}
    files = {name: sorted((real_images / name / inside).rglob("*.*g")) for name, inside in folders.items()}
    files["nanotwice"] = sorted((real_images / "nanotwice" / "Normal").rglob("*.tif"))
    if not all(len(found) >= 5 for found in files.values()):
        pytest.skip(f"fewer than 5 images of one of {', '.join(folders)}")
    crops, labels = [], []
    for label, found in enumerate(files.values()):
        for file in found[:5]:
            image = np.asarray(Image.open(file).convert("L"), np.float32)
            side = min(224, *image.shape)
            cut = Image.fromarray(image[:side, -side:]).resize((224, 224))
            crops.append((np.asarray(cut) - image.mean()) / 400 + 0.5)  # Brightness alone must not tell.
            labels.append(label)
    backbone, labels = backbones.load("squeezenet"), np.array(labels).reshape(3, 5)
    images = np.clip(np.stack(crops), 0, 1)[..., None]
    features = np.asarray(
        jax.jit(partial(backbones.features, backbone))(weights.load(real_weights, "squeezenet"), images)
    )
    features = features.reshape(3, 5, -1) / features.std(0).clip(1e-6)
    distance = np.linalg.norm(features[:, 2:, None] - features[:, :2].mean(1), axis=-1)
    assert (distance.argmin(-1) == labels[:, 2:]).mean() == 1
