"""Orders of settings on painted flaws and on the test."""

import pytest

from launch.sweeping.agreement import agreements

FIGURES = {"figures": ("painted.image.auroc", "image.auroc", "pixel.auroc", "painted.pixel.ap")}


def cell(painted, test, **at):
    return {"at": at, "mean": {"painted.image.auroc": painted, "image.auroc": test, "painted.pixel.ap": 0.5}}


def test_the_same_order_is_one_and_the_opposite_minus_one():
    cells = [cell(0.1 * n, 0.5 + n**2 / 50, images="tiles") for n in range(4)]
    cells += [cell(0.1 * n, -n, images="cloth") for n in range(5)]
    tiles, cloth = agreements(FIGURES, cells)
    assert (tiles["figure"], tiles["images"], tiles["settings"]) == ("image.auroc", "tiles", 4)
    assert (tiles["rho"], cloth["rho"]) == (pytest.approx(1), pytest.approx(-1))
    assert tiles["text"] == "image auroc on tiles: 1.00 over 4 settings"


def test_two_swapped_neighbours_of_four_leave_eight_tenths():
    (agreement,) = agreements(FIGURES, [cell(a, b) for a, b in [(1, 1), (2, 3), (3, 2), (4, 4)]])
    assert agreement["rho"] == pytest.approx(0.8) and agreement["images"] == ""


def test_settings_without_one_of_the_figures_do_not_count():
    missing = [cell(0.3, None), cell(None, 0.4)]
    assert agreements(FIGURES, [cell(0.1, 0.1), cell(0.2, 0.2), *missing]) == []
    (agreement,) = agreements(FIGURES, [cell(0.1, 0.1), cell(0.2, 0.2), cell(0.3, 0.1), *missing])
    assert agreement["settings"] == 3


def test_equal_figures_have_no_order():
    (agreement,) = agreements(FIGURES, [cell(0.5, 0.1 * n) for n in range(3)])
    assert agreement["rho"] is None and "all are equal" in agreement["text"]
