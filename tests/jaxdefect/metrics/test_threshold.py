"""Thresholds of every rule against NumPy and scikit-image, and what is warned of."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import skimage.filters
import sklearn.metrics

from jaxdefect.metrics import ranking, threshold


def maps_of(draw, seed=0, sizes=((30, 41), (17, 5), (64, 64))):
    rng = np.random.default_rng(seed)
    return [draw(rng, size).astype(np.float32) for size in sizes]


DRAWS = {
    "normal": lambda rng, size: rng.normal(size=size),
    "tied": lambda rng, size: rng.integers(-2, 3, size),
    "constant": lambda rng, size: np.full(size, 0.1),
    "far from zero": lambda rng, size: 1e4 + rng.normal(size=size),
    "huge": lambda rng, size: rng.normal(size=size) * 7e37,
    "subnormal": lambda rng, size: rng.normal(size=size) * 1e-42,
    "heavy tail": lambda rng, size: rng.pareto(1, size),
}


def all_of(maps):
    return np.concatenate([m.ravel() for m in maps]).astype(np.float64)


@pytest.mark.parametrize("name", DRAWS)
def test_pauta_is_mean_and_deviation_of_all_pixels(name):
    maps = maps_of(DRAWS[name])
    fitted = threshold.fit("pauta", maps, sigma=2.5)
    assert fitted.value == pytest.approx(all_of(maps).mean() + 2.5 * all_of(maps).std(), rel=1e-12)
    assert (fitted.rule, fitted.fitted_on) == ("pauta mean + 2.5 std", "3 normal calibration images")
    assert fitted.warning is None


@pytest.mark.parametrize("quantile", [0.0, 1e-3, 0.5, 0.95, 0.995, 0.99987, 1.0])
@pytest.mark.parametrize("name", DRAWS)
def test_the_quantile_of_many_pixels_is_that_of_numpy(name, quantile):
    maps = maps_of(DRAWS[name])
    fitted = threshold.fit("quantile", maps, quantile=quantile)
    assert fitted.value == pytest.approx(np.quantile(all_of(maps), quantile), rel=1e-12, abs=0)


def test_the_quantile_of_two_zeros_and_infinities_is_right():
    maps = [np.array([[-np.inf, -0.0, 0.0, 0.0, np.inf]], np.float32)]
    for share, expected in ((0.0, -np.inf), (0.25, 0.0), (0.5, 0.0), (0.75, 0.0), (0.9, np.inf), (1.0, np.inf)):
        assert threshold.fit("quantile", maps, quantile=share).value == expected


@pytest.mark.parametrize("rule", ["pauta", "quantile", "false_alarm_rate"])
def test_image_scores_are_fitted_in_float64(rule):
    scores = [1 + 1e-12, 1 + 3e-12, 1 + 2e-12, 1.0]
    fitted = threshold.fit(rule, scores, sigma=1.0, quantile=0.6, false_alarm_rate=0.4)
    expected = {
        "pauta": np.mean(scores) + np.std(scores),
        "quantile": np.quantile(scores, 0.6),
        "false_alarm_rate": 1 + 2e-12,  # the ceil(5 * .6) = third smallest
    }
    assert fitted.value == pytest.approx(expected[rule], abs=1e-15)
    assert threshold.fit(rule, jnp.asarray(scores, jnp.float32)).value == pytest.approx(1.0, abs=1e-7)


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.07, 0.1, 0.29, 0.5])
@pytest.mark.parametrize("count", [1, 9, 10, 19, 99, 100, 249])
def test_a_further_normal_image_is_flagged_at_most_at_the_target_rate(count, rate):
    # Exchangeable scores: each of count + 1 distinct ones is equally likely to be the further image's.
    scores = np.random.default_rng(count).permutation(count + 1).astype(float)
    fits = [threshold.fit("false_alarm_rate", np.delete(scores, i), false_alarm_rate=rate) for i in range(count + 1)]
    probability = np.mean([score > fit.value for score, fit in zip(scores, fits, strict=True)])
    if rate * (count + 1) < 1 - 1e-9:
        assert all(f"1/{count + 1}" in fit.warning for fit in fits)
        assert all(fit.value == np.delete(scores, i).max() for i, fit in enumerate(fits))
    else:
        assert all(fit.warning is None for fit in fits)
        assert rate - 1 / (count + 1) + 1e-9 < probability <= rate + 1e-12, "a smaller threshold would do"
        assert np.mean(np.delete(scores, 0) > fits[0].value) <= rate


def test_a_warning_says_how_many_images_are_needed():
    warning = threshold.fit("false_alarm_rate", np.arange(10.0), false_alarm_rate=0.01).warning
    assert "at least 99" in warning
    assert threshold.fit("false_alarm_rate", np.arange(99.0), false_alarm_rate=0.01).warning is None
    assert "at least 200" in threshold.fit("quantile", np.arange(199.0), quantile=0.995).warning
    assert threshold.fit("quantile", np.arange(200.0), quantile=0.995).warning is None
    assert "above 0" in threshold.fit("false_alarm_rate", [1.0], false_alarm_rate=0.0).warning
    assert "single" in threshold.fit("pauta", [1.0]).warning


def test_the_score_of_a_map_is_its_maximum():
    maps = maps_of(DRAWS["normal"])
    fitted = threshold.fit("false_alarm_rate", maps, false_alarm_rate=0.5)
    assert fitted.value == sorted(m.max() for m in maps)[1]
    assert sum((m > fitted.value).any() for m in maps) == 1


OTSU_DRAWS = {
    "normal": lambda rng: rng.normal(size=(60, 70)),
    "tied": lambda rng: rng.integers(0, 5, (40, 40)),
    "two levels": lambda rng: rng.integers(0, 2, (40, 40)),
    "skewed": lambda rng: rng.random((33, 50)) ** 4,
    "small defect": lambda rng: np.where(rng.random((50, 50)) < 0.05, 3, 0) + rng.normal(0, 0.1, (50, 50)),
    "tiny values": lambda rng: rng.gamma(1, 1e-6, (64, 64)),
    "far from zero": lambda rng: rng.normal(1e4, 1, (64, 64)),
}


@pytest.mark.parametrize("name", OTSU_DRAWS)
def test_otsu_is_that_of_scikit_image(name):
    for seed in range(5):
        pixels = OTSU_DRAWS[name](np.random.default_rng(seed)).astype(np.float32)
        # In float64: on float32 scikit-image sums in float32, and is off by a bin far from zero.
        expected = skimage.filters.threshold_otsu(pixels.astype(np.float64))
        assert float(threshold.otsu(pixels)) == pytest.approx(expected, abs=1e-4 * float(np.ptp(pixels)))


def test_otsu_sets_a_level_per_image_inside_jit():
    maps = np.stack([OTSU_DRAWS["small defect"](np.random.default_rng(s)) * 10**s for s in range(3)]).astype(np.float32)
    fitted = threshold.fit("otsu", list(maps))
    assert fitted == threshold.Threshold(None, "otsu of each image", "each image's own map", None)
    masks = jax.jit(lambda m: m > threshold.otsu(m)[:, None, None])(maps)
    for pixels, mask in zip(maps, masks, strict=True):
        np.testing.assert_array_equal(mask, pixels > skimage.filters.threshold_otsu(pixels))


@pytest.mark.parametrize("rule", threshold.RULES)
def test_nothing_lies_above_the_threshold_of_a_constant_map(rule):
    pixels = np.full((8, 9), 0.25, np.float32)
    fitted = threshold.fit(rule, [pixels, pixels])
    level = float(threshold.otsu(pixels)) if fitted.value is None else fitted.value
    assert not (pixels > level).any()


@pytest.mark.parametrize(
    "rule, scores, settings, message",
    [
        ("pautta", [1.0], {}, "did you mean 'pauta'"),
        ("quantil", [1.0], {}, "did you mean 'quantile'"),
        ("pauta", [], {}, "got none"),
        ("pauta", [1.0], {"sigma": -1.0}, "sigma = -1.0"),
        ("quantile", [1.0], {"quantile": 99.5}, "quantile = 99.5"),
        ("false_alarm_rate", [1.0], {"false_alarm_rate": 1.0}, "false_alarm_rate = 1.0"),
        ("quantile", [1.0, np.nan], {}, "image 1 is NaN"),
        ("pauta", [1.0, np.inf], {}, "image 1 has infinite"),
        ("pauta", [np.zeros((2, 2), np.float32), np.full((2, 2), np.nan, np.float32)], {}, "image 1 holds NaN"),
        ("quantile", [np.zeros((2, 2))], {}, "image 0 is float64"),
        ("false_alarm_rate", [np.zeros((0, 2), np.float32)], {}, "no pixels"),
    ],
)
def test_what_cannot_be_fitted_is_said(rule, scores, settings, message):
    with pytest.raises(ValueError, match=message):
        threshold.fit(rule, scores, **settings)


def test_f1_of_held_out_images_is_the_best_of_all_thresholds_and_lies_between_scores():
    rng = np.random.default_rng(0)
    for _ in range(50):
        labels = rng.integers(0, 2, 12)
        labels[:2] = 0, 1
        scores = rng.integers(0, 8, 12) + labels * 2.0
        fitted = threshold.fit_f1(scores, labels)
        of_each = [sklearn.metrics.f1_score(labels, scores > level - 0.5) for level in scores]
        assert sklearn.metrics.f1_score(labels, scores > fitted.value) == max(of_each)
        assert fitted.value not in scores


def test_f1_takes_the_threshold_with_most_room_about_it():
    assert threshold.fit_f1([0.0, 0.1, 0.9, 1.0], [0, 0, 1, 1]).value == pytest.approx(0.5)
    assert threshold.fit_f1([0.3, 0.3], [0, 1]).value < 0.3
    with pytest.raises(ValueError, match="both kinds, got 0 defective of 2"):
        threshold.fit_f1([0.1, 0.2], [0, 0])


def test_the_best_mean_f1_is_that_of_trying_every_threshold():
    rng = np.random.default_rng(0)
    masks = [(rng.random((10, 15)) < share).astype(np.uint8) for share in (0.04, 0.1, 0.6)]
    maps = [(mask * rng.uniform(0.5, 2) + rng.normal(0, 0.5, mask.shape)).astype(np.float32) for mask in masks]

    def mean_f1(level):
        pairs = zip(masks, maps, strict=True)
        return np.mean([sklearn.metrics.f1_score(mask.ravel(), (m > level).ravel()) for mask, m in pairs])

    fitted = threshold.fit_mean_f1(maps, masks)
    assert mean_f1(fitted.value) == pytest.approx(max(map(mean_f1, np.unique(np.concatenate(maps)))), abs=0.01)


def test_a_large_flaw_counts_no_more_than_a_small_one():
    """Two small plain ones on uneven ground and a large faint one: pooled, the faint one decides."""
    small, large = np.zeros((40, 40), np.uint8), np.zeros((40, 40), np.uint8)
    small[:4, :4], large[:30, :30] = 1, 1
    maps = [np.where(small, np.float32(peak), np.float32(0.3)) for peak in (0.9, 0.8)] + [large * np.float32(0.2)]
    masks = [small, small, large]
    assert 0.3 <= threshold.fit_mean_f1(maps, masks).value < 0.8
    assert ranking.best_f1(ranking.pixel_counts(maps[:1] + maps[2:], masks[:1] + masks[2:]))["threshold"] < 0.2


def test_a_map_that_is_the_mask_is_cut_below_one_and_images_without_flaw_do_not_count():
    mask, none = np.eye(4, dtype=np.uint8), np.zeros((4, 4), np.uint8)
    fitted = threshold.fit_mean_f1([np.float32(mask), np.float32(none) + 3], [mask, none])
    assert 0.99 < fitted.value < 1 and fitted.fitted_on == "1 outlined flawed images"
    with pytest.raises(ValueError, match="none of 1 flawed images has a pixel"):
        threshold.fit_mean_f1([np.float32(none)], [none])
