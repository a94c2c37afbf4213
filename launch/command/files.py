"""Files that appear whole or not at all."""

import contextlib
import fcntl
import io
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from data_pipeline import images


@contextlib.contextmanager
def replacing(path: Path, mode: str = "w") -> Iterator:
    """Opens a temporary file beside `path` that takes its place at the end, or vanishes after an error.

    Raises OSError, naming the file and the remedy, where it can't be written.
    """
    newline = {} if "b" in mode else {"newline": "", "encoding": "utf-8"}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, mode, **newline) as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.chmod(name, 0o644)
            os.replace(name, path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)
            raise
    except OSError as error:
        raise OSError(
            f"could not write {path} ({error.strerror or error}); free space or fix the permissions there, then run "
            "the same command again"
        ) from error


class InUse(RuntimeError):
    """Another process is writing in the folder."""


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds a folder against a second process. Raises InUse if another one is writing there."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise InUse(f"{folder} is in use by another process; wait for it or give another --workdir") from error
        yield


def write_json(path: Path, value: Any) -> None:
    """Writes JSON atomically; NaN and infinities are not JSON and become null."""
    clean = json.loads(json.dumps(value), parse_constant=lambda text: None)
    with replacing(path) as file:
        json.dump(clean, file, indent=2, allow_nan=False)


def write_png(path: Path, array: np.ndarray) -> None:
    """Writes uint8 [H, W] or [H, W, 3] atomically."""
    write_bytes(path, images.png(array if array.ndim == 3 else array[..., None]))


def write_arrays(path: Path, **arrays: np.ndarray) -> None:
    """Writes a compressed .npz atomically."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    write_bytes(path, buffer.getvalue())


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file atomically."""
    with replacing(path, "wb") as file:
        file.write(content)
