"""The commands, from images to a report, at small size; and what they say of bad input."""

import csv
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jaxdefect import scoring
from launch import detect, evaluate, train
from launch.command import configuration as configs
from launch.command import files
from launch.run.data import open_data
from launch.run.evaluation import COLUMNS
from launch.run.history import read_history
from launch.run.trained import load_run
from tests.steps import apart

SMALL = [
    "--preset", "tiny", "data.options.size=64", "data.options.surfaces=(3,)", "data.options.train=6",
    "data.options.test_good=3", "data.options.test_defective=4",
]  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A finished small run."""
    workdir = tmp_path_factory.mktemp("runs") / "small"
    train.main([*SMALL, "--workdir", str(workdir)])
    return workdir


def result_of(workdir):
    return json.loads((workdir / "result.json").read_text())


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_leaves_everything_it_promises(run):
    result = result_of(run)
    assert result["dataset"]["counts"] == {"train": 5, "calibration": 1, "test_good": 3, "test_defective": 4}
    assert result["thresholds"]["pixel"]["fitted_on"] and result["versions"]["jax"] and result["hardware"]["platform"]
    assert (run / "report.html").stat().st_size > 10_000
    assert len(list((run / "images").glob("*.npz"))) == 4
    assert any((run / "tensorboard").iterdir())
    assert [line["step"] for line in read_history(run / "history.jsonl")] == [5, 10, 15, 20]
    assert not (run / "maps").exists() and not list(run.glob(".maps*"))


def test_figures_agree_with_the_predictions(run):
    result, rows = result_of(run)["figures"]["image"], rows_of(run / "predictions.csv")
    assert list(rows[0]) == list(COLUMNS) and len(rows) == 7
    for row in rows:
        assert int(row["predicted"]) == (float(row["score"]) > float(row["threshold"]))
    misses = sum(row["label"] == "1" and row["predicted"] == "0" for row in rows)
    false_alarms = sum(row["label"] == "0" and row["predicted"] == "1" for row in rows)
    assert (result["misses"], result["false_alarms"]) == (misses, false_alarms)


def test_a_finished_run_started_again_is_not_trained_again(run):
    before = (run / "history.jsonl").read_text(), result_of(run)["figures"]
    train.main([*SMALL, "--workdir", str(run)])
    assert ((run / "history.jsonl").read_text(), result_of(run)["figures"]) == before


def test_the_same_seed_gives_the_same_bits(run, tmp_path):
    train.main([*SMALL, "--workdir", str(tmp_path / "again")])
    assert rows_of(tmp_path / "again" / "predictions.csv") == rows_of(run / "predictions.csv")


def test_the_folder_of_another_config_is_refused(run):
    with pytest.raises(ValueError, match=r"settings.alpha = 0.15 there, 0.5 here.*another --workdir"):
        train.main([*SMALL, "settings.alpha=0.5", "--workdir", str(run)])


def test_evaluation_with_another_threshold_keeps_the_run(run, tmp_path):
    out = tmp_path / "strict"
    evaluate.main([str(run), "--out", str(out), "threshold.sigma=0.0", "report.keep_maps=true"])
    assert result_of(out)["thresholds"]["pixel"]["value"] < result_of(run)["thresholds"]["pixel"]["value"]
    assert result_of(out)["figures"]["pixel"]["auroc"] == result_of(run)["figures"]["pixel"]["auroc"]
    assert np.load(out / "maps" / "00000.npy", allow_pickle=False).shape == (64, 64)
    assert configs.read(out / "config.json").threshold.sigma == 0
    with pytest.raises(ValueError, match="train.steps cannot be changed after training"):
        evaluate.main([str(run), "train.steps=5"])


@pytest.mark.parametrize("rule", ["quantile", "false_alarm_rate", "otsu"])
def test_every_threshold_rule_reaches_a_report(run, tmp_path, rule):
    image = "pauta" if rule == "otsu" else rule
    page = evaluate.main(
        [str(run), "--out", str(tmp_path / rule), f"threshold.pixel={rule}", f"threshold.image={image}"]
    )
    assert page.is_file()


def test_tiles_and_scaled_images_give_maps_of_the_original_size(tmp_path):
    small = [*SMALL, "score.mode=tiled", "score.tile=32", "score.overlap=8", "data.scale=0.5", "report.keep_maps=true"]
    train.main([*small, "--workdir", str(tmp_path / "run")])
    assert np.load(tmp_path / "run" / "maps" / "00000.npy", allow_pickle=False).shape == (64, 64)


def test_the_stream_feed_trains_too(tmp_path):
    train.main([*SMALL, "train.feed=stream", "--workdir", str(tmp_path / "run")])
    assert result_of(tmp_path / "run")["figures"]["pixel"]["auroc"] is not None


def test_early_stopping_ends_a_run_that_learns_nothing(tmp_path):
    never = [*SMALL, "train.patience=2", "settings.learning_rate=0.0", "train.steps=200", "train.restore=best"]
    train.main([*never, "--workdir", str(tmp_path / "run")])
    assert read_history(tmp_path / "run" / "history.jsonl")[-1]["step"] < 200


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
    sample = data.seen.test[0]
    (tmp_path / "in").mkdir()
    Image.fromarray(sample.image[..., 0]).save(tmp_path / "in" / "x.png")
    detect.main([str(run), str(tmp_path / "in"), "--out", str(tmp_path / "out")])
    row = rows_of(tmp_path / "out" / "detections.csv")[0]
    theirs = next(r for r in rows_of(run / "predictions.csv") if r["id"] == sample.id)
    assert float(row["score"]) == pytest.approx(float(theirs["score"]), rel=1e-5)
    assert row["defect_pixels"] == theirs["predicted_pixels"]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--detector", "renet"], "no detector named 'renet'; did you mean 'renet_d'"),
        (["--preset", "papper"], "no preset 'papper'; did you mean 'paper'"),
        (["train.step=3"], "no field 'train.step'; did you mean 'train.steps'"),
        (["train.steps=many"], "train.steps=many is not of the type of 20"),
        (["train.steps=1.5"], "not of the type"),
        (["report.keep_maps=1"], "not of the type of False"),
        (["steps"], "'steps' is no field=value"),
        (["--dataset", "nanotwise"], "nanotwice"),
        (["data.options.surfacs=(1,)"], "surfaces"),
        (["train.batch=0"], "batch 0 does not divide"),
        (["train.save_every=7"], "train.save_every = 7 must be a multiple of train.log_every = 5"),
        (["train.patch=100"], "smaller than train.patch = 100"),
        (["train.patch=18"], "multiple of 4"),
        (["train.feed=resedent"], "train.feed = 'resedent'"),
        (["score.mode=tile"], "score.mode = 'tile'"),
        (["settings.losses=l1,sim"], "'sim' is not known; use one of l1"),
        (["settings.kernels=(5,4,3)"], "must be odd and positive, not (5, 4, 3"),
        (["settings.widths=(4,8)"], "differ in length"),
        (["threshold.pixel=paula"], "pauta"),
        (["threshold.image=otsu"], "use pauta, quantile"),
        (["data.calibration=0.99"], "calibration"),
    ],
)
def test_bad_settings_are_answered_with_the_remedy(tmp_path, arguments, message):
    with pytest.raises((ValueError, FileNotFoundError)) as caught:
        train.main([*SMALL, "train.steps=5", "train.save_every=5", *arguments, "--workdir", str(tmp_path / "run")])
    assert message in str(caught.value)
    assert not (tmp_path / "run" / "result.json").exists()


def test_a_command_says_its_error_in_one_line():
    done = subprocess.run([sys.executable, "-m", "launch.evaluate", "no_such_run"], capture_output=True, text=True)
    assert done.returncode == 1 and "Traceback" not in done.stdout + done.stderr
    assert "error: no_such_run is no run" in done.stdout


def test_a_folder_in_use_is_refused(tmp_path):
    with files.locked(tmp_path), pytest.raises(RuntimeError, match="in use by another process"), files.locked(tmp_path):
        pass


def test_a_full_disk_leaves_the_old_file(tmp_path):
    target = tmp_path / "result.json"
    target.write_text("old")
    script = f"""
