"""Seg-Dec-Net: its layers, what its losses weigh, what learns from what, and that it learns."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage
from sklearn.metrics import average_precision_score

from jaxdefect import parallel
from jaxdefect.detector import Batch
from jaxdefect.detectors import segdec
from jaxdefect.training import loop
from launch.command import configuration
from launch.run.trained import settings_of
from tests.contract.steps import apart, tiny, weights
from tests.tiny import config as tiny_config

SETTINGS = tiny_config("segdec").settings.to_dict()


def squares(count, shape=(48, 64), side=12, seed=0):
    """Noise; every second image has a bright square, which is outlined."""
    rng = np.random.default_rng(seed)
    images, masks = rng.normal(0.5, 0.05, (count, *shape, 1)), np.zeros((count, *shape))
    labels = np.arange(count) % 2
    for index in np.flatnonzero(labels):
        row, column = (rng.integers(0, edge - side) for edge in shape)
        masks[index, row : row + side, column : column + side] = 1
    images = np.clip(images + 0.3 * masks[..., None], 0, 1)
    ones = jnp.ones(count, jnp.float32)
    return Batch(jnp.asarray(images, jnp.float32), jnp.asarray(masks, jnp.float32), jnp.asarray(labels), has_mask=ones)


def make(**changed):
    return tiny("segdec", **changed)[0]


def start(detector, batch):
    return loop.jit_once(detector.init)(jax.random.key(0), batch)


def stepper(detector):
    """(state, batch) -> (state, metrics) after a step on one device."""
    compiled = loop.jit_once(parallel.on_one_device(detector.step))
    return lambda state, batch: compiled(state, batch, jax.random.key(1))


@pytest.fixture(scope="module")
def trained():
    """(state before any step, what advances it) of a run of 4 steps."""
    detector = make(steps=4)
    return start(detector, Batch(squares(2).image)), stepper(detector)


def network(**changed):
    chosen = SETTINGS | changed
    names = ("widths", "decision", "norm_mode", "gradient_stop", "map_bias")
    return segdec.SegDecNet(**{name: chosen[name] for name in names})


@pytest.mark.parametrize("mode", segdec.NORMS)
def test_each_channel_of_each_image_is_normalised_by_itself(mode):
    x = np.random.default_rng(0).normal(2, [0.01, 1, 30], (4, 5, 7, 3)).astype(np.float32)
    scale, bias = np.array([1, 2, 3.0]), np.array([0, -1, 1.0])
    variables = {"params": {"scale": jnp.asarray(scale), "bias": jnp.asarray(bias)}}
    y = segdec.FeatureNorm(mode).apply(variables, x)
    deviation = x.std((1, 2), keepdims=True, ddof=1, dtype=np.float64) + 1e-3
    wanted = (x - x.mean((1, 2), keepdims=True, dtype=np.float64)) / (deviation**0.5 if mode == "repo" else deviation)
    np.testing.assert_allclose(y, scale * wanted + bias, rtol=1e-4, atol=1e-4)


@pytest.mark.drill
@pytest.mark.parametrize("mode", segdec.NORMS)
@pytest.mark.parametrize("side", [16, 1])
def test_constant_images_have_finite_gradients(mode, side):
    net, flat = network(norm_mode=mode, gradient_stop=False), jnp.full((1, side, side, 1), 0.5)
    params = loop.jit_once(net.init)(jax.random.key(0), flat)["params"]

    def total(params, images):
        decided, logits = net.apply({"params": params}, images)
        return jnp.sum(decided) + jnp.sum(jnp.square(logits - 1))

    value, gradients = loop.jit_once(jax.value_and_grad(total, (0, 1)))(params, flat)
    assert all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves((value, gradients)))


def test_the_published_network_has_15_64_million_weights():
    detector = segdec.make(**settings_of(configuration.get("segdec", "dagm"), {}))
    state = jax.eval_shape(detector.init, jax.random.key(0), Batch(jnp.zeros((1, 512, 512, 1))))
    assert sum(leaf.size for leaf in jax.tree.leaves(state.network.params)) == 15_637_213


@pytest.mark.drill
@pytest.mark.parametrize("stop", [True, False])
def test_the_decision_does_not_teach_the_segmentation_if_its_gradient_stops(stop):
    batch, net = squares(2), network(gradient_stop=stop)
    params = loop.jit_once(net.init)(jax.random.key(0), batch.image)["params"]
    gradients = loop.jit_once(jax.grad(lambda params: jnp.sum(net.apply({"params": params}, batch.image)[0])))(params)
    largest = {part: max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(gradients[part])) for part in gradients}
    assert largest["decision"] > 0
    assert (largest["segmentation"] == 0) == stop


@pytest.mark.parametrize("p", [1.0, 2.0])
@pytest.mark.parametrize("shape", [(48, 64), (45, 70), (16, 48)])
def test_a_pixel_weighs_the_more_the_deeper_it_lies_in_the_defect(p, shape):
    masks = np.array(squares(4, shape, side=9).mask)
    masks[1, 2:5, 3:30] = 1  # A second defect; the deepest pixel is the image's.
    found = loop.jit_once(lambda masks: segdec.targets(masks, dilate=5, w_pos=3.0, p=p))(masks)
    for index, mask in enumerate(masks):
        wide = ndimage.binary_dilation(mask, np.ones((5, 5)))
        depth = ndimage.distance_transform_edt(wide)
        weight = np.where(wide, 3 * (depth / max(depth.max(), 1)) ** p, 1)
        for ours, full in zip(found, (wide, weight), strict=True):
            mean = ndimage.uniform_filter(full.astype(np.float64), 17, mode="mirror")[::8, ::8]  # scipy's word for it
            np.testing.assert_allclose(ours[index], mean, atol=1e-5)


@pytest.mark.drill
@pytest.mark.parametrize("has_mask", [0, 1])
def test_the_mask_of_a_defect_matters_only_if_it_is_known(has_mask, trained):
    state, advance = trained
    batch = squares(2)._replace(has_mask=jnp.array([1.0, has_mask]))
    other = batch._replace(mask=batch.mask.at[1].set(jnp.roll(batch.mask[1], (10, 20), (0, 1))))
    one, another = (weights(advance(state, x)[0]) for x in (batch, other))
    assert all(np.array_equal(one[name], another[name]) for name in one) != bool(has_mask)


def test_a_good_image_counts_whatever_is_said_of_its_outline(trained):
    state, advance = trained
    said = [squares(2)._replace(has_mask=jnp.array([known, 1.0])) for known in (0.0, 1.0)]
    one, another = (weights(advance(state, x)[0]) for x in said)
    assert all(np.array_equal(one[name], another[name]) for name in one)


def test_the_balance_goes_from_the_segmentation_to_the_decision(trained):
    """How far a step moves the weights of each part, relative to one without balance; gradients do not mix."""
    state, advance = trained
    batch = squares(2)

    def moved(advance, step):
        after, _ = advance(state._replace(step=jnp.int32(step)), batch)
        parts = jax.tree.map(jnp.subtract, after.network.params, state.network.params)
        size = lambda part: sum(float(jnp.abs(leaf).sum()) for leaf in jax.tree.leaves(part))
        return [size(parts[name]) for name in ("segmentation", "decision")]

    whole = moved(stepper(make(balance=False)), 0)
    for step, lam in enumerate((1, 0.75, 0.5, 0.25, 0, 0)):
        np.testing.assert_allclose(np.divide(moved(advance, step), whole), [lam, 1 - lam], rtol=1e-3, atol=1e-6)


@pytest.mark.drill
def test_the_step_of_a_batch_is_the_mean_of_its_images_steps(trained):
    state, advance = trained
    state, batch = state._replace(step=jnp.int32(2)), squares(2)
    alone = [advance(state, jax.tree.map(lambda x, i=i: x[i : i + 1], batch))[0] for i in range(2)]
    together, _ = advance(state, batch)
    mean = jax.tree.map(lambda *leaves: sum(leaves) / 2, *alone)
    assert apart(together, mean) < 1e-3 * apart(together, state)


def test_a_defect_is_shown_where_it_is():
    logits = jnp.zeros((1, 6, 8)).at[0, 2, 5].set(1.0)
    shown = np.asarray(segdec.enlarged(logits, 48, 64))[0]
    assert np.unravel_index(shown.argmax(), shown.shape) == (16, 40)  # The middle of the 17 x 17 pixels it stands for.
    assert shown[20, 40] == pytest.approx(0.5) and shown.max() == 1 and shown.min() == 0


@pytest.mark.drill
def test_images_of_any_size_are_learned_from_and_scored():
    detector, batch = make(), squares(2, (5, 25), side=4)
    state, metrics = stepper(detector)(start(detector, Batch(batch.image)), batch)
    scores = loop.jit_once(detector.score)(state, batch.image)
    assert scores.map.shape == batch.mask.shape and scores.image.shape == (2,)
    assert all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves((metrics, scores)))


@pytest.mark.drill
def test_it_learns_to_find_and_to_judge():
    detector, small = make(widths=(4, 4, 8, 8), steps=60, learning_rate=0.5), (32, 48)
    state, advance = start(detector, squares(1, small)), stepper(detector)
    for step in range(60):
        state, _ = advance(state, squares(4, small, seed=step + 1))
    seen = squares(16, small, seed=1000)
    found = loop.jit_once(detector.score)(state, seen.image)
    assert average_precision_score(seen.label, found.image) == 1
    assert average_precision_score(seen.mask.ravel() > 0, found.map.ravel()) > 0.6


def test_the_balance_lasts_as_long_as_the_training():
    config = tiny_config("segdec")
    configuration.override(config, ["train.steps=77"])
    assert settings_of(config, {})["steps"] == 77


def test_what_cannot_work_is_refused_with_a_remedy(trained):
    for changed, remedy in (
        ({"widths": (4, 4)}, "give 4 numbers"), ({"decision": (8, 0, 8)}, "give 3 numbers"),
        ({"norm_mode": "batch"}, "repo, unit_var"), ({"steps": 0}, "train.steps = 0; .*give 1 or more"),
        ({"dilate": 4}, "odd number"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=remedy):
            make(**changed)
    state, advance = trained
    with pytest.raises(ValueError, match="no label.*train.supervision = 'masks'"):
        advance(state, squares(2)._replace(label=None))
