"""Every detector: its step and its score are programs for a GPU, too. Lowered for CUDA, where none is needed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdefect import parallel
from jaxdefect.detector import no_training
from jaxdefect.training import loop
from tests.contract.steps import CASES, first_state, prepared, textures

pytestmark = pytest.mark.drill
shapes = lambda tree: jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(jnp.shape(leaf), jnp.result_type(leaf)), tree)


def for_cuda(function, *args) -> str:
    return jax.jit(function).trace(*args).lower(lowering_platforms=("cuda",)).as_text()


@pytest.mark.parametrize("name", CASES)
def test_its_step_and_its_score_lower_for_cuda(name):
    detector, feed, config = prepared(name)
    state = shapes(first_state(name))
    images = shapes(np.stack(textures(2, channels=config.data.channels)).astype(np.float32))
    assert "func.func public @main" in for_cuda(detector.score, state, images)
    if detector.step is not no_training:
        step = parallel.on_one_device(loop.several_steps(detector, feed.make_batch, batch=config.train.batch, count=2))
        assert "func.func public @main" in for_cuda(step, state, shapes(feed.inputs(0)), 0, jax.random.key(0))
