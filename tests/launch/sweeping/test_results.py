"""Results of a sweep beside the paper's values."""

import numpy as np
import pytest

from launch.sweeping import results
from tests.launch.sweeping.small_sweeps import run_sweep, write_runs


def test_means_and_spreads_stand_beside_the_papers_values(finished):
    found = results.collect(finished[1])
    cell = next(cell for cell in found["cells"] if cell["at"] == {"alpha": "0.5"})
    values = [row["figures"]["pixel.auroc"] for row in found["rows"] if row["at"] == {"alpha": "0.5"}]
    assert cell["finished"] == 2 and cell["mean"]["pixel.auroc"] == pytest.approx(np.mean(values))
    assert cell["std"]["pixel.auroc"] == pytest.approx(np.std(values, ddof=1))
    assert cell["paper"] == {"pixel.f1": 0.6}
    assert "4 runs: pauta: the standard deviation of a single score is 0" in found["notes"]
    assert [(u["at"], u["value"], u["why"]) for u in found["unfilled"]] == [
        ({"alpha": "0.9"}, 0.7, "no run of this sweep has alpha = 0.9")
    ]


def test_figures_are_told_as_multiples_and_detectors_without_training_take_part(tmp_path):
    path = write_runs(
        tmp_path, ("SEEDS = (0, 1)", "SEEDS = (0,)\nMULTIPLE_OF = {'run': 'net'}"),
        ('PAPER = (({"alpha": 0.5}, {"pixel.f1": 0.6}), ({"alpha": 0.9}, {"pixel.f1": 0.7}))',
         'PAPER = (({"run": "net"}, {"pixel.f1": 0.6}), ({"run": "phot"}, {"pixel.f1": 0.3}))'),
        net={}, phot={"detector": "phot"},
    )  # fmt: skip
    page = run_sweep(path, tmp_path / "s")
    found = results.collect(tmp_path / "s")
    net, phot = (next(cell for cell in found["cells"] if cell["at"] == {"run": run}) for run in ("net", "phot"))
    assert net["mean"]["pixel.f1.multiple"] == 1 and phot["paper"]["pixel.f1.multiple"] == 0.5
    assert phot["mean"]["pixel.f1.multiple"] == pytest.approx(phot["mean"]["pixel.f1"] / net["mean"]["pixel.f1"])
    assert "Multiple of net" in page.read_text() and "multiple" not in (tmp_path / "s" / "sweep.csv").read_text()
