"""Sweeps lose nothing and do nothing twice: killed, failing, side by side, on many devices, on a full disk."""

import csv
import json
import multiprocessing
import random
import subprocess
import sys
import time

import numpy as np
import pytest

from launch import sweep, train
from launch.command import files
from launch.run.trained import configs
from launch.sweeping import plan, results, sharing, worker
from tests.steps import on_fake_devices
from tests.sweeps import write

KILLS = 20
FORKS = multiprocessing.get_context("forkserver")  # Children start with everything imported and no device touched.
FORKS.set_forkserver_preload(["launch.sweep", "data_pipeline"])


def table(folder):
    with (folder / "sweep.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def run_sweep(path, folder, *options):
    return sweep.main([path, "--workdir", str(folder), *options])


def start(path, folder, *options):
    process = FORKS.Process(target=run_sweep, args=(path, folder, *options))
    process.start()
    return process


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """(sweep file, folder) of an unbroken sweep."""
    place = tmp_path_factory.mktemp("sweep")
    path = write(place)
    page = run_sweep(path, place / "unbroken")
    assert page == place / "unbroken" / "sweep.html"
    return path, place / "unbroken"


def test_a_sweep_leaves_a_table_a_page_and_a_folder_for_each_run(finished):
    path, folder = finished
    rows = table(folder)
    assert [(row["alpha"], row["seed"], row["status"]) for row in rows] == [
        (alpha, seed, "finished") for alpha in ("0", "0.5") for seed in ("0", "1")
    ]
    assert "A small sweep" in (folder / "sweep.html").read_text()
    for row in rows:
        result = json.loads((folder / "runs" / row["run"] / "result.json").read_text())
        assert float(row["pixel.auroc"]) == result["figures"]["pixel"]["auroc"]
        assert len(list((folder / "runs" / row["run"] / "images").glob("*.npz"))) == worker.SHOWN


def test_means_and_spreads_stand_beside_the_papers_values(finished):
    found = results.collect(finished[1])
    cell = next(cell for cell in found["cells"] if cell["at"] == {"alpha": "0.5"})
    values = [row["figures"]["pixel.auroc"] for row in found["rows"] if row["at"] == {"alpha": "0.5"}]
    assert cell["finished"] == 2 and cell["mean"]["pixel.auroc"] == pytest.approx(np.mean(values))
    assert cell["std"]["pixel.auroc"] == pytest.approx(np.std(values, ddof=1))
    assert cell["paper"] == {"pixel.f1": 0.6}
    assert [(u["at"], u["value"], u["why"]) for u in found["unfilled"]] == [
        ({"alpha": "0.9"}, 0.7, "no run of this sweep has alpha = 0.9")
    ]


def test_a_run_of_a_sweep_is_what_its_command_trains(finished, tmp_path):
    import shlex

    row = results.collect(finished[1])["rows"][2]
    train.main([*shlex.split(row["command"])[3:], "--workdir", str(tmp_path / "again")])
    again = json.loads((tmp_path / "again" / "result.json").read_text())["figures"]
    assert row["figures"]["pixel.auroc"] == again["pixel"]["auroc"]


def test_a_finished_sweep_does_nothing_twice(finished):
    path, folder = finished
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("result.json")}
    run_sweep(path, folder)
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("result.json")} == before


def test_more_seeds_go_on_in_the_same_folder_and_another_sweep_does_not(finished, tmp_path):
    import shutil

    path, folder = finished
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    run_sweep(path, copy, "--seeds", "0,1,2")
    assert len(table(copy)) == 6 and [r for r in table(copy) if r["seed"] != "2"] == table(folder)
    with pytest.raises(ValueError, match="train.steps = 10 there, 15 here.*--workdir"):
        run_sweep(path, copy, "--seeds", "0,1,2", "train.steps=15")
    with pytest.raises(ValueError, match="its run alpha=0-seed=1 is none of"):
        run_sweep(path, copy, "--seeds", "0")
    with pytest.raises(ValueError, match="no sweep folder and not empty"):
        run_sweep(path, finished[1] / "runs" / "alpha=0-seed=0")