import resource
from pathlib import Path
from launch import files
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
with files.replacing(Path({str(target)!r})) as file:
    file.write("new" * 10000)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode and "could not write" in done.stderr and "free space" in done.stderr
    assert target.read_text() == "old" and os.listdir(tmp_path) == ["result.json"]


def start(arguments, **env):
    command = [sys.executable, "-m", "launch.train", *arguments]
    return subprocess.Popen(command, env=os.environ | env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def state_of(workdir):
    return load_run(workdir).state


def test_a_killed_run_resumes_bit_for_bit(tmp_path):
    long = [*SMALL, "train.steps=400", "train.save_every=20"]
    train.main([*long, "--workdir", str(tmp_path / "unbroken")])
    process = start([*long, "--workdir", str(tmp_path / "killed")])
    history = tmp_path / "killed" / "history.jsonl"
    deadline = time.monotonic() + 120
    while not any(line["step"] >= 60 for line in read_history(history)) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    reached = read_history(history)[-1]["step"]
    assert 60 <= reached < 400, "the run was killed too early or too late to prove anything"
    assert not (tmp_path / "killed" / "result.json").exists()
    train.main([*long, "--workdir", str(tmp_path / "killed")])
    for a, b in zip(*map(leaves, (tmp_path / "unbroken", tmp_path / "killed")), strict=True):
        np.testing.assert_array_equal(a, b)
    strip = lambda lines: [{k: v for k, v in line.items() if k != "seconds"} for line in lines]
    both = [strip(read_history(tmp_path / name / "history.jsonl")) for name in ("unbroken", "killed")]
    assert both[0] == both[1]


def leaves(workdir):
    import jax

    return jax.tree.leaves(state_of(workdir))


def test_two_processes_train_one_run(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    together = {"JAX_COORDINATOR_ADDRESS": f"127.0.0.1:{port}", "JAX_NUM_PROCESSES": "2", "JAX_PLATFORMS": "cpu"}
    for feed in ("resident", "stream"):
        arguments = [*SMALL, "train.steps=5", "train.save_every=5", f"train.feed={feed}", "--workdir"]
        both = [start([*arguments, str(tmp_path / f"two {feed}")], **together, JAX_PROCESS_ID=str(i)) for i in (0, 1)]
        said = [process.communicate(timeout=300)[0] for process in both]
        assert all(process.returncode == 0 for process in both), said
        train.main([*arguments, str(tmp_path / f"one {feed}")])
        one, two = (tmp_path / f"one {feed}", tmp_path / f"two {feed}")
        losses = [[line["loss"] for line in read_history(run / "history.jsonl")] for run in (one, two)]
        assert losses[0] == pytest.approx(losses[1], rel=1e-3)
        assert apart(state_of(one), state_of(two)) < 1e-3  # They have moved by some hundredths.


def test_calibration_has_seen_the_training_images(run):
    loaded = load_run(run)
    assert float(loaded.state.state.normal.images) == 5
    found = scoring.detect(loaded.detector, loaded.state, np.zeros((1, 64, 64, 1), np.uint8), threshold=1.0)
    assert found.scores.map.shape == (1, 64, 64)
