"""SqueezeNet with the weights of torchvision and of Keras makes the maps it makes there."""

from functools import partial

import jax
import numpy as np
import pytest
from scipy.signal import correlate

from jaxdefect import backbones
from jaxdefect.backbones import weights
from tests.jaxdefect.backbones.plain_layers import convolved, maps, normalised, pooled, relu
from tests.jaxdefect.backbones.weight_files import FIRES, RNG, save, squeezenet


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
