"""Features on disk score as the images do."""

import numpy as np
import pytest

from launch import train
from launch.run.data import open_data
from launch.run.prediction import predictor_of
from launch.run.predictions import predict
from launch.run.trained import load_run
from tests import tiny


@pytest.mark.drill
def test_features_on_disk_score_as_the_images_do_and_serve_all_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("JAXDEFECT_CACHE", str(tmp_path / "cache"))
    common = ["--detector", "nearest_mean", *tiny.words("nearest_mean"), "settings.backbone_steps=0"]
    common.append("data.per_surface=4")
    train.main([*common, "--workdir", str(tmp_path / "one")])
    (kept,) = (tmp_path / "cache" / "features").iterdir()
    written = kept.stat().st_mtime_ns
    train.main([*common, "data.unseen=Class1,Class2", "seed=1", "--workdir", str(tmp_path / "two")])
    assert kept.stat().st_mtime_ns == written or len(list(kept.parent.iterdir())) == 1
    run = load_run(tmp_path / "one")
    data = open_data(run.config)
    predictor, split = predictor_of(run, data), data.converted.test.part(range(5))
    cached = predict(predictor, data, split, tmp_path / "cached").scores
    np.testing.assert_allclose(cached, [predictor(sample.image).score for sample in split], rtol=1e-3)
    kept.write_bytes(kept.read_bytes()[:100])  # Damaged: made anew.
    np.testing.assert_allclose(predict(predictor, data, split, tmp_path / "anew").scores, cached, rtol=1e-5)
