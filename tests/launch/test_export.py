"""What the command refuses. That it exports, and decides as before: tests/contract/test_export.py."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from launch import export, train
from launch.exporting import convert
from launch.exporting import export as exporting
from tests.launch.small_runs import whole

LACKING = [name for name in convert.NEEDED if not importlib.util.find_spec(name)]
needs_onnx = pytest.mark.skipif(bool(LACKING), reason=f"{', '.join(LACKING)} not installed")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--size", "512"], "--size 512: give height and width in pixels, such as 512x1250"),
        (["--size", "0x5"], "--size 0x5: give"),
        (["--count", "0"], "--count 0: give how many"),
        (["--tolerance", "2"], "--tolerance 2: give a share"),
    ],
)
def test_wrong_words_are_refused(tmp_path, words, message):
    with pytest.raises(ValueError, match=message):
        export.main([str(tmp_path / "run"), str(tmp_path / "out"), *words])
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not LACKING, reason="all it needs is installed")
def test_without_jax2onnx_the_remedy_is_told(tmp_path):
    with pytest.raises(RuntimeError, match="run JAXDEFECT_EXTRAS=dev,export ./in_venv python -m launch.export RUN OUT"):
        export.main([str(tmp_path / "run"), str(tmp_path / "out")])
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A finished run of a small network."""
    workdir = tmp_path_factory.mktemp("runs") / "cae"
    train.main([*whole("cae"), "--workdir", str(workdir)])
    return workdir


@needs_onnx
@pytest.mark.drill
def test_a_run_leaves_home_or_leaves_nothing(run, tmp_path, monkeypatch):
    out = tmp_path / "out"
    with pytest.raises(ValueError, match="does not decide as the run does .tolerance 1e-12"):
        export.main([str(run), str(out), "--tolerance", "1e-12"])
    with pytest.raises(FileNotFoundError, match="holds no images"):
        export.main([str(run), str(out), "--images", str(tmp_path)])
    assert not list(tmp_path.iterdir())
    told = export.main([str(run), str(out)])
    assert told["parity"]["held_out"]["images"] and told["parity"]["test"]["flipped_decisions"] == 0
    assert {path.name for path in out.iterdir()} == {"model.onnx", "model.json", "detect.py"}
    with pytest.raises(ValueError, match="is not empty; give a new folder"):
        export.main([str(run), str(out)])

    def missing(config):
        raise FileNotFoundError("/images is no folder")

    monkeypatch.setattr(exporting, "open_data", missing)
    with pytest.raises(ValueError, match="is not at hand .*; give images to compare on with --images FOLDER"):
        export.main([str(run), str(tmp_path / "new")])


@pytest.fixture(scope="module")
def python_without_jax(tmp_path_factory) -> Path:
    """The interpreter of an environment with onnxruntime, numpy and Pillow alone, or a skip."""
    place = tmp_path_factory.mktemp("elsewhere")
    subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
    wanted = [f"{name}=={version(name)}" for name in ("onnxruntime", "numpy", "pillow")]
    pip = [str(place / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "-q", *wanted]
    done = subprocess.run(pip, capture_output=True, text=True, env=without_python(os.environ))
    if done.returncode:
        pytest.skip(f"pip could not install {', '.join(wanted)}: {done.stderr.strip().splitlines()[-1]}")
    return place / "bin" / "python"


def without_python(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment that tells a Python nothing of ours."""
    return {name: value for name, value in environment.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}


@needs_onnx
@pytest.mark.drill
def test_the_script_gives_the_masks_of_launch_detect_where_there_is_no_jax(run, python_without_jax, tmp_path):
    from launch import detect

    alone = {"cwd": tmp_path, "env": without_python(os.environ)}
    assert subprocess.run([python_without_jax, "-c", "import jax"], capture_output=True, **alone).returncode

    folder = tmp_path / "images"
    folder.mkdir()
    rng = np.random.default_rng(0)
    size = export.main([str(run), str(tmp_path / "out")])["image"]["size"] or (64, 80)
    for number in range(3):
        image = rng.integers(90, 160, tuple(size), np.uint8)
        image[20:30, 10 * number : 10 * number + 12] = 255
        Image.fromarray(image).save(folder / f"{number}.png")
    detect.main([str(run), str(folder), "--out", str(tmp_path / "ours")])
    words = [python_without_jax, str(tmp_path / "out" / "detect.py"), str(folder), "--out", str(tmp_path / "theirs")]
    subprocess.run(words, check=True, **alone)
    masks = sorted(path.relative_to(tmp_path / "ours") for path in Path(tmp_path / "ours" / "masks").rglob("*.png"))
    assert len(masks) == 3
    for mask in masks:
        ours, theirs = (np.asarray(Image.open(tmp_path / place / mask)) for place in ("ours", "theirs"))
        assert np.mean(ours != theirs) <= 1e-3
