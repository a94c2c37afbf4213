"""Every command of the README, of docs/commands.md and of the guides runs, as written but for the size of the work."""

import importlib
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
from launch.command.arguments import from_arguments
from tests import tiny
from tests.documents import commands

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
TOUR = DOCS / "tour.md"
PAGES = [ROOT / "README.md", DOCS / "commands.md", *sorted((DOCS / "guides").glob("*.md"))]
TEXT = "\n".join(page.read_text() for page in PAGES)
BLOCKS = re.findall(r"```bash\n(.*?)```", TEXT + TOUR.read_text(), re.S)
LINES = [line.split("  #")[0].strip() for block in BLOCKS for line in block.splitlines() if line.strip()]
ELSEWHERE = (
    "^source |launch.export|--launcher slurm|--layout nanotwice|--dataset nanotwice"  # What is not here is asked for.
)
COMMANDS = [line for line in dict.fromkeys(LINES) if not re.search(ELSEWHERE, line)]
QUICKLY = "pytest|launch.check_data|jaxdefect (list|show)"  # That others are understood is tested, too.
CASES = [
    command if re.search(QUICKLY, command) else pytest.param(command, marks=pytest.mark.drill) for command in COMMANDS
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
    "pytest": ["--collect-only", "-n", "0", "tests/documents"],
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
    words = ["jaxdefect", *words[1:]] if words[0] == "jaxdefect" else words[words.index("python") + 2 :]
    words = ["train.corrupt=stain" if word == "train.corrupt=all" else word for word in words]  # Each kind compiles.
    module, extra = words[0], QUICK.get(words[0], [])
    if module == "launch.train":
        detector = words[words.index("--detector") + 1] if "--detector" in words else "nsa"
        extra = tiny.words(detector, synthetic="--dataset" not in words)
    if module == "launch.sweep":
        axis = {"table4": "settings.alpha=0,1", "flaws": "settings.window=0,15"}.get(words[1])
        extra = [*([] if "--axis" in words or not axis else [f"--axis={axis}"]), *extra, *QUICK.get(words[1], [])]
    if module == "launch.sweep" and "--dataset" not in words:
        extra = [*extra, *(f"data.options.{part}=2" for part in ("train", "test_good", "test_defective"))]
    given = {word.split("=")[0] for word in words} - {"train.steps", "train.patch"}
    return [*words, *(word for word in extra if word.split("=")[0] not in given)]


def test_the_readme_has_commands():
    assert len(COMMANDS) >= 8 and COMMANDS[0] == "./in_venv python -m launch.train"


def train_if_missing(place, tmp_path, name="RUN"):
    """What RUN, or another name of a run, is in the README."""
    if not (place / name).exists():
        trains = next(command for command in COMMANDS if command.endswith(f"--workdir {name}"))
        assert commands.run(small(trains), cwd=place, output=tmp_path / "trained")[0] == 0


@pytest.mark.drill
@pytest.mark.parametrize("program", re.findall(r"```python\n(.*?)```", TEXT, re.S))
def test_a_program_of_the_readme_runs(program, place, tmp_path):
    train_if_missing(place, tmp_path)
    done = subprocess.run([sys.executable, "-c", program], cwd=place, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(list((place / "IMAGES").rglob("*.png")))


@pytest.mark.drill
def test_the_tour_runs_from_its_first_block_to_its_last(place, tmp_path):
    run, *programs = re.findall(r"```(?:bash|python)\n(.*?)```", TOUR.read_text(), re.S)
    assert run.strip() == COMMANDS[0] and len(programs) == 6
    if not (place / "runs").exists():
        assert commands.run(small(run), cwd=place, output=tmp_path / "trained")[0] == 0
    done = subprocess.run([sys.executable, "-c", "\n".join(programs)], cwd=place, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("score ") and done.stdout.splitlines()[-1].startswith("image AUROC ")
    for name in ("found", "scores"):
        drawn, shown = Image.open(place / f"{name}.png"), Image.open(DOCS / f"tour_{name}.png")
        assert drawn.size == shown.size


@pytest.mark.parametrize("command", CASES)
def test_a_command_of_the_readme_runs(command, place, tmp_path):
    # In the order of the pages: those that read RUN or SYSTEM find what the command before them left.
    for name in re.findall(r"(?<!--workdir )\b(?:RUN|SUPERVISED|FIVE)\b", command):
        train_if_missing(place, tmp_path, name)
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


@pytest.mark.parametrize("command", [line for line in LINES if not line.startswith("source ")])
def test_a_command_is_understood_by_its_parser(command):
    """Those that need what is not here, too; and every field that is set exists and may have its value."""
    words = shlex.split(command)
    module, *words = words[words.index("python") + 2 :] if "python" in words else [f"launch.{words[1]}", *words[2:]]
    if module == "pytest":
        return
    parsed = importlib.import_module(module).parser().parse_intermixed_args(words)
    if module == "launch.train":
        from_arguments(parsed)


def test_the_commands_page_names_every_dataset():
    text = (DOCS / "commands.md").read_text()
    assert all(f"`{name}`" in text for name in names())


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))], ids=lambda page: page.stem
)
def test_links_and_images_exist(page):
    for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_the_index_has_every_page_and_the_readme_leads_to_the_index():
    linked = {(DOCS / target).resolve() for target in re.findall(r"\]\(([^)#]+)", (DOCS / "index.md").read_text())}
    assert {*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"} - {DOCS / "index.md"} == linked
    assert "(docs/index.md)" in (ROOT / "README.md").read_text()
