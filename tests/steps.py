"""Trains a detector for some steps on noise and saves its weights: `python -m tests.steps DETECTOR STEPS OUT [drift]`.

The test of device agreement runs it with different numbers of fake devices. `drift` takes the average over devices out.
"""

import sys

import jax
import numpy as np

import jaxdefect
from jaxdefect import feed, optim, train
from launch import config as configs


def tiny(detector: str, **settings):
    """(detector, config) of the `tiny` preset."""
    config = configs.get(detector, "tiny")
    config.settings.update(settings)
    return jaxdefect.load(detector)(**config.settings), config


def textures(count: int = 6, size: int = 48, channels: int = 1, seed: int = 0) -> list[np.ndarray]:
    """Striped uint8 pictures that a small autoencoder can learn."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    stripes = [np.sin(x / 3 + rng.uniform(0, 6)) + np.cos(y / 4 + rng.uniform(0, 6)) for _ in range(count)]
    noisy = [128 + 40 * s[..., None] + rng.normal(0, 6, (size, size, channels)) for s in stripes]
    return [np.clip(picture, 0, 255).astype(np.uint8) for picture in noisy]


def fit(detector_name: str, steps: int, **options) -> train.Fit:
    """Fits the tiny preset for `steps` steps."""
    detector, config = tiny(detector_name)
    knobs = config.train
    source = feed.resident(textures(channels=config.data.channels), patch=knobs.patch)
    program = train.one_run(detector, source, key=jax.random.key(0), batch=knobs.batch)
    return train.fit(program, **({"steps": steps, "log_every": 5, "save_every": 5} | options))


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
    name, steps, out, *flags = sys.argv[1:]
    if "drift" in flags:
        import optax

        optim.average_over_devices = optax.identity
    np.savez(out, **weights(fit(name, int(steps)).state))
