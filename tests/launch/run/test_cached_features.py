"""Features on disk score as the images do."""

import numpy as np

from launch import train
from launch.run.data import open_data
from launch.run.prediction import detect_image, each
from launch.run.trained import load_run


def test_features_on_disk_score_as_the_images_do_and_serve_all_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("JAXDEFECT_CACHE", str(tmp_path / "cache"))
    common = ["--detector", "nearest_mean", "--preset", "tiny", "settings.backbone_steps=0", "data.per_surface=4"]
    train.main([*common, "--workdir", str(tmp_path / "one")])
    (kept,) = (tmp_path / "cache" / "features").iterdir()
    written = kept.stat().st_mtime_ns
    train.main([*common, "data.unseen=Class1,Class2", "seed=1", "--workdir", str(tmp_path / "two")])
    assert kept.stat().st_mtime_ns == written or len(list(kept.parent.iterdir())) == 1
    run = load_run(tmp_path / "one")
    data = open_data(run.config)
    split = data.converted.test.part(range(5))
    cached = [found.score for found in each(run, data, split)]
    whole = [detect_image(run, s.image, s.image.shape[:2], tiles=None, level=None, min_area=0).score for s in split]
    np.testing.assert_allclose(cached, whole, rtol=1e-3)
    kept.write_bytes(kept.read_bytes()[:100])  # Damaged: made anew.
    np.testing.assert_allclose([found.score for found in each(run, data, split)], cached, rtol=1e-5)
