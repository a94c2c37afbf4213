"""Files that appear whole or not at all."""

import contextlib
import errno
import fcntl
import io
import json
import os
import shutil
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_pipeline import images

LOCK = ".lock"


@contextlib.contextmanager
def replacing(path: Path, mode: str = "w") -> Iterator:
    """Opens a temporary file beside `path` that takes its place at the end, or vanishes after an error.

    That of a killed process is overwritten by the next one that writes the same file. Raises OSError, naming the file
    and the remedy, where it can't be written.
    """
    newline = {} if "b" in mode else {"newline": "", "encoding": "utf-8", "errors": "backslashreplace"}
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.tmp")
        with os.fdopen(_claim(temporary), mode, **newline) as file:
            try:
                yield file
                file.flush()
                os.fsync(file.fileno())
                os.replace(temporary, path)  # While it is held: nobody else may empty it before.
            except BaseException:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(temporary)
                raise


def _claim(path: Path) -> int:
    """Opens an empty file for writing that no other process has open, waiting for one that has."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        with contextlib.suppress(OSError):  # Some file systems know no locks.
            fcntl.flock(handle, fcntl.LOCK_EX)
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle), os.stat(path)):
                os.ftruncate(handle, 0)
                os.fchmod(handle, 0o644)
                return handle
        os.close(handle)  # Another process has put it in its place meanwhile.


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Makes an OSError name the file that could not be written, and the remedy."""
    try:
        yield
    except OSError as error:
        full = "the disk is full: " if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
        raise OSError(
            f"could not write {path} ({full}{error.strerror or error}); free space or fix the permissions there, then "
            "run the same command again"
        ) from error


class InUse(RuntimeError):
    """Another process is writing in the folder."""


@contextlib.contextmanager
def locked(folder: Path, *, written_first: Sequence[str] = ()) -> Iterator[None]:
    """Holds a folder against a second process. Raises InUse if another one is writing there, OSError for a folder that
    cannot be written in.

    A folder that was made for this goes again after an error that left nothing in it but `written_first`, files or
    empty folders.
    """
    made = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / LOCK).open("w")
    except OSError as error:
        raise OSError(f"{folder} cannot be written in ({error.strerror or error}); fix the permissions there or give "
                      "another folder") from error  # fmt: skip
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.path.samestat(os.fstat(lock.fileno()), os.stat(folder / LOCK)):
                raise FileNotFoundError("the folder went a moment ago")
        except OSError as error:
            raise InUse(f"{folder} is in use by another process; wait for it or give another folder") from error
        try:
            yield
        except Exception:
            with contextlib.suppress(OSError):
                if made and _nothing_but(folder, {LOCK, *written_first}):
                    shutil.rmtree(folder)
            raise


def _nothing_but(folder: Path, names: Collection[str]) -> bool:
    return all(path.name in names and not (path.is_dir() and any(path.iterdir())) for path in folder.iterdir())


def as_json(value: Any) -> Any:
    """A value as reading it back from JSON gives it; NaN and infinities are not JSON and become null."""
    return json.loads(json.dumps(value), parse_constant=lambda text: None)


def write_json(path: Path, value: Any) -> None:
    """Writes JSON atomically, see `as_json`."""
    with replacing(path) as file:
        json.dump(as_json(value), file, indent=2, allow_nan=False)


def write_png(path: Path, array: np.ndarray) -> None:
    """Writes uint8 [H, W] or [H, W, 3] atomically."""
    write_bytes(path, images.png(array if array.ndim == 3 else array[..., None]))


def write_arrays(path: Path, **arrays: np.ndarray) -> None:
    """Writes a compressed .npz atomically."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    write_bytes(path, buffer.getvalue())


def write_array(path: Path, array: np.ndarray) -> None:
    """Writes an .npy that is needed while this process runs: at once, and not safe from a kill."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)  # To a file of its own NumPy would not say that the disk is full.
    with naming(path):
        path.write_bytes(buffer.getbuffer())


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file atomically."""
    with replacing(path, "wb") as file:
        file.write(content)
