"""Weights in files of torchvision, timm and Keras arrive where they belong; anything else is refused with a reason."""

import hashlib
import json
import os
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.signal import correlate

from jaxdefect import backbones, train, weights

RNG = np.random.default_rng(0)
FIRES = dict(zip((3, 4, 6, 7, 9, 10, 11, 12), (16, 16, 32, 32, 48, 48, 64, 64), strict=True))
VGG = {
    "vgg16": (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28),
    "vgg19": (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34),
}
CODES = {"float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16", "int64": "I64", "uint8": "U8"}


def save(path, arrays, **metadata):
    """Writes .safetensors by its specification."""
    header, end = {"__metadata__": metadata} if metadata else {}, 0
    for name, array in arrays.items():
        header[name] = {
            "dtype": CODES[array.dtype.name],
            "shape": array.shape,
            "data_offsets": [end, end + array.nbytes],
        }
        end += array.nbytes
    text = json.dumps(header).encode()
    data = (array.tobytes() for array in arrays.values())
    path.write_bytes(b"".join([len(text).to_bytes(8, "little"), text, *data]))
    return path


def draw(*shape):
    return (RNG.normal(size=shape) * np.sqrt(2 / np.prod(shape[1:]))).astype(np.float32)


def normalisation(name, features):
    around = lambda centre: (centre + RNG.uniform(-0.3, 0.3, features)).astype(np.float32)
    made = {"weight": around(1), "bias": around(0), "running_mean": around(0), "running_var": around(1)}
    return {f"{name}.{key}": value for key, value in made.items()} | {f"{name}.num_batches_tracked": np.array(7)}


def resnet(blocks, bottleneck):
    """A random state dict of torchvision's ResNet."""
    made = {"conv1.weight": draw(64, 3, 7, 7)} | normalisation("bn1", 64)
    inputs = 64
    for stage, count in enumerate(blocks):
        inside = 64 * 2**stage
        out = 4 * inside if bottleneck else inside
        for number in range(count):
            block = f"layer{stage + 1}.{number}"
            sizes = [(inside, inputs, 1), (inside, inside, 3), (out, inside, 1)]
            sizes = sizes if bottleneck else [(inside, inputs, 3), (inside, inside, 3)]
            for layer, (o, i, k) in enumerate(sizes, 1):
                made |= {f"{block}.conv{layer}.weight": draw(o, i, k, k)} | normalisation(f"{block}.bn{layer}", o)
            if inputs != out or (stage and not number):
                made |= {f"{block}.downsample.0.weight": draw(out, inputs, 1, 1)}
                made |= normalisation(f"{block}.downsample.1", out)
            inputs = out
    return made | {"fc.weight": draw(10, inputs), "fc.bias": draw(10)}


def squeezenet():
    made, inputs = {"features.0.weight": draw(64, 3, 3, 3), "features.0.bias": draw(64)}, 64
    for index, s in FIRES.items():
        for part, (o, i, k) in {
            "squeeze": (s, inputs, 1),
            "expand1x1": (4 * s, s, 1),
            "expand3x3": (4 * s, s, 3),
        }.items():
            made |= {f"features.{index}.{part}.weight": draw(o, i, k, k), f"features.{index}.{part}.bias": draw(o)}
        inputs = 8 * s
    return made | {"classifier.1.weight": draw(10, 512, 1, 1), "classifier.1.bias": draw(10)}


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
    return jax.jit(partial(backbones.maps, backbone), compiler_options=train.quick_to_compile())(variables, images)


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
def test_a_vgg_of_keras_sees_pictures_as_caffe_did(tmp_path, root):
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


def test_all_number_types_arrive_bit_for_bit(tmp_path):
    arrays = {
        "half": draw(3, 4).astype(np.float16),
        "brain": draw(5, 2).astype(jnp.bfloat16),
        "double": RNG.normal(size=(2, 3)),
        "count": np.array(2**40),
        "bytes": np.arange(3, dtype=np.uint8),  # leaves what follows at an odd place
        "none": np.zeros((0, 4), np.float32),
        "single": draw(7),
    }
    found = weights.read(save(tmp_path / "all.safetensors", arrays, format="pt"))
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype and found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes()


