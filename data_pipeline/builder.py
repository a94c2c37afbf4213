"""How TFDS writes a prepared dataset. TensorFlow is loaded where one is prepared, and only there."""

import io
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import tensorflow_datasets as tfds
from rich.console import Console
from rich.progress import track

from data_pipeline.images import png
from data_pipeline.record import VERSION, Entry, Record, Sample, digest

SPLIT = "images"


class Images(tfds.core.GeneratorBasedBuilder):
    """All records of a layout, in order, as read(record) gives them."""

    VERSION = tfds.core.Version(VERSION)

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
        self.info.metadata["digest"] = digest(entries)