def test_killed_at_random_moments_it_ends_with_the_same_table(finished, tmp_path):
    path, folder = finished
    begun = time.monotonic()
    whole = start(path, tmp_path / "timed")
    whole.join()
    duration = time.monotonic() - begun
    assert whole.exitcode == 0 and table(tmp_path / "timed") == table(folder)
    moments, target, ends, kills = random.Random(0), tmp_path / "0", 0, 0
    while kills < KILLS:
        process = start(path, target)
        process.join(moments.uniform(0, 0.6 * duration))
        if process.exitcode is None:
            process.kill()
            process.join()
            kills += 1
            continue
        assert process.exitcode == 0 and table(target) == table(folder)
        ends += 1
        target = tmp_path / str(ends)
    last = start(path, target)
    last.join()
    assert last.exitcode == 0 and table(target) == table(folder)
    assert not list(target.rglob(".*.json*")) or all(p.is_file() for p in target.rglob("result.json"))


def test_a_failing_run_is_kept_with_its_traceback_and_the_others_go_on(tmp_path, capsys):
    path = write(
        tmp_path,
        ('{"settings.alpha": (0.0, 0.5)}', '{"settings.learning_rate": (0.01, 1e30)}'),
        ("SEEDS = (0, 1)", "SEEDS = (0,)"),
    )
    run_sweep(path, tmp_path / "s")
    rows = table(tmp_path / "s")
    assert [row["status"] for row in rows] == ["finished", "failed"] and "Diverged" in rows[1]["error"]
    said = json.loads((tmp_path / "s" / "runs" / rows[1]["run"] / "failed.json").read_text())
    assert "Traceback" in said["traceback"] and "diverged by step 5" in said["error"]
    assert "diverged by step 5" in (tmp_path / "s" / "sweep.html").read_text()
    page = (tmp_path / "s" / "runs" / rows[1]["run"] / "failed.json").stat().st_mtime_ns
    run_sweep(path, tmp_path / "s")  # Not tried again unasked.
    assert (tmp_path / "s" / "runs" / rows[1]["run"] / "failed.json").stat().st_mtime_ns == page
    run_sweep(path, tmp_path / "s", "--retry")
    assert (tmp_path / "s" / "runs" / rows[1]["run"] / "failed.json").stat().st_mtime_ns > page


def test_two_sweeps_cannot_share_a_folder_and_a_worker_leaves_held_runs_alone(tmp_path):
    path, folder = write(tmp_path), tmp_path / "s"
    with files.locked(folder), pytest.raises(files.InUse, match="in use by another process"):
        run_sweep(path, folder)
    planned = plan.write(sweep.spec.read(path), folder, command="")
    with files.locked(planned.runs[0].folder):
        worker.work(folder)
    assert [run.status for run in planned.runs] == ["unfinished", *["finished"] * 3]


def test_what_only_scoring_reads_is_not_trained_twice(tmp_path):
    path = write(
        tmp_path,
        ("AXES = (", 'AXES = ({"settings.box": (3, 9)}, {"threshold.pixel": ("pauta", "quantile")},'),
        ("SEEDS = (0, 1)", "SEEDS = (0,)"),
        ('"settings.alpha": (0.0, 0.5)', '"settings.alpha": (0.5,)'),
    )
    run_sweep(path, tmp_path / "s")
    found = results.collect(tmp_path / "s")["rows"]
    first = found[0]["name"]
    assert [row["shared_with"] for row in found] == [None, first, first, first]
    alone = run_sweep(path, tmp_path / "alone", "--axis", "settings.box=9", "threshold.pixel=quantile",
                      "settings.alpha=0.5").parent  # fmt: skip
    assert results.collect(alone)["rows"][0]["figures"] == found[3]["figures"]


def test_what_a_training_step_reads_is_trained_anew():
    config = sweep.spec.read("table4", quick=True).runs[0].config
    for field, same in (("settings.box", True), ("settings.residual", True), ("settings.losses", False)):
        other = config.copy_and_resolve_references()
        value = {"settings.box": 9, "settings.residual": "absolute", "settings.losses": ("mse", "ssim")}[field]
        configs.assign(other, {field: value})
        assert sharing.same_training(config, other) == same, field


def close(one, other, tolerance):
    """Figures agree but for rounding, which may swap one of the 2 x 3 pairs of images that rank for image AUROC."""
    allowed = {"pixel.f1": tolerance, "pixel.auroc": tolerance, "image.auroc": 1 / 6 + tolerance}
    for a, b in zip(one, other, strict=True):
        assert a["run"] == b["run"] and a["status"] == b["status"] == "finished"
        for key, within in allowed.items():
            assert float(a[key]) == pytest.approx(float(b[key]), abs=within), (a["run"], key)


