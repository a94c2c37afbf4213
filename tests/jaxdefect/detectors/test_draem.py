"""DRAEM: its loss by its terms, its learning rate, and that it outlines what it was never shown."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy import ndimage
from skimage.metrics import structural_similarity

from jaxdefect import parallel
from jaxdefect.detector import Batch
from jaxdefect.detectors import draem
from jaxdefect.networks.blocks import apply
from jaxdefect.training import loop
from tests.contract.steps import batch_of, textures, tiny
from tests.jaxdefect.detectors.spotted_stripes import striped_and_spotted, trained

pytestmark = pytest.mark.drill  # Its networks take long to compile; tests/contract has it among the fast ones.

IMAGES = jnp.asarray(np.stack(textures(4, 16)), jnp.float32) / 255
LOGITS, MASKS = np.linspace(-8, 8, 41, dtype=np.float32), np.arange(41, dtype=np.float32) % 2


def test_the_focal_loss_is_that_of_its_paper():
    held = 1 / (1 + np.exp(-LOGITS.astype(float) * (2 * MASKS - 1)))  # The share given to the truth.
    for gamma in (0.0, 2.0, 3.5):
        expected = -((1 - held) ** gamma) * np.log(held)
        np.testing.assert_allclose(draem.focal(LOGITS, MASKS, gamma), expected, rtol=1e-4, atol=1e-9)


def test_the_focal_loss_without_gamma_is_cross_entropy():
    plain = optax.sigmoid_binary_cross_entropy(LOGITS, MASKS)
    np.testing.assert_array_equal(draem.focal(LOGITS, MASKS, 0.0), plain)


def test_the_focal_loss_has_a_slope_everywhere():
    far = jnp.array([-200.0, 0.0, 200.0])
    for truth in (jnp.zeros(3), jnp.ones(3)):
        slopes = jax.grad(lambda logits, truth=truth: draem.focal(logits, truth, 2.0).sum())(far)
        assert bool(jnp.isfinite(slopes).all())


def test_the_learning_rate_falls_at_four_and_at_nine_tenths_of_the_training():
    rate = jax.jit(draem.rate_at(jnp.float32(1e-4), jnp.float32(0.2), 50))
    expected = [1e-4] * 40 + [2e-5] * 5 + [4e-6] * 5
    np.testing.assert_allclose([rate(count) for count in range(50)], expected, rtol=1e-5)


def test_the_loss_is_the_sum_of_its_terms():
    detector, config = tiny("draem")
    batch = batch_of(config, IMAGES)._replace(target=IMAGES[::-1], has_mask=jnp.array([1.0, 0.0, 1.0, 1.0]))
    state = loop.jit_once(detector.init)(jax.random.key(0), batch)
    _, metrics = loop.jit_once(parallel.on_one_device(detector.step))(state, batch, jax.random.key(1))
    net = draem.Networks(tuple(config.settings.widths), tuple(config.settings.segmentation))
    training = parallel.on_one_device(lambda images: apply(net, state.params, state.batch_stats, images, train=True)[0])
    redrawn, logits = (np.asarray(each, float) for each in loop.jit_once(training)(batch.image))
    clean = np.asarray(batch.target, float)
    similar = [
        structural_similarity(a[..., 0], b[..., 0], gaussian_weights=True, use_sample_covariance=False, data_range=1)
        for a, b in zip(redrawn, clean, strict=True)
    ]
    held = 1 / (1 + np.exp(-logits * (2 * np.asarray(batch.mask) - 1)))
    focal = (-((1 - held) ** 2) * np.log(held)).mean((1, 2))
    expected = {
        "squared": np.mean((redrawn - clean) ** 2), "ssim": 1 - np.mean(similar), "focal": focal[[0, 2, 3]].sum() / 4,
    }  # fmt: skip
    for name, value in expected.items():
        np.testing.assert_allclose(metrics[name], value, rtol=1e-3)
    np.testing.assert_allclose(metrics["loss"], sum(expected.values()), rtol=1e-3)


def test_the_map_is_the_segmentation_and_the_score_its_worst_mean():
    detector, config = tiny("draem", box=5)
    state = loop.jit_once(detector.init)(jax.random.key(0), Batch(IMAGES))
    images = IMAGES[:, :15, :13]
    scores = loop.jit_once(detector.score)(state, images)
    net = draem.Networks(tuple(config.settings.widths), tuple(config.settings.segmentation))
    _, logits = apply(net, state.params, state.batch_stats, images, train=False)[0]
    flawed = 1 / (1 + np.exp(-np.asarray(logits)))
    assert scores.map.shape == (4, 15, 13) and float(jnp.ptp(scores.map)) > 0
    np.testing.assert_allclose(scores.map, flawed, rtol=1e-4)
    np.testing.assert_allclose(scores.image, [ndimage.uniform_filter(each, 5).max() for each in flawed], rtol=1e-4)


@pytest.mark.parametrize("field", ["mask", "target"])
def test_a_batch_without_flaws_made_to_order_is_refused(field):
    detector, config = tiny("draem")
    batch = batch_of(config, IMAGES)
    state = jax.eval_shape(detector.init, jax.random.key(0), batch)
    with pytest.raises(ValueError, match=rf"the batch has no {field}; .*set train\.supervision = 'simulated'"):
        jax.eval_shape(detector.step, state, batch._replace(**{field: None}), jax.random.key(1))


@pytest.mark.parametrize(
    ("changed", "remedy"),
    [
        ({"widths": (8,)}, r"settings\.widths = \(8,\); .*two scales or more"),
        ({"segmentation": (8, 0)}, r"settings\.segmentation = \(8, 0\)"),
        ({"steps": 0}, r"train\.steps = 0; .* give 1 or more"),
        ({"box": 4}, r"settings\.box = 4"),
    ],
)
def test_settings_that_cannot_work_are_refused_with_a_remedy(changed, remedy):
    with pytest.raises(ValueError, match=remedy):
        tiny("draem", **changed)


@pytest.mark.drill
def test_a_spot_on_stripes_stands_out():
    detector, _ = tiny("draem", widths=(4, 8), segmentation=(8, 8), steps=400, box=3)
    state = trained(detector, steps=400, kinds=("perlin",), share=0.8, most=4)
    images, spotted = striped_and_spotted(6)
    scores = jax.jit(detector.score)(state, np.concatenate([images, spotted]))
    assert float(scores.image[4:].min()) > float(scores.image[:4].max())
    spot = np.zeros((48, 48), bool)
    spot[18:28, 28:38] = True
    for flawed_map in np.asarray(scores.map[4:]):
        assert flawed_map[20:26, 30:36].mean() > 3 * flawed_map[~spot].mean()
