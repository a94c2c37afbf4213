"""MemAE: what the memory answers is a sparse mixture of its items, and nothing else reaches the decoder."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdefect.detector import Batch
from jaxdefect.detectors import memae
from jaxdefect.training import loop
from tests.contract.steps import textures, tiny


@loop.jit_once
def codes(key):
    """[2, 4, 4, 256], as a rectifier leaves them."""
    return jnp.maximum(jax.random.normal(key, (2, 4, 4, 256)), 0)


def ask(items, code, shrink, sharpness):
    """(items [items, K], answer, weights) of a memory as it is drawn."""
    memory = memae.Memory(items)
    variables = loop.jit_once(memory.init)(jax.random.key(0), code, shrink, sharpness)
    return variables["params"]["items"], *loop.jit_once(memory.apply)(variables, code, shrink, sharpness)


def test_an_answer_is_a_sparse_convex_combination_of_items():
    code = codes(jax.random.key(1))
    items, answer, weights = map(np.asarray, ask(20, code, 0.075, 16.0))
    lengths = np.linalg.norm(code, axis=-1)[..., None] * np.linalg.norm(items, axis=-1)
    dense = np.exp(16 * (code @ items.T) / lengths)
    dense /= dense.sum(-1, keepdims=True)
    kept = np.where(dense > 0.075, dense, 0)
    np.testing.assert_allclose(weights, kept / kept.sum(-1, keepdims=True), rtol=1e-4)
    assert (weights >= 0).all() and (weights == 0).mean() > 0.5
    np.testing.assert_allclose(weights.sum(-1), 1, rtol=1e-5)
    np.testing.assert_allclose(answer, weights @ items, atol=1e-6)


def test_cosines_alone_are_too_dull_for_the_published_threshold():
    """Why `sharpness` exists: at 1 every item is dropped, at 16 a few are kept."""
    code = codes(jax.random.key(1))
    mixed = lambda sharpness: np.sum(np.asarray(ask(2000, code, 0.0025, sharpness)[2]) > 0, -1)
    assert mixed(1.0).max() == 0
    assert mixed(16.0).min() > 0 and mixed(16.0).max() < 200


def test_hard_shrinkage_has_the_published_gradients_and_none_for_what_it_drops():
    likeness, wanted = (3 * np.random.default_rng(0).normal(size=(2, 50, 20))).astype(np.float32)

    def published(likeness):
        above = jax.nn.softmax(likeness) - 0.075
        kept = jnp.maximum(above, 0) * jax.nn.softmax(likeness) / (jnp.abs(above) + 1e-12)
        return kept / kept.sum(-1, keepdims=True)

    slope = lambda mix: np.asarray(loop.jit_once(jax.grad(lambda x: jnp.sum(mix(x) * wanted)))(likeness))
    ours, theirs = slope(lambda x: memae.mixture(x, 0.075)), slope(published)
    assert np.abs(theirs).max() > 0.1
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
    dropped = jax.nn.softmax(likeness) <= 0.075
    assert not ours[dropped].any() and theirs[dropped].any()  # Theirs is rounding noise: Adam would step on it.


def test_a_memory_that_drops_everything_answers_zero_and_breaks_nothing():
    total = lambda x: jnp.sum(memae.mixture(x, 0.06)) + memae.entropy(memae.mixture(x, 0.06))
    value, slope = loop.jit_once(jax.value_and_grad(total))(np.zeros((1, 20), np.float32))
    assert float(value) == 0 and not np.asarray(slope).any()


def test_entropy_is_that_of_the_weights():
    uniform, certain = np.full((2, 3, 20), 1 / 20), np.eye(20)[:6].reshape(2, 3, 20)
    np.testing.assert_allclose(memae.entropy(uniform), np.log(20), rtol=1e-5)
    np.testing.assert_allclose(memae.entropy(certain), 0, atol=1e-6)


def test_what_the_memory_does_not_hold_is_not_reconstructed():
    """A memory whose items are all one code draws one image, whatever it is shown."""
    detector, _ = tiny("memae", shrink=0.0)
    images = np.stack(textures(3, 16)).astype(np.float32) / 255
    drawn = loop.jit_once(detector.init)(jax.random.key(0), Batch(images))
    louder = lambda path, leaf: 10 * leaf if "kernel" in jax.tree_util.keystr(path) else leaf
    state = drawn._replace(params=jax.tree_util.tree_map_with_path(louder, drawn.params))
    items = state.params["Memory_0"]["items"]
    one_code = {"items": jnp.broadcast_to(items[:1], items.shape)}
    score = loop.jit_once(detector.score)
    varies = lambda params: float(np.ptp(score(state._replace(params=params), images).reconstruction, 0).max())
    assert varies(state.params) > 1e-3
    assert varies(state.params | {"Memory_0": one_code}) < 1e-5


def test_a_memory_of_one_item_is_refused():
    with pytest.raises(ValueError, match=r"settings\.items = 1;.* such as 200"):
        tiny("memae", items=1)
