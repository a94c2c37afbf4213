"""Every detector that learns from good images alone learns to repair: it is shown an image with a flaw and asked for
the one without."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.interpreters import partial_eval

import jaxdefect
from jaxdefect import parallel
from jaxdefect.detector import Batch, no_training
from jaxdefect.training import feed, loop
from tests.contract.steps import apart, textures, tiny, weights


def repairs(name: str) -> bool:
    """Whether it learns by steps from good images alone: all that do redraw them."""
    detector, config = tiny(name)
    return detector.step is not no_training and config.train.supervision == "none"


REPAIRING = [name for name in jaxdefect.names() if repairs(name)]
NUMBERS = ("ssim_ae",)  # compiles quickly
SAME_PROGRAM = ("renet_d", "maa", "f_anogan")  # one player; several with a memory; two phases
DRAWING = ("anogan", "f_anogan")  # no image goes through an encoder, of the second in its first phase
SAMPLES = 8
STEPS, BATCH = 200, 16
# Enough of a network to copy flaws.
COPYING = {"dae_skip": {}, "renet_d": {"losses": ("l1",), "widths": (8, 8), "kernels": (5, 5)}}


def step_of(detector):
    """(state, images, what they should be) -> (state, metrics)."""
    step = parallel.on_one_device(detector.step)
    return lambda state, images, targets: step(state, Batch(images, target=targets), jax.random.key(1))


def starting(name: str):
    """(detector, its first state, images, the same with a dark square)."""
    detector, config = tiny(name)
    images = jnp.asarray(np.stack(textures(SAMPLES, config.train.patch, config.data.channels)), jnp.float32) / 255
    state = loop.jit_once(detector.init)(jax.random.key(0), Batch(images))
    return detector, state, images, images.at[:, 4:9, 5:12].multiply(0.4)


@pytest.mark.parametrize("name", REPAIRING)
def test_a_step_reads_the_image_shown_and_the_one_asked_for(name):
    """Traced: what no parameter depends on is left out."""
    detector, config = tiny(name)
    images = jax.ShapeDtypeStruct((SAMPLES, config.train.patch, config.train.patch, config.data.channels), jnp.float32)
    state = jax.eval_shape(lambda images: detector.init(jax.random.key(0), Batch(images)), images)
    step = step_of(detector)

    def learned(state, *pair):
        leaves = jax.tree_util.tree_leaves_with_path(step(state, *pair)[0])
        return [leaf for path, leaf in leaves if ".params" in jax.tree_util.keystr(path)]

    traced = jax.make_jaxpr(learned)(state, images, images).jaxpr
    _, read = partial_eval.dce_jaxpr(traced, [True] * len(traced.outvars))
    assert read[-2:] == [name != "anogan", True]  # Which shows no image to a network while it learns.


@pytest.mark.parametrize("name", [
    name if name in NUMBERS else pytest.param(name, marks=pytest.mark.drill) for name in REPAIRING
])  # fmt: skip
def test_what_is_learned_depends_on_the_image_shown_and_on_the_one_asked_for(name):
    detector, state, clean, flawed = starting(name)
    step = loop.jit_once(step_of(detector))
    plain, copying, repairing = (step(state, *pair)[0] for pair in ((clean, clean), (flawed, flawed), (flawed, clean)))
    assert apart(repairing, copying) > 0
    assert (apart(repairing, plain) > 0) == (name not in DRAWING)
    if hasattr(state, "step"):  # The later phase has an encoder.
        state = state._replace(step=state.step + 10**6)
        plain, copying, repairing = (step(state, *p)[0] for p in ((clean, clean), (flawed, flawed), (flawed, clean)))
        assert min(apart(repairing, copying), apart(repairing, plain)) > 0


@pytest.mark.parametrize("name", [
    name if name == "renet_d" else pytest.param(name, marks=pytest.mark.drill) for name in SAME_PROGRAM
])  # fmt: skip
def test_asked_for_the_image_shown_it_is_the_program_without_a_target(name):
    """To the letter, so to the bit. Lowered, not compiled."""
    detector, config = tiny(name)
    images = jax.ShapeDtypeStruct((SAMPLES, config.train.patch, config.train.patch, config.data.channels), jnp.float32)
    state = jax.eval_shape(lambda images: detector.init(jax.random.key(0), Batch(images)), images)
    step = step_of(detector)
    programs = (lambda state, images: step(state, images, None), lambda state, images: step(state, images, images))
    without, same = (jax.jit(program).lower(state, images).as_text() for program in programs)
    assert without == same


@pytest.mark.drill
def test_ganomaly_asked_for_the_image_shown_learns_what_it_learns_without_a_target():
    """Not the same program: it encodes the target as well, and sums two gradients of its encoder in another order."""
    detector, state, images, _ = starting("ganomaly")
    step = step_of(detector)
    with_target = weights(loop.jit_once(step)(state, images, images)[0])
    without = weights(loop.jit_once(lambda state, images: step(state, images, None))(state, images)[0])
    for leaf in without:
        np.testing.assert_allclose(with_target[leaf], without[leaf], atol=1e-6, err_msg=leaf)


def grainy(seed: int, patch: int) -> feed.Feed:
    """Textures with a grain, each with a spot: the grain makes spots strong, for flaws are measured by contrast."""
    rng = np.random.default_rng(seed)
    images = [image + rng.normal(0, 25, image.shape) for image in textures(seed=seed)]
    images = feed.in_memory([np.clip(image, 0, 255).astype(np.uint8) for image in images], patch=patch)
    return feed.corrupted(images, kinds=("spot",), share=1.0)


@pytest.mark.drill
@pytest.mark.parametrize("name", COPYING)
def test_trained_on_flaws_it_redraws_the_surface_beneath_them_better(name):
    detector, config = tiny(name, **COPYING[name])
    source, held_out = (grainy(seed, config.train.patch) for seed in (0, 1))
    keys = lambda step: jax.random.split(jax.random.key(step), BATCH)
    draw = jax.jit(source.make_batch)
    batches = [draw(source.inputs(step), keys(step)) for step in range(STEPS)]
    seen = [draw(held_out.inputs(step), keys(STEPS + step)) for step in range(8)]
    first = loop.jit_once(detector.init)(jax.random.key(0), Batch(batches[0].image))
    step, score = loop.jit_once(step_of(detector)), jax.jit(detector.score)

    def of(pairs) -> tuple[float, float]:
        """(squared error on flaws of held-out images, share of the flaws redrawn) of one trained on these pairs."""
        state = functools.reduce(lambda state, pair: step(state, *pair)[0], pairs, first)
        error = copied = flaws = area = 0.0
        for batch in seen:
            mask = batch.mask[..., None]
            flawed, clean = (score(state, images).reconstruction for images in (batch.image, batch.target))
            flaw = (batch.image - batch.target) * mask
            error, area = error + jnp.sum(jnp.square(flawed - batch.target) * mask), area + jnp.sum(mask)
            copied, flaws = copied + jnp.sum((flawed - clean) * flaw), flaws + jnp.sum(jnp.square(flaw))
        return float(error / area), float(copied / flaws)

    plain = of((batch.target, batch.target) for batch in batches)
    repairing = of((batch.image, batch.target) for batch in batches)
    assert repairing[0] < plain[0]
    assert repairing[1] < 0.95 * plain[1]
