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
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # Its notice is printed on every start, at whatever log level.

import tensorflow_datasets as tfds  # Loads TensorFlow only once it prepares.
from absl import logging
from rich.console import Console
from rich.progress import track

from data_pipeline.images import from_png, png
from data_pipeline.record import Record, Sample

SPLIT = "images"


class Entry(NamedTuple):
    """What is known of an image without decoding it.

    height and width are those after conversion, in pixels; has_mask is False for a defective image without a mask.
    """

    id: str
    kind: str
    surface: str
    label: int
    height: int
    width: int
    has_mask: bool


class Images(tfds.core.GeneratorBasedBuilder):
    """All records of a layout, in order, as read(record) gives them."""

    VERSION = tfds.core.Version(
        "1.0.0"
    )  # Raise it when `images` or `record` would give other pixels for the same file.

    url_infos: dict = {}  # Nothing is downloaded; TFDS would look for checksums beside this file.

    def __init__(self, *, records: Sequence[Record], read: Callable[[Record], Sample], channels: int, **rest):
        self._records = records
        self._read = read
        self._channels = channels
        super().__init__(file_format="array_record", **rest)

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            "image": tfds.features.Image(shape=(None, None, self._channels), encoding_format="png"),
            "mask": tfds.features.Image(shape=(None, None, 1), encoding_format="png"),
            "id": tfds.features.Text(),
        }
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(features),
            disable_shuffling=True,
            metadata=tfds.core.MetadataDict(),
        )

    def _split_generators(self, dl_manager):
        del dl_manager  # Nothing is downloaded: every user brings the images.
        return {SPLIT: self._generate_examples()}

    def _generate_examples(self) -> Iterator[tuple[int, dict]]:
        entries = []
        bar = Console(stderr=True)
        title = f"preparing {self.builder_config.name.rsplit('-', 1)[0]}"
        for index, record in enumerate(
            track(self._records, title, console=bar, transient=True, disable=not bar.is_terminal)
        ):
            sample = self._read(record)
            height, width = sample.image.shape[:2]
            mask = np.zeros((height, width), np.uint8) if sample.mask is None else sample.mask
            entries.append(
                Entry(record.id, record.kind, record.surface, record.label, height, width, sample.mask is not None)
            )
            files = {"image": io.BytesIO(png(sample.image)), "mask": io.BytesIO(png(mask[..., None]))}
            yield index, files | {"id": record.id}
        self.info.metadata["entries"] = entries


def fingerprint(records: Sequence[Record], **also: object) -> str:
    """16 hex digits that change with any record, any of its files (name, size, time of change) and with `also`."""
    digest = hashlib.sha256(json.dumps([str(Images.VERSION), also], sort_keys=True, default=list).encode())
    for record in records:
        row = [record.id, record.label, record.kind, record.surface, record.split]
        for file in filter(None, (record.image, record.mask, *record.more)):
            status = file.stat()
            row += [file.name, status.st_size, status.st_mtime_ns]
        digest.update(json.dumps(row).encode())
    return digest.hexdigest()[:16]


def prepare(
    name: str, mark: str, cache: Path, *, records: Sequence[Record], read: Callable[[Record], Sample], channels: int
) -> tuple[list[Entry], Callable[[int], Sample]]:
    """The prepared dataset `name` of fingerprint `mark` under the folder `cache`, prepared first where it is not there.

    Returns the entries in the order of the records, and a function from an index to its Sample, safe to call from many
    threads. Raises what read(record) raises, and leaves nothing behind then.
    """
    folder = cache / "images" / f"{name}-{mark}" / str(Images.VERSION)
    if not folder.is_dir():
        with _lock(cache / f"{name}-{mark}.lock"):
            if not folder.is_dir():
                for leftover in folder.parent.glob("incomplete.*"):  # Of a killed process: we hold the lock.
                    shutil.rmtree(leftover)
                _build(name, mark, cache, records=records, read=read, channels=channels)
    with _quiet():
        builder = tfds.builder_from_directory(folder)
        # Decoded here: TFDS prints a recommendation to install OpenCV when it decodes.
        still = tfds.decode.SkipDecoding()
        source = builder.as_data_source(SPLIT, decoders={"image": still, "mask": still})
        entries = [Entry(*row) for row in builder.info.metadata["entries"]]

    def sample(index: int) -> Sample:
        entry, stored = entries[index], source[index]
        mask = from_png(stored["mask"])[..., 0] if entry.has_mask else None
        return Sample(from_png(stored["image"]), mask, entry.label, entry.kind, entry.surface, entry.id)

    return entries, sample


def _build(name: str, mark: str, cache: Path, **how) -> None:
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
def _quiet() -> Iterator[None]:
    """Keeps TFDS from printing where it writes and how fast; its errors still come through as exceptions."""
    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    tfds.disable_progress_bar()
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.set_verbosity(verbosity)
