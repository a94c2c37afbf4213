"""Memory is asked first, and a large image takes little of it.

`pytest -s` shows the figures.
"""

import os
import subprocess
import sys

import pytest

from jaxdefect import parallel
from launch import train
from tests import tiny
from tests.launch.small_runs import SMALL

pytestmark = pytest.mark.drill

LARGE = """
import sys, time
from pathlib import Path
from launch.command import start
start.devices()
import numpy as np
from data_pipeline import images
from launch.benchmarks.folder import untrained, surface
from launch.command import configuration
from launch.run.data import settle
# Not ru_maxrss, in which the process counts that started this one.
used = lambda: 1024 * int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
folder, side = Path(sys.argv[1]), int(sys.argv[2])
(folder / "small.png").write_bytes(images.png(surface(0, (256, 256))))
opened = untrained(settle(configuration.get("nsa", None)), folder)
image = np.resize(surface(1, (500, 500)), (side, side, 1))  # Quickly drawn, and in little memory.
before = used()
begun = time.monotonic()
found = opened.judge(opened.predict(image))
assert found.mask.shape == image.shape[:2]
print(f"{side} x {side}: {used() / 1e9:.2f} GB at the most, {before / 1e9:.2f} of it before, "
      f"{time.monotonic() - begun:.0f} s")
print(used())
"""


MANY = """
import sys
from pathlib import Path
from launch.command import start
start.devices()
from data_pipeline import images
from launch.benchmarks.folder import surface
from launch.run.detection import detections
from launch.run.inference import open_run
used = lambda: int(Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0]) / 1e3
run, folder, how, count = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
opened, some = open_run(run), [surface(seed, (32, 32)) for seed in range(8)]
if how == "stream":
    found = opened.stream(some[number % 8] for number in range(count))
else:
    for number in range(count):
        (folder / f"{number:05d}.png").write_bytes(images.png(some[number % 8]))
    found = detections(opened, folder, sorted(folder.iterdir()), folder / "out", None, set())
for number, _ in enumerate(found):
    if number == count // 10:
        before = used()
print(used() - before)
"""


def test_a_state_beyond_the_memory_is_refused_before_it_is_made(tmp_path, monkeypatch):
    monkeypatch.setattr(parallel, "free_memory", lambda: 16e9)
    words = [*SMALL, "settings.residual=ssim*nearest", "settings.bank=99999999", "--workdir", str(tmp_path / "run")]
    with pytest.raises(ValueError, match="takes .* GB, and 16.0 GB are free: of its .*bank.* lower the setting"):
        train.main(words)


@pytest.mark.parametrize(
    "words, said",
    [
        (["train.batch=99999999"], r"train.batch = 99999999 of 16 x 16 pixels takes .* GB, .* use train.batch=\d+"),
        (["train.batch=65536"], r"train.batch = 65536 takes .* GB, and .* GB are free; use train.batch=\d+"),
    ],
    ids=lambda part: part[0] if isinstance(part, list) else "",
)
def test_settings_beyond_the_memory_are_refused_before_anything_is_trained(tmp_path, monkeypatch, words, said):
    monkeypatch.setattr(parallel, "free_memory", lambda: 1e9)
    with pytest.raises(ValueError, match=said):
        train.main([*SMALL, *words, "--workdir", str(tmp_path / "run")])
    assert not list((tmp_path / "run").rglob("checkpoints/*")) and not (tmp_path / "run" / "result.json").exists()


def test_wide_networks_are_refused_before_they_are_made(tmp_path, monkeypatch):
    monkeypatch.setattr(parallel, "free_memory", lambda: 4e9)
    words = [*SMALL, "settings.widths=(9999, 9999, 9999)", "--workdir", str(tmp_path / "run")]
    with pytest.raises(ValueError, match="takes .* GB, and 4.0 GB are free: of its .* numbers; lower the setting"):
        train.main(words)


def test_images_of_64_million_pixels_take_less_than_4_gb(tmp_path):
    as_users_do = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}  # Tests compile otherwise.
    words = [sys.executable, "-c", LARGE, tmp_path, "8000"]
    done = subprocess.run(words, capture_output=True, text=True, env=as_users_do)
    assert done.returncode == 0, done.stderr[-2000:]
    print(done.stdout)
    assert float(done.stdout.split()[-1]) < 4e9


@pytest.mark.parametrize("how, count", [("stream", 10000), ("detect", 3000)])
def test_memory_is_flat_over_many_images(how, count, tmp_path):
    train.main(["--detector", "dct", *tiny.words("dct"), "--workdir", str(tmp_path / "run")])
    (tmp_path / "in").mkdir()
    words = [sys.executable, "-c", MANY, tmp_path / "run", tmp_path / "in", how, str(count)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert float(done.stdout.split()[-1]) < 8, "MB; a map of each of 3000 images would be 12"
