"""Smaller detectors score as the full ones do without the channels that are gone."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxdefect
from jaxdefect import parallel
from jaxdefect.pruning import channel_groups, structured
from jaxdefect.training import feed, loop
from launch.run.trained import example_batch, settings_of
from tests.tiny import config as tiny_config


def parts(name: str):
    """(make, settings, batch) of the tiny config, wide enough to lose channels."""
    config = tiny_config(name)
    settings = settings_of(config, {"kinds": ()}) | ({"width": 4} if "width" in config.settings else {})
    return jaxdefect.load(name), settings, example_batch(config)


@functools.cache
def planned(name: str, keep: float = 0.5):
    """Its parts, and the plan."""
    return *parts(name), structured.plan(*parts(name), keep=keep)


def drawn(make, settings, batch):
    """A state with random weights and statistics of normalisation."""
    state = loop.jit_once(make(**settings).init)(jax.random.key(5), channel_groups.concrete(batch))
    rng = np.random.default_rng(0)
    jitter = lambda leaf: leaf + jnp.asarray(rng.uniform(0, 0.2, leaf.shape), leaf.dtype)
    leaves = {
        path: jitter(leaf) for path, leaf in channel_groups.floats(state).items() if leaf.ndim and "opt" not in path
    }
    return channel_groups.with_leaves(state, leaves)


def images(batch):
    rng = np.random.default_rng(1)
    return jnp.asarray(rng.random((1, 48, 64, batch.image.shape[-1]), np.float32))


@pytest.mark.drill
@pytest.mark.parametrize("name", ["dae", "memae", "segdec", "draem"])
def test_without_dead_channels_scores_are_the_same(name):
    make, settings, batch, plan = planned(name)
    assert plan.settings != settings and not plan.skipped
    state = drawn(make, settings, batch)
    kept = structured.prune(plan, make, state, batch, rank="magnitude", key=jax.random.key(0))
    gone = structured.removed(plan, make, state, batch, rank="magnitude")
    dead = channel_groups.mask_channels(state, plan.channels, gone)
    full = loop.jit_once(make(**settings).score)(dead, images(batch))
    small = loop.jit_once(make(**plan.settings).score)(kept, images(batch))
    assert float(jnp.ptp(full.map)) > 0
    np.testing.assert_allclose(small.map, full.map, rtol=2e-3, atol=1e-5)
    np.testing.assert_allclose(small.image, full.image, rtol=2e-3, atol=1e-5)
    assert channel_groups.shapes_by_path(kept) == channel_groups.shapes_of(make(**plan.settings), batch)
    # Dead channels have no magnitude: they are those that go.
    np.testing.assert_array_equal(structured.removed(plan, make, dead, batch, rank="magnitude"), gone)


@pytest.mark.drill
def test_the_rank_decides_which_channels_stay():
    make, settings, batch, plan = planned("dae")
    state = drawn(make, settings, batch)
    path = ".params['Encoder_0']['BatchNorm_0']['scale']"
    scale = jnp.array([1e-6, 1.0, 1e-6, 1.0])
    state = channel_groups.with_leaves(state, {path: scale})
    small = structured.prune(plan, make, state, batch, rank="bn_scale", key=jax.random.key(0))
    np.testing.assert_array_equal(channel_groups.by_path(small)[path], [1.0, 1.0])
    with pytest.raises(ValueError, match="rank = 'taylor' is not known; use one of magnitude, bn_scale"):
        structured.prune(plan, make, state, batch, rank="taylor", key=jax.random.key(0))


@pytest.mark.drill
def test_a_pruned_detector_goes_on_learning():
    make, settings, batch, plan = planned("dae")
    detector, side = make(**plan.settings), settings["size"]
    kept = structured.prune(plan, make, drawn(make, settings, batch), batch, rank="magnitude", key=jax.random.key(0))
    images = jnp.asarray(np.random.default_rng(2).random((2, side, side, 1), np.float32))
    after, metrics = loop.jit_once(parallel.on_one_device(detector.step))(kept, feed.Batch(images), jax.random.key(1))
    assert np.isfinite(metrics["loss"]) and jax.tree.structure(after) == jax.tree.structure(kept)


@pytest.mark.drill
def test_keeping_all_changes_nothing():
    make, settings, batch, plan = planned("dae", keep=1.0)
    state = drawn(make, settings, batch)
    same = channel_groups.by_path(structured.prune(plan, make, state, batch, rank="magnitude", key=jax.random.key(0)))
    assert plan.settings == settings
    for path in plan.scored:
        np.testing.assert_array_equal(same[path], channel_groups.by_path(state)[path])


def test_what_cannot_be_pruned_is_refused():
    with pytest.raises(ValueError, match=r"keep = 1\.5; give the share"):
        structured.plan(*parts("dae"), keep=1.5)
    with pytest.raises(ValueError, match="nothing to prune"):
        structured.plan(*parts("nearest_mean"), keep=0.5)
