"""The command that sweeps: what it leaves, shares, refuses, and does not do twice."""

import json
import shutil
import time
from urllib.parse import quote

import pytest

from launch import train
from launch.command import files
from launch.sweeping import plan, results, spec, worker
from tests.launch.sweeping.small_sweeps import close, run_sweep, start, table, write


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
        images = json.loads((folder / "runs" / row["run"] / "images" / "index.json").read_text())
        assert len(images) == worker.SHOWN and sum("good" in image["id"] for image in images) == 1
        page = (folder / "runs" / row["run"] / "report.html").read_text()
        assert 'part of the sweep <a href="../../sweep.html">A small sweep</a>' in page
        assert f'href="runs/{quote(row["run"])}/report.html"' in (folder / "sweep.html").read_text()


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


@pytest.mark.drill
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


def test_a_failing_run_is_kept_with_its_traceback_and_the_others_go_on(tmp_path, capsys):
    path = write(
        tmp_path,
        ('{"settings.alpha": (0.0, 0.5)}', '{"settings.learning_rate": (0.01, 1e30)}'),
        ("SEEDS = (0, 1)", "SEEDS = (0,)"),
    )
    failed = pytest.raises(RuntimeError, match="1 of 2 runs failed; the same command with --retry")
    with failed:
        run_sweep(path, tmp_path / "s")
    rows = table(tmp_path / "s")
    assert [row["status"] for row in rows] == ["finished", "failed"] and "Diverged" in rows[1]["error"]
    said = json.loads((tmp_path / "s" / "runs" / rows[1]["run"] / "failed.json").read_text())
    assert "Traceback" in said["traceback"] and "diverged by step 5" in said["error"]
    assert "diverged by step 5" in (tmp_path / "s" / "sweep.html").read_text()
    page = (tmp_path / "s" / "runs" / rows[1]["run"] / "failed.json").stat().st_mtime_ns
    with failed:
        run_sweep(path, tmp_path / "s")  # Not tried again unasked.
    assert (tmp_path / "s" / "runs" / rows[1]["run"] / "failed.json").stat().st_mtime_ns == page
    with failed:
        run_sweep(path, tmp_path / "s", "--retry")
    assert (tmp_path / "s" / "runs" / rows[1]["run"] / "failed.json").stat().st_mtime_ns > page


@pytest.mark.drill
def test_two_sweeps_cannot_share_a_folder_and_a_worker_leaves_held_runs_alone(tmp_path):
    path, folder = write(tmp_path), tmp_path / "s"
    with files.locked(folder), pytest.raises(files.InUse, match="in use by another process"):
        run_sweep(path, folder)
    planned = plan.write(spec.read(path), folder, command="")
    with files.locked(planned.runs[0].folder):
        worker.work(folder)
    assert [run.status for run in planned.runs] == ["unfinished", *["finished"] * 3]


@pytest.mark.drill
def test_runs_side_by_side_give_the_figures_of_runs_in_turn(finished, tmp_path):
    path, folder = finished
    process = start(path, tmp_path / "s", "--side-by-side", "3")
    process.join()
    assert process.exitcode == 0
    close(table(folder), table(tmp_path / "s"), 0.01)
    assert not list((tmp_path / "s" / "populations").iterdir())
    for run in plan.read(tmp_path / "s").runs:
        assert len((run.folder / "history.jsonl").read_text().splitlines()) == 2


def test_a_dry_run_lists_and_runs_nothing(tmp_path, capsys):
    assert run_sweep(write(tmp_path), tmp_path / "s", "--dry-run") is None
    said = capsys.readouterr().out
    assert "4 runs in 1 groups" in said and "alpha=0.5-seed=1" in said and not (tmp_path / "s").exists()


@pytest.mark.parametrize("sparing, expected", [(0, [1, 2, 3, 4]), (10**6, [1])])
def test_the_page_is_written_after_each_run_unless_that_takes_long(tmp_path, monkeypatch, sparing, expected):
    planned, seen = plan.write(spec.read(write(tmp_path)), tmp_path / "s", command=""), []

    def write_page(folder):
        seen.append(sum(run.status == "finished" for run in planned.runs))
        time.sleep(0.01)

    monkeypatch.setattr(worker, "do", lambda sweep, run, opened: (run.folder / "result.json").write_text("{}"))
    monkeypatch.setattr(worker, "write_results", write_page)
    monkeypatch.setattr(worker, "SPARING", sparing)
    worker.work(planned.folder)
    assert seen == expected


@pytest.mark.drill
def test_a_plan_can_be_written_for_workers_started_by_hand(finished, tmp_path, capsys):
    path, folder = write(tmp_path), tmp_path / "s"
    run_sweep(path, folder, "--launcher", "none")
    assert f"launch.sweeping.worker {folder}" in capsys.readouterr().out
    assert {row["status"] for row in table(folder)} == {"unfinished"}
    worker.main([str(folder)])
    run_sweep(path, folder)
    assert table(folder) == table(finished[1])


@pytest.mark.parametrize("damage", [lambda path: path.write_text("{"), lambda path: path.unlink(),
                                    lambda path: path.write_text(path.read_text().replace('"seed": 1', '"seed": 7'))],
                         ids=["cut", "lost", "changed"])  # fmt: skip
def test_a_damaged_plan_is_written_anew_by_the_same_command_only(damage, finished, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "s"
    shutil.copytree(finished[1], folder)
    damage(folder / "sweep.json")
    with pytest.raises((ValueError, FileNotFoundError), match="launch.sweep"):
        worker.work(folder)
    with pytest.raises(ValueError, match="train.steps = 10 there, 15 here"):
        run_sweep(finished[0], folder, "train.steps=15")
    monkeypatch.setattr(worker, "work", lambda folder: pytest.fail("finished runs are done again"))
    run_sweep(finished[0], folder)
    assert table(folder) == table(finished[1]) and plan.read(folder).about["name"]


def test_a_damaged_result_of_a_run_is_evaluated_again(finished, tmp_path, capsys):
    folder = tmp_path / "s"
    shutil.copytree(finished[1], folder)
    damaged = folder / "runs" / "alpha=0-seed=0" / "result.json"
    damaged.write_bytes(damaged.read_bytes().replace(b'"auroc": 0.', b'"auroc": 1.', 1))
    run_sweep(finished[0], folder)
    said = capsys.readouterr().err
    assert "result.json was changed after it was written; run alpha=0-seed=0 is evaluated again" in said
    assert table(folder) == table(finished[1])
