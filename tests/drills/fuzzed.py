"""Files and words that nobody would give on purpose, for processes of their own that they may end.

Each drill writes a line of a name and, once it is over, what was unsound: the last name tells what a process died of.
"""

import json
import os
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import h5py
import numpy as np

from data_pipeline import images
from jaxdefect.backbones import weights
from launch.command import choices
from tests.data_pipeline import fuzzing
from tests.data_pipeline.test_images_hostile import told
from tests.drills.damage import say
from tests.jaxdefect.backbones.weight_files import draw, save
from tests.launch.small_runs import SMALL

LONGEST = 20  # seconds of the processor for a file, of up to 89 million pixels
MOST = 12e9  # bytes of a process that is given odd words
VALUES = (
    "-1", "0", "1", "2", "0.5", "-0.0", "nan", "inf", "1e400", "1e9", "99999999", "18446744073709551616", "''", "",
    "()", "(0,)", "(-1, 2)", "1,2", "None", "True", "foo", "é", "[1]", "{}", "__import__('os')",
)  # fmt: skip

Drills = Iterator[tuple[str, Callable[[], str]]]  # (name, a drill that returns what is unsound, or "")


def run(family: Callable[[Path, Random], Drills], place: Path, seed: str, record: Path) -> None:
    """Runs the drills of a family and records each in a file."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # Decoders tell there what is damaged.
    with record.open("w") as file:
        for name, drill in family(place, Random(seed)):
            file.write(json.dumps(name) + "\t")
            file.flush()
            begun = time.process_time()
            try:
                wrong = drill()
            except BaseException as error:
                wrong = repr(error)
            seconds = time.process_time() - begun
            file.write(json.dumps(wrong or (f"{seconds:.0f} s" if seconds > LONGEST else "")) + "\n")
            file.flush()


def damaged_images(place: Path, random: Random) -> Drills:
    """Each is read by all ways into an image, or refused by one error that names it."""
    rng, path = np.random.default_rng(random.getrandbits(32)), place / "x.png"
    whole = fuzzing.whole() | fuzzing.whole(fuzzing.FOREIGN) | {"PostScript": fuzzing.POSTSCRIPT}
    ways = images.read_image, images.read_mask, images.upright_size, images.about
    for name, content in whole.items():

        def drill(content=content) -> str:
            path.write_bytes(fuzzing.damaged(content, rng))
            for way in ways:
                told(path, way)
            return ""

        yield name, drill


def damaged_weights(place: Path, random: Random) -> Drills:
    """Each is read, and no larger than it is, or refused by one error that names it."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    rng = np.random.default_rng(random.getrandbits(32))
    for path in (hdf5(place / "whole.h5"), safetensors(place / "whole.safetensors")):
        content, sick = path.read_bytes(), place / f"x{path.suffix}"

        def drill(content=content, sick=sick) -> str:
            sick.write_bytes(fuzzing.damaged(content, rng))
            try:
                read = weights.read(sick)
            except ValueError as error:
                return "" if str(sick) in str(error) and "; " in str(error) else f"unclear: {error}"
            return "" if sum(value.nbytes for value in read.values()) <= 4 * len(content) else "more than it holds"

        for number in range(50):
            yield f"{path.name} {number}", drill


def hdf5(path: Path) -> Path:
    with h5py.File(path, "w") as file:
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = np.array([b"conv1", b"conv2"])
        for layer in ("conv1", "conv2"):
            group[f"{layer}/{layer}_W"], group[f"{layer}/{layer}_b"] = draw(3, 3, 3, 8), draw(8)
    return path


def safetensors(path: Path) -> Path:
    return save(path, {"conv1.weight": draw(8, 3, 3, 3), "conv1.bias": draw(8), "half": draw(9).astype(np.float16)})


def odd_words(place: Path, random: Random) -> Drills:
    """A training with a field set to anything: it trains, or one error names the field or its value."""
    resource.setrlimit(resource.RLIMIT_DATA, (int(MOST), int(MOST)))
    fields = [field for field in choices.fields("renet_d") if field != "train.steps"]
    for number in range(6):
        field, value = random.choice(fields), random.choice(VALUES)

        def drill(number=number, field=field, value=value) -> str:
            said = say("train", *SMALL, f"{field}={value}", "--workdir", str(place / str(number)))
            text = said.text.replace("\n", " ")
            if said.status not in (0, 1, 2) or "Traceback" in text:
                return f"a traceback: {text}"
            named = field in text or field.rpartition(".")[2] in text or (value and value in text)
            return "" if not said.status or named else f"not named: {text}"

        yield f"{field}={value}", drill
