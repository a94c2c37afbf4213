"""Trains detectors for some steps and saves their weights.

`python -m tests.contract.steps STEPS FOLDER DETECTOR... [drift]`: the test of device agreement runs it with different
numbers of fake devices. `drift` takes the average over devices out.
"""

import functools
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxdefect
from jaxdefect.detector import Batch, no_training
from jaxdefect.training import feed, loop, optim
from launch.run.feeds import GOOD_ALONE, with_flaws
from launch.run.trained import settings_of
from tests.tiny import VARIANTS
from tests.tiny import config as tiny_config

CASES = [*jaxdefect.names(), *VARIANTS]


def each(names: Sequence[str]):
    """A test of each of these: those of one detector in one process; a variant's are drills."""
    marks = lambda name: [pytest.mark.xdist_group(name), *([pytest.mark.drill] if name in VARIANTS else [])]
    return pytest.mark.parametrize("name", [pytest.param(name, marks=marks(name)) for name in names])


DEVICES = 8
DRIFTING = ("renet_d", "maa", "segdec")  # one player, several with a memory, labels
SURFACES = 3  # classes among the images of a detector that tells surfaces apart


def on_fake_devices(count: int) -> dict[str, str]:
    """The environment of a process that sees this CPU as so many devices."""
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={count}"
    return os.environ | {"XLA_FLAGS": flags.strip(), "JAX_PLATFORMS": "cpu"}


def tiny(detector: str, **settings):
    """(detector, config) at tiny size; settings may also be facts, such as kinds."""
    config = tiny_config(detector)
    config.settings.update({name: value for name, value in settings.items() if name in config.settings})
    return jaxdefect.load(config.detector)(**(settings_of(config, {"kinds": ()}) | settings)), config


def must_learn(detector: str) -> None:
    """Skips a test about learning for a detector that does not."""
    if tiny(detector)[0].step is no_training:
        pytest.skip("learns nothing by steps")


def textures(count: int = 6, size: int = 48, channels: int = 1, seed: int = 0) -> list[np.ndarray]:
    """Striped uint8 images that a small autoencoder can learn."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    stripes = [np.sin(x / 3 + rng.uniform(0, 6)) + np.cos(y / 4 + rng.uniform(0, 6)) for _ in range(count)]
    noisy = [128 + 40 * s[..., None] + rng.normal(0, 6, (size, size, channels)) for s in stripes]
    return [np.clip(image, 0, 255).astype(np.uint8) for image in noisy]


def source(config) -> feed.Feed:
    """The textures as training images of a config, with what it learns from beside them."""
    images = textures(channels=config.data.channels)
    if config.train.supervision in GOOD_ALONE:
        halves = feed.halved(len(images), seed=0) if config.train.paired_images else None
        return with_flaws(config, feed.in_memory(images, patch=config.train.patch, halves=halves))
    marked = [marked_as(image, place, config.train.supervision) for place, image in enumerate(images)]
    return feed.in_memory(
        [image for image, _ in marked], patch=config.train.patch, masks=[mask for _, mask in marked],
        labels=[int(mask.any()) for _, mask in marked], surfaces=[place % SURFACES for place in range(len(marked))],
    )  # fmt: skip


def marked_as(image: np.ndarray, place: int, labels: str) -> tuple[np.ndarray, np.ndarray]:
    """(image, mask): every second one has a bright square; or a third each is dark, as it is and bright."""
    image, mask = image.copy(), np.zeros(image.shape[:2], np.uint8)
    if labels == "surfaces":
        return np.clip(image.astype(int) + 60 * (place % SURFACES - 1), 0, 255).astype(np.uint8), mask
    if place % 2:
        mask[12:36, 8:40] = 1
        image[mask > 0] = 250
    return image, mask


def batch_of(config, images) -> Batch:
    """Images [B, H, W, C] as a batch of a config, with labels where it learns from them."""
    if config.train.supervision == "none":
        return Batch(images)
    place = jnp.arange(len(images))
    surfaces, masks = config.train.supervision == "surfaces", jnp.zeros(images.shape[:3]).at[::2, 4:9, 4:9].set(1)
    if surfaces:
        return Batch(images, label=place * 0, surface=place % SURFACES)
    batch = Batch(images, masks, label=1 - place % 2, has_mask=jnp.ones(len(images)))
    return batch._replace(target=images, severity=masks) if config.train.supervision == "simulated" else batch


@functools.cache
def prepared(name: str):
    """(detector, feed, batch) at tiny size: the same each time, so that all fits of a process share what is compiled.

    The feed takes poison: its images are NaN from the step on that `poisoned` gives it.
    """
    detector, config = tiny(name)
    healthy = source(config)

    def make_batch(inputs, keys):
        store, poison = inputs
        batch = healthy.make_batch(store, keys)
        return batch._replace(image=jnp.where(poison, jnp.nan, batch.image))

    return (
        detector,
        feed.Feed(lambda step: (healthy.inputs(step), np.asarray(False)), make_batch, sharded=False),
        config,
    )


def poisoned(images: feed.Feed, *, after: int) -> feed.Feed:
    """The feed whose images are NaN from a step on."""
    return images._replace(inputs=lambda step: (images.inputs(step)[0], np.asarray(step >= after)))


def fit(name: str, steps: int, *, poison_after: int | None = None, **options) -> loop.Fit:
    """Fits a detector for `steps` steps at tiny size; logs each, so that all fits are one program."""
    detector, images, config = prepared(name)
    images = images if poison_after is None else poisoned(images, after=poison_after)
    program = loop.one_run(detector, images, key=jax.random.key(0), batch=config.train.batch)
    return loop.fit(program, **({"steps": steps, "log_every": 1, "save_every": 5} | options))


def first_state(name: str):
    """The state that `fit` starts from."""
    detector, images, config = prepared(name)
    return loop.init(detector, images, key=jax.random.key(0), batch=config.train.batch)


def weights(state) -> dict[str, np.ndarray]:
    """The leaves of a state by path."""
    return {jax.tree_util.keystr(p): np.asarray(leaf) for p, leaf in jax.tree_util.tree_leaves_with_path(state)}


def apart(one, other) -> float:
    """The mean difference of the parameters of two states (or of what `weights` made of them).

    Not the largest one: rounding can turn a rectifier on or off, or swap the maximum of a pool, and Adam then moves a
    few weights differently by as much as they move at all.
    """
    one, other = (states if isinstance(states, dict) else weights(states) for states in (one, other))
    named = [name for name in one if ".params" in name]
    return float(np.mean(np.concatenate([np.abs(one[name] - other[name]).ravel() for name in named])))


if __name__ == "__main__":
    steps, folder, *names = sys.argv[1:]
    if "drift" in names:
        import optax

        names.remove("drift")
        optim.average_over_devices = optax.identity
    for name in names:
        np.savez(Path(folder) / f"{name}.npz", **weights(fit(name, int(steps)).state))
        jax.clear_caches()  # Each compiled program maps memory.
