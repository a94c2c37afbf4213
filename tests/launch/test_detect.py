"""Detection in a folder of images, and what is said of broken ones."""

import numpy as np
import pytest
from PIL import Image

from launch import detect
from launch.run.data import open_data
from launch.run.trained import load_run
from tests.launch.small_runs import rows_of, write


def make_folder(folder, run):
    """Images of three sizes and modes, one broken."""
    (folder / "line 2").mkdir(parents=True)
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (70, 90), np.uint8)).save(folder / "a.png")
    Image.fromarray(rng.integers(0, 255, (64, 64, 3), np.uint8)).save(folder / "a.jpg")
    Image.fromarray(np.full((40, 50), 30000, np.uint16)).save(folder / "line 2" / "b.png")
    (folder / "broken.png").write_bytes((folder / "a.png").read_bytes()[:300])


def test_detection_needs_no_labels_and_goes_on_after_a_broken_image(run, tmp_path):
    make_folder(tmp_path / "in", run)
    assert detect.main([str(run), str(tmp_path / "in"), "--out", str(tmp_path / "out")]) == 1
    rows = {row["image"]: row for row in rows_of(tmp_path / "out" / "detections.csv")}
    assert set(rows) == {"a.png", "a.jpg", "line 2/b.png", "broken.png"}
    assert "broken.png" in rows["broken.png"]["error"] and rows["broken.png"]["score"] == ""
    for name, size in (("a.png", (90, 70)), ("a.jpg", (64, 64)), ("line 2/b.png", (50, 40))):
        mask = Image.open(tmp_path / "out" / "masks" / f"{name}.png")
        assert mask.size == size and set(np.unique(mask)) <= {0, 255}
        assert Image.open(tmp_path / "out" / "overlays" / f"{name}.png").size == size
        assert int(rows[name]["defect_pixels"]) == int((np.asarray(mask) > 0).sum())
    assert not (tmp_path / "out" / "masks" / "broken.png.png").exists()


def test_detection_finds_what_evaluation_found(run, tmp_path):
    loaded = load_run(run)
    data = open_data(loaded.config)
    sample = data.converted.test[0]
    (tmp_path / "in").mkdir()
    Image.fromarray(sample.image[..., 0]).save(tmp_path / "in" / "x.png")
    detect.main([str(run), str(tmp_path / "in"), "--out", str(tmp_path / "out")])
    row = rows_of(tmp_path / "out" / "detections.csv")[0]
    theirs = next(r for r in rows_of(run / "predictions.csv") if r["id"] == sample.id)
    assert float(row["score"]) == pytest.approx(float(theirs["score"]), rel=1e-5)
    assert row["defect_pixels"] == theirs["predicted_pixels"]


@pytest.mark.drill
def test_images_of_any_shape_are_brought_to_the_detectors_size(maa, tmp_path):
    write(tmp_path / "in" / "wide.png", 37, 91)
    write(tmp_path / "in" / "tiny.png", 9, 5)
    assert detect.main([str(maa), str(tmp_path / "in"), "--out", str(tmp_path / "out")]) == 0
    with Image.open(tmp_path / "out" / "masks" / "wide.png.png") as mask:
        assert mask.size == (91, 37)
