"""What check_data passes, training and detection take."""

import numpy as np
import pytest

import data_pipeline
from data_pipeline import images
from launch import check_data, detect, train
from tests import tiny
from tests.data_pipeline.odd_folders import odd_folder
from tests.launch.small_runs import rows_of


def taken(root) -> str:
    """Why training would not take a folder, by reading all of it; "" where it would."""
    try:
        dataset = data_pipeline.load("mvtec", root=root, cache=False)
        for split in (dataset.train, dataset.calibration, dataset.test, dataset.defective):
            for index in range(len(split)):
                assert split[index].image.shape[:2] == (split.records[index].height, split.records[index].width)
        for path in (path for folder in ("train", "test") for path in (root / folder).rglob("*")):
            if images.is_image(path) and path.is_file():
                images.read_image(path)
    except (OSError, ValueError) as error:
        assert str(error).rpartition("; ")[0], error  # What is wrong; what to do.
        return str(error)
    return ""


@pytest.mark.parametrize("seed", range(60))
def test_what_it_passes_can_be_read_and_divided(tmp_path, capsys, seed):
    odd = odd_folder(tmp_path / "set", np.random.default_rng(seed))
    status, refused = check_data.main([str(tmp_path / "set")]), taken(tmp_path / "set")
    said = capsys.readouterr().out
    assert status or not refused, f"{odd}: {refused}\n{said}"
    assert all(line.isprintable() for line in said.splitlines())


@pytest.mark.drill
@pytest.mark.parametrize("seed", range(100, 112))
def test_what_it_passes_is_trained_on_and_looked_at(tmp_path, capsys, seed):
    root, rng = tmp_path / "set", np.random.default_rng(seed)
    odd = odd_folder(root, rng)
    while check_data.main([str(root)]):
        root = root.with_name(f"{root.name}+")
        odd = odd_folder(root, rng)
    words = ["--detector", "dct", *tiny.words("dct"), "--dataset", "mvtec", "--data", str(root)]
    train.main([*words, "--workdir", str(tmp_path / "run")])
    assert detect.main([str(tmp_path / "run"), str(root / "test"), "--out", str(tmp_path / "out")]) == 0, odd
    rows = rows_of(tmp_path / "out" / "detections.csv")
    there = [path for path in (root / "test").rglob("*") if images.is_image(path) and path.is_file()]
    assert len(rows) == len(there) and not any(row["error"] for row in rows)
    assert not any(row["image"].startswith(("=", "+", "-", "@")) or not row["image"].isprintable() for row in rows)
