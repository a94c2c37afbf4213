"""Training from images to a report, at small size; and what is said of bad input."""

import json
import shutil

import numpy as np
import pytest

from jaxdefect import scoring
from launch import train
from launch.run.evaluation import COLUMNS
from launch.run.trained import load_run
from launch.run.warnings import NO_MASKS, NOT_OUTLINED
from tests import tiny
from tests.data_pipeline.folders import mvtec
from tests.launch.small_runs import SMALL, history_of, result_of, rows_of


def test_a_run_leaves_everything_it_promises(run):
    result = result_of(run)
    assert result["dataset"]["counts"] == {"train": 5, "calibration": 1, "test_good": 3, "test_defective": 4}
    assert result["thresholds"]["pixel"]["fitted_on"] and result["versions"]["jax"] and result["hardware"]["platform"]
    assert (run / "report.html").stat().st_size > 10_000
    assert len(list((run / "images").glob("*.npz"))) == 4
    assert any((run / "tensorboard").iterdir())
    assert [line["step"] for line in history_of(run)] == [5, 10, 15, 20]
    assert json.loads((run / "facts.json").read_text()) == {"kinds": []}
    assert not (run / "maps").exists() and not list(run.glob(".maps*"))


def test_figures_agree_with_the_predictions(run):
    result, rows = result_of(run)["figures"]["image"], rows_of(run / "predictions.csv")
    assert list(rows[0]) == list(COLUMNS) and len(rows) == 7
    for row in rows:
        assert int(row["predicted"]) == (float(row["score"]) > float(row["image_threshold"]))
        thresholds = result_of(run)["thresholds"]
        assert float(row["pixel_threshold"]) == thresholds["pixel"]["value"]
    misses = sum(row["label"] == "1" and row["predicted"] == "0" for row in rows)
    false_alarms = sum(row["label"] == "0" and row["predicted"] == "1" for row in rows)
    assert (result["misses"], result["false_alarms"]) == (misses, false_alarms)


def test_of_images_that_pass_no_defects_are_kept_for_the_page(run):
    index = json.loads((run / "images" / "index.json").read_text())
    rows = {row["id"]: row for row in rows_of(run / "predictions.csv")}
    for entry in index:
        mask = np.load(run / "images" / entry["file"])["mask"]
        row = rows[entry["id"]]
        assert mask.sum() == int(row["predicted_pixels"]) * int(row["predicted"])


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


@pytest.mark.drill
def test_tiles_and_scaled_images_give_maps_of_the_original_size(tmp_path):
    small = [*SMALL, "score.mode=tiled", "score.tile=32", "score.overlap=8", "data.scale=0.5", "report.keep_maps=true"]
    train.main([*small, "--workdir", str(tmp_path / "run")])
    assert np.load(tmp_path / "run" / "maps" / "00000.npy", allow_pickle=False).shape == (64, 64)


@pytest.mark.drill
def test_the_stream_feed_trains_too(tmp_path):
    train.main([*SMALL, "train.feed=stream", "--workdir", str(tmp_path / "run")])
    assert result_of(tmp_path / "run")["figures"]["pixel"]["auroc"] is not None


