"""The table of detectors from results."""

import json

import pytest

from launch import tabulate
from tests.launch.page.table_rows import rows_of

RESULT = {
    "detector": "phot",
    "dataset": {"name": "aitex", "root": "", "counts": {"train": 6, "test_good": 2, "test_defective": 12}},
    "figures": {"image": {"auroc": 0.8}, "pixel": {"auroc": 0.6}}, "thresholds": {},
    "timings": {"train_s": 90.0, "score_ms_per_image": 12.4}, "hardware": {"device": "cpu", "cpu_cores": 2},
}  # fmt: skip


def write(folder, **changes):
    folder.mkdir(parents=True)
    (folder / "result.json").write_text(json.dumps(RESULT | changes))
    return folder


def test_runs_of_a_sweep_and_single_runs_are_averaged_over_seeds(tmp_path):
    write(tmp_path / "sweep" / "runs" / "a")
    write(tmp_path / "sweep" / "runs" / "b", figures={"image": {"auroc": 0.9}, "pixel": {"auroc": None}})
    tile = RESULT["dataset"] | {"name": "mvtec", "root": "/somewhere/tile"}
    write(tmp_path / "run", detector="faster_rcnn", dataset=tile,
          figures={"image": {"auroc": 1.0}, "pixel": {"auroc": 0.5}, "boxes": {"ap50": 0.25}})  # fmt: skip
    page = tmp_path / "docs" / "page.md"
    page.parent.mkdir()
    tabulate.main([str(tmp_path / "sweep"), str(tmp_path / "run"), "--page", str(page)])
    head, rows = rows_of(page.read_text())
    assert head[4:8] == ["aitex", "tile", "Training, min", "ms an image"]
    assert rows["phot"][4:8] == [".850 ± .071 / .600", "–", "1.5", "12"]
    assert rows["faster_rcnn"][4:8] == ["–", "1.000 / .500 / boxes AP50 .250", "1.5", "12"]
    assert "- aitex: trained on 6 normal images, tested on 12 defective and 2 normal ones" in page.read_text()
    assert "/somewhere" not in page.read_text() and "on cpu, 2 CPU cores." in page.read_text()


def test_a_folder_without_results_is_named_and_no_page_is_written(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no result, neither result.json nor runs"):
        tabulate.main([str(tmp_path), "--page", str(tmp_path / "page.md")])
    assert not (tmp_path / "page.md").exists()
