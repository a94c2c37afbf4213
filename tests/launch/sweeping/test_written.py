"""The table of a sweep: a row for each run, and no cell that a spreadsheet would compute."""

import csv

from launch.sweeping.written import write_csv


def run(name, at, **others):
    row = {"name": name, "at": at, "seed": 0, "status": "finished", "figures": {"pixel.f1": -0.5}, "error": None}
    return row | others


def test_texts_are_no_formulas_and_numbers_stay_numbers(tmp_path):
    results = {
        "axes": [{"name": "alpha", "numbers": [-1.0]}, {"name": "loss", "numbers": None}],
        "figures": [{"key": "pixel.f1"}, {"key": "pixel.f1.multiple"}],
        "rows": [
            run("alpha=-1", {"alpha": "-1", "loss": "=cmd|' /C calc'!A0"}),
            run("@x", {"alpha": "-1", "loss": "-ssim"}, figures={}, status="failed", error={"error": "+1\nnot read"}),
        ],
    }
    write_csv(results, tmp_path / "sweep.csv")
    with (tmp_path / "sweep.csv").open(newline="") as file:
        first, second = csv.DictReader(file)
    assert list(first) == ["run", "alpha", "loss", "seed", "status", "pixel.f1", "error"]
    assert list(first.values()) == ["alpha=-1", "-1", "./=cmd|' /C calc'!A0", "0", "finished", "-0.5", ""]
    assert list(second.values()) == ["./@x", "-1", "./-ssim", "0", "failed", "", "./+1\\nnot read"]
