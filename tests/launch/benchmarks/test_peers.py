"""anomalib's detectors and ours get the same files, are judged by one code, and stand in one table."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from data_pipeline import images
from launch.benchmarks import peers
from tests import tiny

ANOMALIB = os.environ.get("JAXDEFECT_ANOMALIB")  # the Python of an environment that holds it
NARROW = {"settings.latent": 8, "settings.width": 4, "settings.box": 3}
CASE = peers.Case("ganomaly", 64, 4, 5, NARROW)
FIGURES = {
    "step_s": 0.5, "first_s": 4.0, "train_s": 100.0, "image_s": 0.05, "image_flops": 2e9, "weights": 3_000_000,
    "memory_mb": 1000.0, "image_auroc": 0.75, "pixel_ap": 0.25, "versions": {"anomalib": "2.7.0"},
}  # fmt: skip


def job_at(place: Path, case: peers.Case = CASE) -> dict:
    return peers.write_folder(place, tiny.config("renet_d"), case) | case._asdict() | {"threads": 1, "seed": 0}


def test_the_folder_holds_images_of_one_size_and_their_masks(tmp_path):
    job = job_at(tmp_path)
    shown = images.listed(tmp_path / "train" / "good")
    assert len(shown) == job["train_count"] >= CASE.batch
    for path in [*shown, *map(Path, job["test"])]:
        assert images.read_image(path).shape == (64, 64, 3)
    marked = [int(images.read_mask(Path(path)).sum()) for path in job["masks"]]
    assert 0 < sum(job["labels"]) < len(job["labels"])
    assert not any(count for count, label in zip(marked, job["labels"], strict=True) if not label)
    assert any(marked)


def test_too_few_images_are_an_error(tmp_path):
    with pytest.raises(ValueError, match="give another --dataset"):
        job_at(tmp_path, CASE._replace(batch=10_000))


def test_a_python_without_anomalib_is_an_error_with_the_remedy(tmp_path):
    for python in (None, tmp_path / "python", Path(sys.executable)):
        with pytest.raises(ValueError, match="uv pip install"):
            peers.version_of(python)


def test_figures_are_those_of_scores_and_maps(tmp_path):
    job = job_at(tmp_path / "images")
    truth = np.stack([images.read_mask(Path(path)) for path in job["masks"]]).astype(np.float32)
    np.save(tmp_path / "scores.npy", np.array(job["labels"], np.float32))
    measured = job | {"out": str(tmp_path), "steps_s": [9, 9, 9, 1, 2, 3], "images_s": [5.0], "train_s": 1.0,
                      "memory_mb": 1.0, "weights": 1, "image_flops": 1, "versions": {}}  # fmt: skip
    assert peers.figures_of(measured)["pixel_ap"] is None
    np.save(tmp_path / "maps.npy", truth)
    figures = peers.figures_of(measured)
    assert (figures["image_auroc"], figures["pixel_ap"]) == (1, 1)
    assert (figures["first_s"], figures["step_s"], figures["image_s"]) == (9, 2, 5)
    np.save(tmp_path / "maps.npy", truth[:1])
    with pytest.raises(ValueError, match="was expected"):
        peers.figures_of(measured)


def test_figures_of_both_become_a_table():
    theirs = FIGURES | {"step_s": 1.0, "pixel_ap": None}
    case = CASE._asdict() | {"threads": 2, "images": {"train": 9, "good": 3, "defective": 4}}
    turns = [{"ours": FIGURES, "theirs": theirs}, {"ours": FIGURES, "theirs": theirs | {"step_s": 2.0}}]
    result = {"dataset": "synthetic", "cases": {"ganomaly": case | {"turns": turns}}}
    page = peers.as_section(result, machine="cpu", command="bench")
    assert "| a step | 500 ms | 1500 ms | **3.00** (2.00 to 4.00) |" in page
    assert "| pixel AP | 0.250 | none |  |" in page
    assert "uv pip install" in page and "anomalib 2.7.0" in page


def test_a_process_that_fails_says_why(tmp_path):
    with pytest.raises(RuntimeError, match="ended with 1 and said: no such thing"):
        peers.run([sys.executable, "-c", "raise SystemExit('no such thing')"], tmp_path / "out", {"detector": "draem"})


@pytest.mark.drill
def test_ours_is_measured_in_a_process_of_its_own(tmp_path):
    figures = peers.figures_of(peers.run(peers.OURS, tmp_path / "out", job_at(tmp_path / "images")))
    assert min(figures[name] for name in ("step_s", "image_s", "train_s", "memory_mb", "weights", "image_flops")) > 0
    assert 0 <= figures["image_auroc"] <= 1 and 0 <= figures["pixel_ap"] <= 1


@pytest.mark.drill
@pytest.mark.skipif(not ANOMALIB, reason="JAXDEFECT_ANOMALIB names no Python of an environment with anomalib")
@pytest.mark.parametrize("detector", ["draem", "ganomaly"])
def test_anomalib_and_ours_stand_side_by_side(detector):
    fields = {"draem": {"settings.widths": (2, 4), "settings.segmentation": (2, 4, 4)}, "ganomaly": NARROW}[detector]
    case = peers.Case(detector, 64, 4, 4, fields, (4, 4) if detector == "draem" else ())
    result = peers.bench_peers(tiny.config("renet_d"), python=Path(ANOMALIB), steps=None, turns=1,
                               cases={detector: case})  # fmt: skip
    (turn,) = result["cases"][detector]["turns"]
    assert turn["theirs"]["step_s"] > 0 and 0 <= turn["theirs"]["image_auroc"] <= 1
    assert (turn["theirs"]["pixel_ap"] is None) == (detector == "ganomaly")
    assert "anomalib / ours" in peers.as_section(result, machine="cpu", command="bench")
