"""Every command of the README runs, as written but for the size of the work."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_pipeline.layouts import names
from jaxdefect import detector
from tests import tiny
from tests.documents import commands

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```bash\n(.*?)```", README, re.S)
COMMANDS = [line.split("  #")[0].strip() for block in BLOCKS for line in block.splitlines() if line.strip()]
LONG = "--detector|launch.flaws|--preset paper|launch.prune|launch.two_stage|launch.bench|--quick|train.steps=300"
CASES = [
    pytest.param(command, marks=pytest.mark.drill) if re.search(LONG, command) else command for command in COMMANDS
]
# What makes the work small enough for a test.
QUICK = {
    "launch.sweep": [
        "--seeds=0", "train.steps=2", "train.log_every=1", "train.save_every=2", "train.batch=8", "train.patch=16",
    ],
    "table4": ["settings.block=16", "settings.overlap=4"],
    "launch.flaws": ["--patch=64"],
    "launch.prune": ["--steps=2"],
    "launch.bench": ["--side", "64", "--turns", "1", "--steps", "1", *tiny.words("renet_d")],
    "launch.two_stage": [
        "surfaces.data.options.surfaces=(1,3,6)", "surfaces.data.unseen=Class6",
        *(f"surfaces.{word}" for word in tiny.words("sbad") if "options.surfaces" not in word),
        *(f"defects.{word}" for word in tiny.words("segdec") if "data.options" not in word), "defects.train.steps=5",
    ],
    "pytest": ["--collect-only", "-q"],
}  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A working folder with FOLDER (MVTec layout) and IMAGES."""
    place = tmp_path_factory.mktemp("readme")
    rng = np.random.default_rng(0)
    counts = {"train/good": 4, "test/good": 2, "test/spot": 8}
    for part, count in counts.items():
        for number in range(count):
            image = rng.integers(100, 156, (64, 64), np.uint8)
            target = place / "FOLDER" / part / f"{number:03d}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            if part == "test/spot":
                mask = np.zeros((64, 64), np.uint8)
                mask[20:30, 20:30] = 255
                image[mask > 0] = 250
                truth = place / "FOLDER" / "ground_truth" / "spot" / f"{number:03d}_mask.png"
                truth.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(mask).save(truth)
            Image.fromarray(image).save(target)
    shutil.copytree(place / "FOLDER" / "test", place / "IMAGES")
    return place


def small(command: str) -> list[str]:
    """The words after `python -m` of a command, with less to do."""
    words = shlex.split(command)
    words = words[words.index("python") + 2 :]
    module, extra = words[0], QUICK.get(words[0], [])
    if module == "launch.train":
        detector = words[words.index("--detector") + 1] if "--detector" in words else "nsa"
        extra = tiny.words(detector, synthetic="--dataset" not in words)
    if module == "launch.sweep":
        axis = {"table4": "settings.alpha=0,1", "flaws": "settings.window=0,15"}[words[1]]
        extra = [*([] if "--axis" in words else [f"--axis={axis}"]), *extra, *QUICK.get(words[1], [])]
    if module == "launch.sweep" and "--dataset" not in words:
        extra = [*extra, *(f"data.options.{part}=2" for part in ("train", "test_good", "test_defective"))]
    given = {word.split("=")[0] for word in words} - {"train.steps", "train.patch"}
    return [*words, *(word for word in extra if word.split("=")[0] not in given)]


def test_the_readme_has_commands():
    assert len(COMMANDS) >= 8 and COMMANDS[0] == "./in_venv python -m launch.train"


def train_if_missing(place, tmp_path):
    """What RUN is in the README."""
    if not (place / "RUN").exists():
        trains = next(command for command in COMMANDS if command.endswith("--workdir RUN"))
        assert commands.run(small(trains), cwd=place, output=tmp_path / "trained")[0] == 0


@pytest.mark.parametrize("program", re.findall(r"```python\n(.*?)```", README, re.S))
def test_a_program_of_the_readme_runs(program, place, tmp_path):
    train_if_missing(place, tmp_path)
    done = subprocess.run([sys.executable, "-c", program], cwd=place, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(list((place / "IMAGES").rglob("*.png")))


@pytest.mark.parametrize("command", CASES)
def test_a_command_of_the_readme_runs(command, place, tmp_path):
    # In the order of the README: those that read RUN or SYSTEM find what the command before them left.
    if " RUN" in command and "--workdir RUN" not in command:
        train_if_missing(place, tmp_path)
    words = small(command)
    if words[0] == "pytest":
        done = subprocess.run([sys.executable, "-m", *words], cwd=ROOT, capture_output=True, text=True)
        status, printed = done.returncode, done.stdout + done.stderr
    else:
        status, printed = commands.run(words, cwd=place, output=tmp_path / "output")
    assert status == 0, printed
    if words[0] == "launch.train":
        assert "Report: " in printed


def test_the_environment_script_runs_commands():
    script = ROOT / "in_venv"
    assert script.stat().st_mode & 0o111
    subprocess.run(["bash", "-n", str(script)], check=True)
    assert subprocess.run([str(script)], capture_output=True).returncode == 2


def test_the_readme_names_every_detector_and_dataset():
    table = README.split("## Detectors")[1].split("##")[0]
    assert all(f"`{name}`" in table for name in detector.names())
    assert all(f"`{name}`" in README for name in names())


def test_links_and_images_exist():
    for target in re.findall(r"\]\((?!http)([^)#]+)", README):
        assert (ROOT / target).exists(), target
