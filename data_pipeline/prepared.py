"""Prepared datasets: any layout, decoded and converted once, as a TFDS dataset of array records that is read at random.

One builder serves every layout; its config names the dataset and its fingerprint, so that a changed folder, other
options or another conversion is another prepared dataset. Pixels are stored as PNG, without loss. A dataset is prepared
under a lock and appears whole or not at all. Reading does not load TensorFlow.
"""

import contextlib
import fcntl
import hashlib
import io
import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # Its notice is printed on every start, at whatever log level.

from data_pipeline.images import from_png
from data_pipeline.record import VERSION, Entry, Record, Sample, digest


def fingerprint(records: Sequence[Record], **also: object) -> str:
    """16 hex digits that change with any record, any of its files (name, size, time of change) and with `also`."""
    digest = hashlib.sha256(json.dumps([VERSION, also], sort_keys=True, default=list).encode())
    for record in records:
        row = [record.id, record.label, record.kind, record.surface, record.split]
        for file in filter(None, (record.image, record.mask, *record.more)):
            try:
                status = file.stat()
            except OSError as error:
                raise type(error)(f"{file}: {error.strerror}; restore the file, or remove it") from error
            row += [file.name, status.st_size, status.st_mtime_ns]
        digest.update(json.dumps(row).encode())
    return digest.hexdigest()[:16]


def prepare(
    name: str, mark: str, cache: Path, *, records: Sequence[Record], read: Callable[[Record], Sample], channels: int
) -> tuple[list[Entry], Callable[[int], Sample]]:
    """The prepared dataset `name` of fingerprint `mark` under the folder `cache`, prepared first where it is not there.

    Returns the entries in the order of the records, and a function from an index to its Sample, safe to call from many
    threads. Raises what read(record) raises, and leaves nothing behind then.

    What is damaged is prepared anew, with a warning. Where that shows late, in a single image, this is read from its
    own file, and the rest prepared anew when the dataset is opened next.
    """
    folder = cache / "images" / f"{name}-{mark}" / VERSION
    opened = _opened(folder)
    if opened is None:
        with _naming(cache), _lock(cache / f"{name}-{mark}.lock"):
            opened = _opened(folder)  # by another process, while this one waited
            if opened is None:
                if folder.exists():
                    warnings.warn(f"{folder}: the prepared images are damaged; they are prepared anew", stacklevel=2)
                    shutil.rmtree(folder)
                for leftover in folder.parent.glob("incomplete.*"):  # Of a killed process: we hold the lock.
                    shutil.rmtree(leftover)
                _build(name, mark, cache, records=records, read=read, channels=channels)
                opened = _opened(folder)
    if opened is None:
        raise OSError(f"{folder}: what was prepared there cannot be read again; give another folder by JAXDEFECT_CACHE")
    entries, source = opened

    def sample(index: int) -> Sample:
        entry = entries[index]
        try:
            stored = source[index]
            image, mask = from_png(stored["image"]), from_png(stored["mask"])[..., 0]
            if not stored["id"].decode() == entry.id or not image.shape[:2] == mask.shape == (
                entry.height,
                entry.width,
            ):
                raise ValueError("another image")
        except Exception:  # Any: of files, of their codes, of what was coded.
            if folder.is_dir():
                warnings.warn(f"{folder}: the prepared images are damaged; they are read from their own files, and "
                              "prepared anew at the next start", stacklevel=2)  # fmt: skip
                shutil.rmtree(folder, ignore_errors=True)
            return read(records[index])
        return Sample(image, mask if entry.has_mask else None, entry.label, entry.kind, entry.surface, entry.id)

    return entries, sample


def _opened(folder: Path) -> tuple[list[Entry], Sequence[dict]] | None:
    """The entries and what is stored of their images; None where there is nothing, or nothing sound."""
    if not folder.is_dir():
        return None
    import tensorflow_datasets as tfds  # A second. It loads TensorFlow only once it prepares.

    from data_pipeline.builder import SPLIT

    try:
        with _quiet():
            builder = tfds.builder_from_directory(folder)
            # Decoded by `prepare`: TFDS prints a recommendation to install OpenCV when it decodes.
            still = tfds.decode.SkipDecoding()
            source = builder.as_data_source(SPLIT, decoders={"image": still, "mask": still})
            rows = builder.info.metadata["entries"]
            if builder.info.metadata["digest"] != digest(rows) or len(source) != len(rows):
                return None
            source[0]  # What is not there, or cut off, shows here.
    except Exception:  # Any: TFDS reads several files by several libraries.
        return None
    return [Entry(*row) for row in rows], source


def _build(name: str, mark: str, cache: Path, **how) -> None:
    import tensorflow_datasets as tfds

    from data_pipeline.builder import Images

    config = tfds.core.BuilderConfig(name=f"{name}-{mark}")
    with _quiet(), tempfile.TemporaryDirectory() as downloads:
        builder = Images(config=config, data_dir=str(cache), **how)
        builder.download_and_prepare(download_dir=downloads)


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _naming(cache: Path) -> Iterator[None]:
    """Makes an error of a full disk, of whatever library, name the folder and the remedy."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        if not any(said in str(error).lower() for said in ("no space left", "quota exceeded")):
            raise
        raise OSError(f"{cache}: the disk is full, and the images cannot be prepared there; free space there, or give "
                      "a folder elsewhere by JAXDEFECT_CACHE=FOLDER") from error  # fmt: skip


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps TFDS from printing where it writes and how fast; its errors still come through as exceptions."""
    import tensorflow_datasets as tfds
    from absl import logging

    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    tfds.disable_progress_bar()
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.set_verbosity(verbosity)