def test_early_stopping_ends_a_run_that_learns_nothing(tmp_path):
    never = [*SMALL, "train.patience=2", "settings.learning_rate=0.0", "train.steps=200", "train.restore=best"]
    train.main([*never, "--workdir", str(tmp_path / "run")])
    assert history_of(tmp_path / "run")[-1]["step"] < 200


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--detector", "renet"], "no detector named 'renet'; did you mean 'renet_d'"),
        (["--preset", "papper"], "no preset 'papper'; did you mean 'paper'"),
        (["train.step=3"], "no field 'train.step'; did you mean 'train.steps'"),
        (["train.steps=many"], "train.steps=many is not of the type of 600"),
        (["train.steps=1.5"], "not of the type"),
        (["report.keep_maps=1"], "not of the type of False"),
        (["steps"], "'steps' is no field=value"),
        (["--dataset", "nanotwise"], "nanotwice"),
        (["data.options.surfacs=(1,)"], "surfaces"),
        (["train.batch=0"], "train.batch=0 is out of its range; give 1 or more"),
        (["train.save_every=7"], "train.save_every = 7 must be a multiple of train.log_every = 5"),
        (["train.patch=100"], "smaller than train.patch = 100"),
        (["train.patch=18"], "multiple of 4"),
        (["train.feed=resedent"], "train.feed=resedent is not known"),
        (["score.mode=tile"], "score.mode=tile is not known; did you mean 'tiled'?"),
        (["settings.losses=l1,sim"], "'sim' is not known; use one of l1"),
        (["settings.kernels=(5,4,3)"], "must be odd and positive, not (5, 4, 3"),
        (["settings.widths=(4,8)"], "differ in length"),
        (["threshold.pixel_rule=paula"], "pauta"),
        (["threshold.image_rule=otsu"], "threshold.image_rule=otsu is not known"),
        (["threshold.pixel=pauta"], "threshold.pixel is called threshold.pixel_rule now"),
        (["train.feed=resident"], "train.feed=resident is called train.feed=in_memory now"),
        (["--detector", "dae_skip"], "no detector 'dae_skip' any more; give --detector dae --preset skip"),
        (["--weights", "gone.pth"], "renet_d has no backbone that takes weights"),
        (["--attributes", "gone.csv"], "renet_d has no attributes of surfaces"),
        (["data.calibration_fraction=0.99"], "calibration"),
    ],
)
def test_bad_settings_are_answered_with_the_remedy(tmp_path, arguments, message):
    with pytest.raises((ValueError, FileNotFoundError)) as caught:
        train.main([*SMALL, "train.steps=5", "train.save_every=5", *arguments, "--workdir", str(tmp_path / "run")])
    assert message in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_calibration_has_seen_the_training_images(run):
    loaded = load_run(run)
    assert float(loaded.state.state.normal.images) == 5
    found = scoring.detect(loaded.detector, loaded.state, np.zeros((1, 64, 64, 1), np.uint8), threshold=1.0)
    assert found.scores.map.shape == (1, 64, 64)


def test_a_table_without_a_row_for_a_surface_is_refused(tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("class,dark,round\nClass1,1,0\nClass2,0,1\n")
    with pytest.raises(
        ValueError, match="no row for surface 'Class10' and 7 more; it has Class1, Class2.*--attributes"
    ):
        train.main(
            ["--detector", "sbad", *tiny.words("sbad"), "--attributes", str(table), "--workdir", str(tmp_path / "r")]
        )


@pytest.fixture
def outlined(tmp_path):
    """(folder in MVTec layout, words that train PHOT on it in a second)."""
    mvtec(tmp_path / "in")
    words = ["--detector", "phot", *tiny.words("phot", synthetic=False), "--dataset", "mvtec"]
    return tmp_path / "in", [*words, "--data", str(tmp_path / "in"), "--workdir", str(tmp_path / "run")]


def test_where_no_defective_image_has_a_mask_images_alone_are_judged(outlined, tmp_path):
    folder, words = outlined
    shutil.rmtree(folder / "ground_truth")
    page = train.main(words).read_text()
    result = result_of(tmp_path / "run")
    assert result["warnings"].count(NO_MASKS) == 1 and page.count(NO_MASKS) == 1
    assert result["figures"]["image"]["auroc"] is not None and result["figures"]["pixel"]["auroc"] is None
    assert {row["defect_pixels"] for row in rows_of(tmp_path / "run" / "predictions.csv")} == {""}
    assert "Pixel AP" not in page and "Pixel ROC" not in page and "Image AUROC" in page


def test_where_some_have_masks_the_remedy_is_named_and_helps(outlined, tmp_path):
    folder, words = outlined
    (folder / "ground_truth" / "crack" / "001_mask.png").unlink()
    with pytest.raises(ValueError, match="001.png: a defective image without a mask.*data.options.allow_unmasked=True"):
        train.main(words)
    train.main([*words, "data.options.allow_unmasked=True"])
    warnings = result_of(tmp_path / "run")["warnings"]
    assert NOT_OUTLINED in warnings and NO_MASKS not in warnings
