"""Features of surfaces of which some are never trained on, and classifiers of them trained for some steps.

A family is all detectors whose settings differ in floats alone: they share what is compiled.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdefect import parallel
from jaxdefect.detector import Batch, Detector
from jaxdefect.detectors import sbad
from jaxdefect.training import loop, population
from launch.run.trained import settings_of
from tests.contract.steps import weights
from tests.tiny import config as tiny_config

CLASSES, LENGTH, FEATURES = 10, 6, 32
SEEN = 8  # classes 0 to 7; there are no training images of 8 and 9
CE, AVERAGE, GAN = 60, 10, 90  # steps of the phases
RNG = np.random.default_rng(0)
TABLE = {f"Class{k}": tuple(float(x) for x in RNG.uniform(0, 1, LENGTH)) for k in range(CLASSES)}
OTHER = TABLE | {f"Class{k}": tuple(float(x) for x in RNG.uniform(0, 1, LENGTH)) for k in (8, 9)}
CENTRES = RNG.uniform(0, 4, (CLASSES, FEATURES))
SETTINGS = settings_of(tiny_config("sbad"), {}) | {
    "steps": 1000, "attributes": TABLE, "backbone_steps": 0, "ce_steps": CE, "average_steps": AVERAGE, "gan_steps": GAN,
    "hidden": 32, "ce_hidden": 32, "critic_steps": 2, "learning_rate": 1e-2, "attribute_rate": 1e-2, "ce_rate": 1e-2,
}  # fmt: skip


class Compiled(NamedTuple):
    """A detector with its step and its score of features compiled; floats are hyperparameters of its state."""

    detector: Detector
    hyperparams: dict
    step: object  # (state, batch, key) -> (state, metrics)
    score: object  # (state, features) -> Scores

    def init(self, batch):
        return loop.jit_once(self.detector.init)(jax.random.key(0), batch, self.hyperparams)


def compiled(**settings) -> Compiled:
    """SBAD of these settings beside SETTINGS."""
    detector, hyperparams = population.share_program(sbad.make, SETTINGS | settings)
    score = loop.jit_once(detector.frozen.score) if detector.frozen else None
    return Compiled(detector, hyperparams, loop.jit_once(parallel.on_one_device(detector.step)), score)


def blobs(classes, count, seed):
    """(features [count, F], surfaces [count]) around the centre of each class."""
    rng = np.random.default_rng(seed)
    surfaces = rng.choice(np.asarray(classes), count).astype(np.int32)
    return (CENTRES[surfaces] + rng.normal(0, 0.4, (count, FEATURES))).astype(np.float32), surfaces


def batch_at(number, classes=range(SEEN), size=64):
    features, surfaces = blobs(classes, size, 100 + number)
    return Batch(
        None,
        features=jnp.asarray(features),
        surface=jnp.asarray(surfaces),
        label=jnp.asarray(surfaces >= SEEN, jnp.int32),
    )


def step_key(number):
    return jax.random.fold_in(jax.random.key(1), number)


def train_for(made: Compiled, steps, classes=range(SEEN)):
    """The state after each step, the first before any, on the host; and the losses."""
    states, losses = [jax.device_get(made.init(batch_at(0)))], []
    for number in range(steps):
        state, metrics = made.step(states[-1], batch_at(number, classes), step_key(number))
        states.append(jax.device_get(state))
        losses.append(float(metrics["loss"]))
    return states, losses


def same(one, other):
    one, other = weights(one), weights(other)
    return all(np.array_equal(one[name], other[name]) for name in one)