def test_runs_side_by_side_give_the_figures_of_runs_in_turn(finished, tmp_path):
    path, folder = finished
    process = start(path, tmp_path / "s", "--side-by-side", "3")
    process.join()
    assert process.exitcode == 0
    close(table(folder), table(tmp_path / "s"), 0.01)
    assert not list((tmp_path / "s" / "populations").iterdir())
    for run in plan.read(tmp_path / "s").runs:
        assert len((run.folder / "history.jsonl").read_text().splitlines()) == 2


def test_eight_devices_and_one_give_the_same_figures(finished, tmp_path):
    path, folder = finished
    for options in ([], ["--side-by-side", "4"]):
        target = tmp_path / str(len(options))
        words = [sys.executable, "-X", "faulthandler", "-m", "launch.sweep", path, "--workdir", str(target), *options]
        done = subprocess.run(words, env=on_fake_devices(8), capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        close(table(folder), table(target), 0.02)


def test_figures_are_told_as_multiples_and_detectors_without_training_take_part(tmp_path):
    runs = 'RUNS = {"net": {}, "phot": {"detector": "phot"}}\nMULTIPLE_OF = {"run": "net"}'
    path = write(tmp_path, ('AXES = ({"settings.alpha": (0.0, 0.5)},)', runs), ("SEEDS = (0, 1)", "SEEDS = (0,)"),
                 ('PAPER = (({"alpha": 0.5}, {"pixel.f1": 0.6}), ({"alpha": 0.9}, {"pixel.f1": 0.7}))',
                  'PAPER = (({"run": "net"}, {"pixel.f1": 0.6}), ({"run": "phot"}, {"pixel.f1": 0.3}))'))  # fmt: skip
    page = run_sweep(path, tmp_path / "s")
    found = results.collect(tmp_path / "s")
    net, phot = (next(cell for cell in found["cells"] if cell["at"] == {"run": run}) for run in ("net", "phot"))
    assert net["mean"]["pixel.f1.multiple"] == 1 and phot["paper"]["pixel.f1.multiple"] == 0.5
    assert phot["mean"]["pixel.f1.multiple"] == pytest.approx(phot["mean"]["pixel.f1"] / net["mean"]["pixel.f1"])
    assert "Multiple of net" in page.read_text() and "multiple" not in (tmp_path / "s" / "sweep.csv").read_text()


def test_a_dry_run_lists_and_runs_nothing(tmp_path, capsys):
    assert run_sweep(write(tmp_path), tmp_path / "s", "--dry-run") is None
    said = capsys.readouterr().out
    assert "4 runs in 1 groups" in said and "alpha=0.5-seed=1" in said and not (tmp_path / "s").exists()


def test_a_plan_can_be_written_for_workers_started_by_hand(finished, tmp_path, capsys):
    path, folder = write(tmp_path), tmp_path / "s"
    run_sweep(path, folder, "--launcher", "none")
    assert f"launch.sweeping.worker {folder}" in capsys.readouterr().out
    assert {row["status"] for row in table(folder)} == {"unfinished"}
    worker.main([str(folder)])
    run_sweep(path, folder)
    assert table(folder) == table(finished[1])


def test_a_full_disk_stops_the_sweep_and_finished_runs_stay(tmp_path):
    small = tmp_path / "disk"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(small)], capture_output=True)
    if mounted.returncode:
        pytest.skip("no small disk: mounting needs root")
    try:
        words = [sys.executable, "-m", "launch.sweep", write(tmp_path), "--workdir", str(small / "s")]
        done = subprocess.run(words, capture_output=True, text=True)
        assert done.returncode == 1 and "free space" in done.stdout.lower(), done.stdout
        assert "Traceback" not in done.stdout
        assert not list(small.rglob("failed.json"))
        states = [run.status for run in plan.read(small / "s").runs]
        assert "unfinished" in states
        subprocess.run(["mount", "-o", "remount,size=200m", str(small)], check=True)
        run_sweep(write(tmp_path), small / "s")
        assert [row["status"] for row in table(small / "s")] == ["finished"] * 4
    finally:
        subprocess.run(["umount", str(small)])


def test_a_damaged_plan_is_named_with_the_remedy(finished, tmp_path):
    import shutil

    shutil.copytree(finished[1], tmp_path / "s")
    (tmp_path / "s" / "sweep.json").write_text("{")
    with pytest.raises(ValueError, match="sweep.json is not readable JSON.*delete it"):
        run_sweep(finished[0], tmp_path / "s")
    with pytest.raises(FileNotFoundError, match="no sweep"):
        worker.work(tmp_path)
