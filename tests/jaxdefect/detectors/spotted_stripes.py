"""Stripes with a dark spot, and a detector that has learned from flaws on stripes without one."""

import jax
import numpy as np

from jaxdefect.detector import Detector, State
from jaxdefect.training import feed, loop
from tests.contract.steps import textures


def trained(detector: Detector, *, steps: int = 200, **flaws) -> State:
    """The state after these steps on patches of 24 x 24 pixels. flaws: see `feed.corrupted`."""
    flawed = feed.corrupted(feed.in_memory(textures(8), patch=24), **flaws)
    program = loop.one_run(detector, flawed, key=jax.random.key(0), batch=16)
    return loop.fit(program, steps=steps, log_every=50, save_every=steps).state


def striped_and_spotted(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Four images float32 [4, 48, 48, 1], and the same with a dark square from (20, 30) on."""
    images = np.stack(textures(4, seed=1)).astype(np.float32) / 255
    spotted = images.copy()
    spotted[:, 20 : 20 + side, 30 : 30 + side] = 0.05
    return images, spotted
