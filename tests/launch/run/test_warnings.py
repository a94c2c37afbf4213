"""What a result is doubted for, and what it is not; each reaches result.json, the terminal and the page."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from jaxdefect.detector import no_training
from jaxdefect.metrics.threshold import Threshold
from launch import evaluate
from launch.run import warnings
from launch.run.figures import Figures
from launch.run.thresholds import Fitted
from tests.launch.small_runs import result_of

NORMAL = np.random.default_rng(0).normal(1.0, 0.1, 20).tolist()


def rows(good, bad, threshold=0.5):
    pairs = [(0, score) for score in good] + [(1, score) for score in bad]
    decided = lambda score: {"score": score, "image_threshold": threshold, "predicted": int(score > threshold)}
    return [{"label": label} | decided(score) for label, score in pairs]


def figures(good, bad):
    auroc = np.mean([b > g for b in bad for g in good]) if good and bad else None
    return Figures({"image": {"auroc": auroc}}, {}, rows(good, bad), {}, {})


def fitted(scores, warning=None):
    return Fitted(Threshold(0.5, "r", "f"), Threshold(0.5, "r", "f", warning), "calibration", scores)


@pytest.mark.parametrize(
    "scores, normal, told",
    [
        ([1.0, 1e13], NORMAL, "1 of 22 lie beyond .* up to 1e.13"),
        ([1.0, float("inf")], NORMAL, "1 of 22 .* up to inf"),
        ([1.0, 2.0], [*NORMAL, 1e12], "1 of 23 .* up to 1e.12"),  # Among the normal ones themselves.
        ([-1e9], NORMAL, "up to -1e.09"),
        ([1e4, 1e5], NORMAL, None),  # Gross defects.
        ([1.0, 1.5], [1.0, 1.0, 1.0], None),  # Equal scores, which have no spread.
        ([1.0], [0.0, 0.0], None),
    ],
)
def test_scores_that_explode_are_told_and_gross_defects_are_none(scores, normal, told):
    said = warnings.exploded(scores, normal)
    assert said is None if told is None else re.search(told, said)


def test_a_ranking_at_chance_is_one_that_the_rank_test_does_not_tell_from_guessing():
    draw = np.random.default_rng(1)
    names = ("good", "defective")
    for shift in (-3.0, 0.0, 0.2, 3.0):
        good, bad = draw.normal(0, 1, 20).tolist(), draw.normal(shift, 1, 30).tolist()
        chance = stats.mannwhitneyu(bad, good, alternative="greater").pvalue
        said = warnings.at_chance(figures(good, bad), names)
        assert (said is None) == (chance < 0.05)
        if said:
            assert ("worse than guessing" in said) == (shift < 0) and "30 defective and 20 good" in said
    assert warnings.at_chance(figures([0.1], [0.9]), names)  # One of each is no proof, however far apart they lie.
    assert warnings.at_chance(figures([], [0.9]), names) is None
    assert "0.238" in warnings.pixels_at_chance({"pixel": {"auroc": 0.238}})
    assert warnings.pixels_at_chance({"pixel": {"auroc": 0.7}}) is warnings.pixels_at_chance({"pixel": {}}) is None


def test_an_alarm_rate_of_zero_on_defects_is_told_and_so_are_false_alarms_on_everything():
    names = ("good", "defective")
    assert list(warnings.one_sided(rows([0.1], [0.6, 0.2]), names)) == []
    assert list(warnings.one_sided(rows([0.1, 0.2], []), names)) == []  # No defect, no alarm: as it should be.
    (said,) = warnings.one_sided(rows([0.1], [0.3] * 9), names)
    assert "the alarm rate is 0: none of 9 defective images scores above the image threshold 0.5" in said
    (said,) = warnings.one_sided(rows([0.7, 0.8], [0.9]), names)
    assert "all of 2 good images raise a false alarm" in said


@pytest.mark.parametrize("step, steps, told", [(None, 0, True), (None, 5, False), (no_training, 0, False)])
def test_zero_steps_are_told_of_a_detector_that_learns_by_steps(step, steps, told):
    config = SimpleNamespace(train=SimpleNamespace(steps=steps))
    for timings in ({}, {"steps": steps}):
        run = SimpleNamespace(detector=SimpleNamespace(step=step), config=config, timings=timings)
        assert bool(warnings.untrained(run)) == told


def test_a_threshold_from_two_images_is_told_unless_its_rule_did():
    assert "fitted on 2 normal images" in warnings.of_few(fitted([0.1, 0.2]))
    assert warnings.of_few(fitted(NORMAL)) is None is warnings.of_few(fitted([0.1, 0.2], "too few for this rate"))


@pytest.mark.parametrize(
    "outlined, maps, warning",
    [((False, False), True, warnings.NO_MASKS), ((True, False), True, warnings.NOT_OUTLINED),
     ((True, True), False, warnings.NOT_OUTLINED), ((True, True), True, None)],
)  # fmt: skip
def test_why_there_are_no_pixel_figures_is_told(outlined, maps, warning):
    records = [SimpleNamespace(label=1, has_mask=has) for has in outlined]
    predictions = SimpleNamespace(records=records, outlined=all(outlined), maps=[0] if maps else None, surfaces=None)
    assert warnings.without_pixels(predictions) == warning


@pytest.mark.parametrize("spread, warned", [(0.01, True), (0.5, False), (None, False)])
def test_a_collapsed_generator_is_told(spread, warned, tmp_path):
    rows = [{"step": 5, "loss": 1.0, "spread": 0.9}, {"step": 10, "loss": 0.5, "spread": spread}]
    rows = [{name: value for name, value in row.items() if spread is not None or name != "spread"} for row in rows]
    (tmp_path / "history.jsonl").write_text("".join(f"{row}\n".replace("'", '"') for row in rows))
    assert bool(warnings.collapsed(tmp_path)) == warned


def test_warnings_reach_the_result_the_terminal_and_the_page(run, tmp_path, capsys):
    page = evaluate.main([str(run), "--out", str(tmp_path / "out")])
    told = result_of(tmp_path / "out")["warnings"]
    said, html = capsys.readouterr(), page.read_text(encoding="utf-8")
    printed, sentence = " ".join(said.err.split()), re.search(r'<p class="verdict">\s*(.*?)\s*</p>', html)[1]
    assert said.out.splitlines()[-1] == f"{sentence} Report: {page}"
    assert any("pauta: the standard deviation of a single score is 0" in text for text in told)
    assert all(" ".join(text.split()) in printed and text in html for text in told)
