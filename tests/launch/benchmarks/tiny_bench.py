"""`launch.bench` at the sizes of tests: what the rehearsal of a page of all benchmarks runs in its place."""

import functools
import json
import sys
from types import SimpleNamespace

from launch import bench
from launch.benchmarks import folder, frechet, metrics, presets
from launch.command import configuration
from tests import tiny

DETECTORS = ("renet_d", "segdec", "padim")
SMALL = ["--turns", "1", "--runs", "2", "--steps", "2", "--side", "48"]  # The last of a word that comes twice counts.


def main(words: list[str]) -> None:
    """Runs the words of a part with less to do."""
    get = lambda name, preset: tiny.config(name)
    shrunk = SimpleNamespace(**vars(configuration) | {"get": get})
    frechet.configuration = folder.configuration = shrunk
    frechet.CASES = {"64 x 64, preset small": (20, 30)}
    folder.bench_folder = functools.partial(folder.bench_folder, count=2, size=(64, 80), detectors=[("padim", "small")])
    metrics.bench_metrics = functools.partial(metrics.bench_metrics, images=2)
    which = [(name, "paper") for name in DETECTORS]
    presets.bench_presets = functools.partial(presets.bench_presets, which=which, get=get)
    fields = tiny.words("renet_d") if "--sweep" in words or "--against" in words or "paper" in words[:2] else []
    if "--detector" in words or "--presets" in words:
        fields = []
    result = bench.main([*words, *SMALL, *fields])
    assert json.dumps(result)


if __name__ == "__main__":
    main(sys.argv[1:])
