"""The training stream: random patches of a split's pictures, by tf.data, the same for a step however it is reached.

Step k's batch depends on the seed and k alone, so that a run resumes exactly at any step without running through the steps
before it, and so that several processes can each make their part of the same batch.
"""

import os
import threading
from collections.abc import Iterator

import numpy as np

from data_pipeline.load import Split
from data_pipeline.record import Sample

KEPT_BYTES = 2**31  # Decoded pictures (and masks) kept in memory; what exceeds it is decoded again on every use.


def patches(
    split: Split,
    *,
    patch: int,
    batch: int,
    seed: int,
    start_step: int = 0,
    process_index: int = 0,
    process_count: int = 1,
    patches_per_image: int = 16,
    masks: bool = False,
) -> Iterator[dict[str, np.ndarray]]:
    """Endless batches {"image": uint8 [b, patch, patch, C]} from step start_step on, with b = batch / process_count.

    A batch is made of groups of patches_per_image patches of one picture, pictures and corners drawn uniformly. With
    masks=True also "mask" uint8 [b, patch, patch], "label" int32 [b] (1 where the patch holds defect pixels) and "index"
    int32 [b] (the picture's place in the split). The batches of the processes, concatenated in the order of
    process_index, are the batch of a single process.

    Raises ValueError where batch does not divide over the processes, a picture is smaller than the patch, or masks are
    wanted of pictures that nobody has outlined.
    """
    _check(split, patch, batch, process_index, process_count, masks)
    if patches_per_image < 1 or start_step < 0:
        raise ValueError(f"patches_per_image={patches_per_image}, start_step={start_step}; at least 1 and at least 0")
    own = batch // process_count
    first = process_index * own
    # Whole groups are cut even where a process owns only some patches of one: that keeps the draws those of one process.
    groups = range(first // patches_per_image, -(-(first + own) // patches_per_image))
    skipped = first - groups.start * patches_per_image
    return _stream(
        _Cutter(split, patch, masks), seed, start_step, groups, patches_per_image, slice(skipped, skipped + own)
    )


class _Cutter:
    """Cuts patches out of a split's pictures, keeping decoded pictures in memory while they fit; called from many threads."""

    def __init__(self, split: Split, patch: int, masks: bool):
        self.split = split
        self.patch = patch
        self.masks = masks
        self.channels = split[0].image.shape[-1]
        self.failure: Exception | None = None
        self._kept: dict[int, Sample] = {}
        self._bytes = 0
        self._lock = threading.Lock()

    def __call__(self, index: np.ndarray, places: np.ndarray) -> list[np.ndarray]:
        """Patches at places [n, 2], where (0, 0) is the first corner possible and (1, 1) just beyond the last."""
        try:
            sample = self._sample(int(index))
        except Exception as error:  # TensorFlow would pass on only its text.
            self.failure = error
            raise
        height, width = sample.image.shape[:2]
        span = np.array([height, width]) - self.patch + 1
        corners = np.minimum((places * span).astype(np.int64), span - 1)  # float32 may round 0.99999997 * span up.
        windows = [(slice(y, y + self.patch), slice(x, x + self.patch)) for y, x in corners]
        images = np.stack([sample.image[window] for window in windows])
        if not self.masks:
            return [images]
        cut = np.stack([sample.mask[window] for window in windows])
        return [images, cut, cut.any((1, 2)).astype(np.int32), np.full(len(cut), index, np.int32)]

    def _sample(self, index: int) -> Sample:
        sample = self._kept.get(index)
        if sample is None:
            sample = self.split[index]
            size = sample.image.nbytes + (sample.mask.nbytes if self.masks else 0)
            with self._lock:
                if index not in self._kept and self._bytes + size <= KEPT_BYTES:
                    self._kept[index] = sample
                    self._bytes += size
        return sample


def _stream(
    cut: _Cutter, seed: int, start_step: int, groups: range, patches_per_image: int, own: slice
) -> Iterator[dict[str, np.ndarray]]:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    import tensorflow as tf  # 7 s and 700 MB: only where a stream really runs.

    tf.config.set_visible_devices([], "GPU")  # Else TensorFlow takes the memory JAX needs.
    edge, count = cut.patch, len(cut.split)
    specs = {"image": (tf.uint8, (edge, edge, cut.channels))}
    if cut.masks:
        specs |= {"mask": (tf.uint8, (edge, edge)), "label": (tf.int32, ()), "index": (tf.int32, ())}

    def group(position: tf.Tensor) -> dict[str, tf.Tensor]:
        step, number = position // len(groups), position % len(groups) + groups.start
        key = tf.random.experimental.stateless_fold_in(tf.constant([seed, 0], tf.int64), step)
        key = tf.random.experimental.stateless_fold_in(key, number)
        picture_key, place_key = tf.unstack(tf.random.experimental.stateless_split(key, 2))
        index = tf.random.stateless_uniform((), picture_key, 0, count, tf.int32)
        places = tf.random.stateless_uniform((patches_per_image, 2), place_key)
        arrays = tf.numpy_function(cut, [index, places], [kind for kind, _ in specs.values()])
        shaped = zip(specs.items(), arrays, strict=True)
        return {name: tf.ensure_shape(array, (patches_per_image, *shape)) for (name, (_, shape)), array in shaped}

    def joined(batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return {name: tf.reshape(array, (-1, *specs[name][1]))[own] for name, array in batch.items()}

    positions = tf.data.Dataset.range(start_step * len(groups), tf.int64.max)
    stream = positions.map(group, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    stream = stream.batch(len(groups), drop_remainder=True).map(joined).prefetch(2)
    try:
        yield from stream.as_numpy_iterator()
    except tf.errors.OpError:
        raise cut.failure or RuntimeError("the stream of patches broke") from None


def _check(split: Split, patch: int, batch: int, process_index: int, process_count: int, masks: bool) -> None:
    if not 0 <= process_index < process_count:
        raise ValueError(f"process_index={process_index} of process_count={process_count}; count processes from 0")
    if batch < 1 or batch % process_count:
        below, above = batch // process_count * process_count, (batch // process_count + 1) * process_count
        use = f"{below} or {above}" if below else str(above)
        raise ValueError(f"batch {batch} does not divide over {process_count} processes; use {use}")
    if not len(split):
        raise ValueError("there are no pictures in this split to cut patches from")
    if patch < 1:
        raise ValueError(f"patch={patch}; an edge in pixels, at least 1")
    for entry in split.records:
        if min(entry.height, entry.width) < patch:
            raise ValueError(
                f"picture {entry.id} is {entry.height} x {entry.width} pixels (height x width), smaller than the patch of "
                f"{patch} x {patch}; use a smaller patch, or enlarge the pictures with scale= or size="
            )
        if masks and not entry.outlined:
            raise ValueError(f"picture {entry.id} is defective but has no mask; add one, or stream with masks=False")