def damaged(change):
    """A .safetensors file of one array of 12 bytes, its header changed."""
    header = {"a": {"dtype": "F32", "shape": [3], "data_offsets": [0, 12]}}
    header["a"].update(change)
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + bytes(12)


DAMAGE = {
    "empty": b"",
    "seven bytes": bytes(7),
    "no header": (1000).to_bytes(8, "little") + b"{}",
    "header of 2^63": b"\xff" * 8 + b"{}",
    "no JSON": (4).to_bytes(8, "little") + b"\x80\x02}q",
    "a list": (2).to_bytes(8, "little") + b"[]",
    "cut": damaged({})[:-1],
    "unknown type": damaged({"dtype": "F4"}),
    "before the data": damaged({"data_offsets": [-4, 8]}),
    "backwards": damaged({"data_offsets": [12, 0]}),
    "beyond the end": damaged({"data_offsets": [4, 16]}),
    "too few": damaged({"shape": [4]}),
    "negative sides": damaged({"shape": [-1, -3]}),
    "no offsets": damaged({"data_offsets": None}),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_safetensors_file_is_refused(tmp_path, damage):
    path = tmp_path / "broken.safetensors"
    path.write_bytes(DAMAGE[damage])
    with pytest.raises(ValueError, match="broken.safetensors is no sound .safetensors file .*fetch it again"):
        weights.read(path)


def test_a_damaged_hdf5_file_is_refused(tmp_path):
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "broken.h5"
    with h5py.File(path, "w") as file:
        file["conv1/kernel"] = draw(3, 3, 3, 64)
    data = path.read_bytes()
    for sick in (data[: len(data) // 2], data[:-1], b"", b"\x80\x02}q\x00."):
        path.write_bytes(sick)
        with pytest.raises(ValueError, match="broken.h5 is no sound .h5 file"):
            weights.read(path)


def test_other_files_and_missing_ones_say_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file of weights at .*none.safetensors"):
        weights.load(tmp_path / "none.safetensors", "resnet18")
    path = tmp_path / "net.npz"
    path.write_bytes(b"PK")
    with pytest.raises(ValueError, match=r"net.npz: weights are read from .safetensors, .h5, .*convert"):
        weights.read(path)


def test_pytorch_reads_its_files_without_running_what_is_in_them(tmp_path, monkeypatch):
    path = tmp_path / "net.pth"
    path.write_bytes(b"PK")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(
        ValueError, match="net.pth: reading .pth files takes the package 'torch': install it, or convert"
    ):
        weights.read(path)
    array = draw(2, 3)
    tensor = SimpleNamespace(detach=lambda: SimpleNamespace(float=lambda: SimpleNamespace(numpy=lambda: array)))
    calls = []

    def load(file, **how):
        calls.append((file, how))
        return {"state_dict": {"fc.weight": tensor}, "epoch": 3}

    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(load=load))
    assert weights.read(path)["fc.weight"] is array
    assert calls == [(path, {"map_location": "cpu", "weights_only": True})]


def test_what_does_not_fit_is_listed(tmp_path):
    state = squeezenet()
    state["features.3.squeeze.weight"] = draw(17, 64, 1, 1)
    del state["features.0.bias"]
    state |= {f"neck.{number}.weight": draw(1) for number in range(12)}
    with pytest.raises(ValueError) as caught:
        weights.load(save(tmp_path / "net.safetensors", state), "squeezenet")
    message = str(caught.value)
    assert (
        "net.safetensors does not hold the weights of squeezenet: 1 missing (features.0.bias); 12 left over ("
        in message
    )
    assert "neck.7.weight and 4 more)" in message and "neck.8" not in message
    assert "1 of another shape (features.3.squeeze.weight is 17 x 64 x 1 x 1 in place of 16 x 64 x 1 x 1)" in message
    assert "fits no other backbone either" in message


def test_a_file_of_another_backbone_is_recognised(tmp_path):
    path = save(tmp_path / "net.safetensors", squeezenet())
    with pytest.raises(ValueError, match=r"weights of resnet50: 265 missing \(.*It fits the backbone 'squeezenet'"):
        weights.load(path, "resnet50")


def test_values_that_are_no_numbers_are_refused(tmp_path):
    state = squeezenet()
    state["features.0.bias"][5] = np.nan
    with pytest.raises(ValueError, match="features.0.bias hold NaN"):
        weights.load(save(tmp_path / "net.safetensors", state), "squeezenet")


@pytest.mark.parametrize("name, made", [("resnet18", lambda: resnet((2, 2, 2, 2), False)), ("squeezenet", squeezenet)])
def test_a_state_is_the_same_tree_with_weights_of_a_file_and_with_random_ones(tmp_path, name, made):
    loaded = weights.load(save(tmp_path / "net.safetensors", made()), name)
    drawn = jax.eval_shape(partial(backbones.init, backbones.load(name)), jax.random.key(0))
    jax.tree.map(lambda ours, theirs: np.testing.assert_equal((ours.shape, ours.dtype), (theirs.shape, theirs.dtype)),
                 loaded, drawn)  # fmt: skip


def test_the_digest_is_that_of_the_bytes(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"weights")
    assert weights.digest(path) == hashlib.sha256(b"weights").hexdigest()


@pytest.fixture
def real_file():
    """Keras' weights of SqueezeNet 1.1, or a skip."""
    root = os.environ.get("JAXDEFECT_WEIGHTS")
    if not root:
        pytest.skip("no real weights: set JAXDEFECT_WEIGHTS to a folder that holds those of Keras' SqueezeNet 1.1")
    found = next(Path(root).rglob("squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5"), None)
    return found or pytest.skip(f"no squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5 in {root}")


def test_the_real_squeezenet_of_keras_makes_the_maps_it_makes_there(real_file):
    """To fire3 by scipy, on blue, green, red less their mean."""
    import h5py

    image = RNG.integers(256, size=(31, 31, 3))
    with h5py.File(real_file) as file:

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
    variables = weights.load(real_file, "squeezenet")
    found = maps("squeezenet", variables, image[None].astype(np.float32) / 255, 31)[0][0]
    np.testing.assert_allclose(found, x, atol=1e-4 * x.max())


def test_the_real_squeezenet_tells_real_surfaces_apart(real_file, real_pictures):
    """Halves of pictures: one of each surface shows what it looks like, the others are told by the nearest."""
    from PIL import Image

    folders = {"aitex": "NoDefect_images", "nanotwice": "Normal", "magnetic_tile": "MT_Free"}
    files = {name: sorted((real_pictures / name / inside).rglob("*.*g")) for name, inside in folders.items()}
    files["nanotwice"] = sorted((real_pictures / "nanotwice" / "Normal").rglob("*.tif"))
    if not all(len(found) >= 5 for found in files.values()):
        pytest.skip(f"fewer than 5 pictures of one of {', '.join(folders)}")
    crops, labels = [], []
    for label, found in enumerate(files.values()):
        for file in found[:5]:
            picture = np.asarray(Image.open(file).convert("L"), np.float32)
            side = min(224, *picture.shape)
            cut = Image.fromarray(picture[:side, -side:]).resize((224, 224))
            crops.append((np.asarray(cut) - picture.mean()) / 400 + 0.5)  # Brightness alone must not tell.
            labels.append(label)
    backbone, labels = backbones.load("squeezenet"), np.array(labels).reshape(3, 5)
    images = np.clip(np.stack(crops), 0, 1)[..., None]
    features = np.asarray(jax.jit(partial(backbones.features, backbone))(weights.load(real_file, "squeezenet"), images))
    features = features.reshape(3, 5, -1) / features.std(0).clip(1e-6)
    distance = np.linalg.norm(features[:, 2:, None] - features[:, :2].mean(1), axis=-1)
    assert (distance.argmin(-1) == labels[:, 2:]).mean() == 1
