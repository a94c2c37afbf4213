"""The folder of a run: its name, its lock, its config.json."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from ml_collections import ConfigDict

from jaxdefect import parallel
from launch.command import configuration, files

LEARNED = ("checkpoints", "calibrated")  # folders of a run with a folder for each step


def default_workdir(config: ConfigDict) -> Path:
    """runs/<detector>-<preset>-<dataset>-<seed>."""
    name = Path(config.data.root).name if config.data.root else ""
    return Path("runs") / "-".join(
        filter(None, (config.detector, config.preset, config.data.name, name, str(config.seed)))
    )


@contextlib.contextmanager
def open_workdir(config: ConfigDict, workdir: Path) -> Iterator[None]:
    """Holds the folder of a run, refuses that of another config, writes config.json."""
    if not parallel.is_main():
        yield
        return
    with files.locked(workdir):
        # Else nothing is lost: an earlier start failed before it trained.
        if any(path.is_dir() for part in LEARNED for path in (workdir / part).glob("*")):
            configuration.check_same(config, workdir / "config.json")
        with files.replacing(workdir / "config.json") as file:
            file.write(configuration.to_json(config))
        yield
