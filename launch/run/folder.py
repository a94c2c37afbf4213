"""The folder of a run: its name, its lock, config.json, result.json, and whether its files belong together.

result.json is written last. It tells the SHA-256 of every other file of its evaluation and carries a seal of its own,
so that a damaged file, or one of an evaluation that was cut off, is noticed.
"""

import contextlib
import hashlib
import json
import shlex
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from jaxdefect import parallel
from jaxdefect.training.checkpoint import seal
from launch.command import configuration, files
from launch.command.console import warn

LEARNED = ("checkpoints", "calibrated")  # folders of a run with a folder for each step
CONFIG, COPY = "config.json", ".config"
FACTS = "facts.json"  # what `facts_of` found in the data
RESULT, PREDICTIONS, IMAGES, MAPS = "result.json", "predictions.csv", "images", "maps"
SCRATCH = ".maps."  # how the folder of maps begins that an evaluation needs while it runs


def default_workdir(config: ConfigDict) -> Path:
    """runs/<detector>-<preset>-<dataset>-<seed>."""
    name = Path(config.data.root).name if config.data.root else ""
    return Path("runs") / "-".join(
        filter(None, (config.detector, config.preset, config.data.name, name, str(config.seed)))
    )


@contextlib.contextmanager
def open_workdir(config: ConfigDict, workdir: Path) -> Iterator[None]:
    """Holds the folder of a run, refuses that of another config, clears up after a killed process, writes config.json.

    Where an error comes before anything was trained, a folder made for it goes again. Raises InUse where another
    process holds it.
    """
    if not parallel.is_main():
        yield
        return
    with held(workdir):
        # Else nothing is lost: an earlier start failed before it trained.
        if any(path.is_dir() for part in LEARNED for path in (workdir / part).glob("*")):
            check_same(config, workdir)
        write_config(workdir, config)
        yield


@contextlib.contextmanager
def held(workdir: Path) -> Iterator[None]:
    """Holds the folder of a run against other processes and removes what a killed one left half done."""
    with files.locked(workdir, written_first=(CONFIG, COPY, FACTS, *LEARNED)):
        for orphan in workdir.glob(f"{SCRATCH}*"):
            shutil.rmtree(orphan, ignore_errors=True)
        yield


def write_config(workdir: Path, config: ConfigDict) -> None:
    """Writes config.json twice, for without it nothing else in the folder could be used: the copy is sealed."""
    text = configuration.to_json(config)
    for name, content in ((COPY, f"{_sha256(text)}\n{text}"), (CONFIG, text)):
        with files.replacing(workdir / name) as file:
            file.write(content)


def read_config(workdir: Path) -> ConfigDict:
    """The config of a run, from its copy where config.json is lost or damaged.

    Raises FileNotFoundError where there is none, ValueError where it cannot be read or was changed.
    """
    path, copy = workdir / CONFIG, _copy(workdir)
    kept = configuration.from_dict(json.loads(copy)) if copy else None
    try:
        config = configuration.read(path)
        differing = configuration.differing(kept, config) if kept else []
    except Exception as error:  # Whatever JSON of other types leads to.
        if kept:
            warn(f"{path.name} of this run is missing or damaged; its copy {COPY} is used")
            return kept
        if isinstance(error, (FileNotFoundError, ValueError)):
            raise
        raise ValueError(
            f"{path} is no config ({error!r}); put a copy in its place, or train again in a new folder"
        ) from error
    if differing:
        raise ValueError(f"{path} is not as it was written ({'; '.join(differing)}). To undo that, delete it, and its "
                         f"copy is used: rm {shlex.quote(str(path))}")  # fmt: skip
    return config


def _copy(workdir: Path) -> str | None:
    """The text of config.json as it was written; None where that is lost."""
    try:
        sha256, _, text = (workdir / COPY).read_text(encoding="utf-8").partition("\n")
        return text if sha256 == _sha256(text) else None
    except (OSError, ValueError):
        return None


