"""A prepared dataset with bytes changed anywhere: what is read from it is what its images hold."""

import time

import numpy as np
import pytest

import data_pipeline
from tests.data_pipeline.folders import load, mvtec
from tests.data_pipeline.fuzzing import damaged
from tests.data_pipeline.test_prepared import mended

pytestmark = pytest.mark.drill
SECONDS = 10


def test_damages_at_random_are_mended(tmp_path):
    rng, root, cache = np.random.default_rng(), mvtec(tmp_path / "set"), tmp_path / "cache"
    direct = load("mvtec", root)
    data_pipeline.load("mvtec", root=root, cache=cache)
    tried, told, end = 0, 0, time.monotonic() + SECONDS
    while time.monotonic() < end:

        def change(files):
            path = files[sorted(files)[rng.integers(len(files))]]
            path.write_bytes(damaged(path.read_bytes(), rng))

        told += mended(change, root, cache, direct)
        tried += 1
    print(f"{tried} tried, {told} told")
    assert tried > 5 and told > tried / 4
