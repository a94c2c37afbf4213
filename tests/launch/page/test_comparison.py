"""The same images under every setting of a sweep."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from launch.page import comparison
from tests.launch.page.sweep_pages import ALPHA, IMAGES, LOSS, fabricate, page_of, store_images, words_of


def decode(uri):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",", 1)[1]))).convert("L"))


def test_the_maps_of_an_image_share_a_scale_over_all_settings(tmp_path):
    results = fabricate(ALPHA)
    store_images(tmp_path, results)
    _, images, notes = comparison.side_by_side(results, tmp_path)
    assert notes == [] and [image["id"] for image in images] == ["test/a/0", "test/b/1"]
    spots = [decode(thumbnail["map"])[25:35, 35:45].mean() for thumbnail in images[0]["thumbnails"].values()]
    values = [images[0]["low"] + spot / 255 * (images[0]["high"] - images[0]["low"]) for spot in spots]
    np.testing.assert_allclose(values, [1.05, 2.05, 3.05, 4.05], atol=0.08)  # Lossy, and noise of 0.1.


def test_the_first_finished_seed_is_shown(tmp_path):
    results = fabricate(ALPHA, status=lambda at, seed: "failed" if seed == 0 and at["alpha"] == "0" else "finished")
    names = [setting["run"]["name"] for setting in comparison.settings_of(results)]
    assert names == ["alpha=0-seed=1", "alpha=0.15-seed=0", "alpha=0.5-seed=0", "alpha=1-seed=0"]


def test_images_of_another_set_do_not_mix_even_under_one_name(tmp_path):
    results = fabricate(LOSS, IMAGES, seeds=(0,))
    store_images(tmp_path, results, ids=("test/a/0",))
    _, images, _ = comparison.side_by_side(results, tmp_path)
    assert [(image["set"], sorted(image["thumbnails"])) for image in images] == [
        ("irregular", [0, 2, 4]), ("regular", [1, 3, 5])
    ]  # fmt: skip


def test_a_thin_scratch_survives_being_shrunk():
    mask = np.zeros((1024, 1024), np.uint8)
    mask[:, 500] = 1
    small = comparison.shrink("mask", mask)
    assert small.shape == (256, 256) and small.any(axis=1).all() and small.any(axis=0).sum() == 1


@pytest.mark.parametrize("gone", ["map", "mask", "truth"])
def test_images_lack_only_what_the_runs_lack(tmp_path, gone):
    results = fabricate(ALPHA, seeds=(0,))
    store_images(tmp_path, results, **{gone: False})
    image = comparison.side_by_side(results, tmp_path)[1][0]
    found = {"map": image["thumbnails"][0]["map"], "mask": image["thumbnails"][0]["mask"], "truth": image["truth"]}
    assert {name for name, uri in found.items() if uri is None} == {gone}


@pytest.mark.parametrize("found", [0, 2])
def test_boxes_of_an_image_do_not_disturb(tmp_path, found):
    results = fabricate(ALPHA, seeds=(0,))
    store_images(tmp_path, results)
    plain = comparison.side_by_side(results, tmp_path)
    for path in tmp_path.glob("runs/*/images/*.npz"):
        np.savez(path, **np.load(path), boxes=np.ones((found, 5), np.float32))
    assert comparison.side_by_side(results, tmp_path) == plain


def test_a_lost_image_is_said_and_costs_only_itself(tmp_path):
    results = fabricate(ALPHA, seeds=(0,))
    store_images(tmp_path, results)
    (tmp_path / "runs" / "alpha=0-seed=0" / "images" / "000.npz").write_bytes(b"PK\x03\x04 half a file")
    (tmp_path / "runs" / "alpha=1-seed=0" / "images" / "index.json").write_text('[{"file": "../0.npz", "id": "x"}]')
    _, images, notes = comparison.side_by_side(results, tmp_path)
    assert sorted(images[0]["thumbnails"]) == [1, 2] and len(notes) == 2
    assert "alpha=0-seed=0/images/000.npz is not shown" in notes[0] + notes[1]
    assert "alpha=0-seed=0/images/000.npz is not shown" in words_of(page_of(results, tmp_path))


def test_maps_of_any_unit_are_shown_by_multiples_of_the_threshold_of_their_run(tmp_path):
    results = fabricate(LOSS, seeds=(0,))
    store_images(tmp_path, results)
    units = dict(zip(("mse", "ssim", "mae+ssim"), (1.0, 1e12, 1e-6), strict=True))
    for loss, unit in units.items():
        run = tmp_path / "runs" / f"loss={loss}-seed=0"
        (run / "result.json").write_text(json.dumps({"thresholds": {"pixel": {"value": 0.5 * unit - 7 * unit}}}))
        for path in (run / "images").glob("*.npz"):
            arrays = dict(np.load(path))
            shown = np.where(arrays["truth"], 1.0, np.linspace(0, 0.25, arrays["truth"].shape[1]))
            np.savez(path, **arrays | {"map": (shown - 7) * unit})
    image = comparison.side_by_side(results, tmp_path)[1][0]
    assert (image["low"], image["high"], image["threshold"]) == (0, comparison.CAP, 1)
    maps = [decode(thumbnail["map"]).astype(int) for thumbnail in image["thumbnails"].values()]
    assert len(maps) == 3 and all(abs(maps[0] - other).mean() < 2 for other in maps[1:])  # Lossy.
    assert maps[0][25:35, 35:45].mean() == pytest.approx(255 * 2 / comparison.CAP, abs=5)  # Twice the threshold.


def test_without_a_threshold_or_with_one_below_everything_maps_still_show(tmp_path):
    for text in ("{", '{"thresholds": {"pixel": {"value": null}}}'):
        (tmp_path / "result.json").write_text(text)
        assert comparison.threshold_of(tmp_path) is None
    values = np.array([[1.0, 2.0, np.inf]])
    assert comparison.in_thresholds(values, 0.5).tolist() == [[comparison.CAP] * 3]
    assert comparison.in_thresholds(values, 1.5).tolist() == [[0, 2, np.inf]]


def test_another_image_of_the_same_name_is_not_passed_off_as_the_same(tmp_path):
    results = fabricate(LOSS, seeds=(0,))
    store_images(tmp_path, results, ids=("a",))
    paths = sorted(tmp_path.glob("runs/*/images/000.npz"))
    coloured, other = dict(np.load(paths[1])), dict(np.load(paths[2]))
    np.savez(paths[1], **coloured | {"image": np.repeat(coloured["image"], 3, -1)})  # As another detector sees it.
    np.savez(paths[2], **other | {"image": other["image"][::-1]})
    _, (image,), notes = comparison.side_by_side(results, tmp_path)
    assert len(image["thumbnails"]) == 2 and len(notes) == 1 and "another image of the name a" in notes[0]


def test_images_that_most_settings_stored_come_first(tmp_path):
    stored = {("", "a"): {0: None}, ("", "b"): {0: None, 1: None}, ("other", "c"): {2: None}}
    assert comparison.choose(stored, 3) == [("", "b"), ("", "a"), ("other", "c")]