def check_same(config: ConfigDict, workdir: Path) -> None:
    """Raises ValueError if the run in this folder was made by another config, naming the fields that differ."""
    try:
        kept = read_config(workdir)
    except FileNotFoundError:
        raise ValueError(f"{workdir} holds a training, but no {CONFIG} that tells its settings; put that back, give "
                         "another --workdir, or delete that folder") from None  # fmt: skip
    if differing := configuration.differing(kept, config):
        raise ValueError(f"{workdir} holds a run of another config ({'; '.join(differing)}); "
                         "give another --workdir, or delete that folder")  # fmt: skip


def training_command(config: ConfigDict, workdir: Path) -> str:
    """What to type to train the run of a folder, or to have what is damaged in it made anew."""
    try:
        command = configuration.command(config)
    except ValueError:  # Its preset was another version's.
        command = f"python -m launch.train with the fields of {shlex.quote(str(workdir / CONFIG))}"
    return f"{command} --workdir {shlex.quote(str(workdir))}"


def evaluation_command(workdir: Path) -> str:
    """What to type to have the files of an evaluation written anew."""
    return f"python -m launch.evaluate {shlex.quote(str(workdir))}"


def write_result(workdir: Path, result: dict[str, Any]) -> dict[str, Any]:
    """Writes result.json with the digests of the evaluation's other files and a seal. Returns it as it was written."""
    parts = [workdir / CONFIG, workdir / PREDICTIONS, *(workdir / IMAGES).glob("*"), *(workdir / MAPS).glob("*")]
    digests = {str(path.relative_to(workdir)): digest(path) for path in sorted(parts) if path.is_file()}
    result = files.as_json(result | {"files": digests})
    result["seal"] = seal(result)
    files.write_json(workdir / RESULT, result)
    return result


def read_result(workdir: Path, *, remedy: str = "") -> dict[str, Any]:
    """result.json of a finished run, or of something else that this command makes anew.

    Raises FileNotFoundError, or ValueError where it is not as it was written.
    """
    path, remedy = workdir / RESULT, remedy or evaluation_command(workdir)
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; run {remedy}, which writes it")
    try:
        result = json.loads(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} is not valid JSON ({error}); run {remedy}, which writes it anew") from None
    wrong = ""
    if not isinstance(result, dict):
        wrong = f"holds a {type(result).__name__} where an object is asked for"
    elif "seal" in result and result["seal"] != seal({key: result[key] for key in result if key != "seal"}):
        wrong = "was changed after it was written"  # Results of earlier versions have no seal.
    if wrong:
        raise ValueError(f"{path} {wrong}; run {remedy}, which writes it anew")
    return result


class Thresholds(NamedTuple):
    """Thresholds of a run, and how the images they were fitted on were scored: in tiles (size, overlap) or whole."""

    pixel: float | None  # None: Otsu's of each image, or a detector without a map
    image: float
    tiles: tuple[int, int] | None


def read_thresholds(folder: Path) -> Thresholds:
    """The thresholds of a run. Raises FileNotFoundError or ValueError where it was not evaluated by this version."""
    path, result = folder / RESULT, read_result(folder)
    if changed(folder, result, only=(CONFIG,)):
        raise ValueError(f"{folder / CONFIG} is of another evaluation than {RESULT}, or damaged; run "
                         f"{evaluation_command(folder)}, which makes them one")  # fmt: skip
    try:
        fitted, tiles = result["thresholds"], result["tiles"]
        return Thresholds(fitted["pixel"]["value"], float(fitted["image"]["value"]), tiles and tuple(tiles))
    except (ValueError, KeyError, TypeError) as error:
        remedy = f"run {evaluation_command(folder)}, which writes it anew"
        raise ValueError(f"{path} is damaged or of another version ({error!r}); {remedy}") from error


def changed(workdir: Path, result: dict[str, Any], *, only: Sequence[str] = ()) -> list[str]:
    """The files (all, or only these) that are not as the evaluation of this result left them, or not there."""
    digests = result.get("files") or {}  # Those of earlier versions tell none.
    copy = _sha256(_copy(workdir) or "")  # `read_config` may have read that one.
    return [name for name in only or digests if name in digests and digests[name] != digest(workdir / name)
            and not (name == CONFIG and digests[name] == copy)]  # fmt: skip


def digest(path: Path) -> str | None:
    """SHA-256 of a file; None where there is none."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
