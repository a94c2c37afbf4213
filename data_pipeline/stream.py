"""The training stream: random patches of a split's pictures, by tf.data, the same for a step however it is reached.

Step k's batch depends on the seed and k alone, so that a run resumes exactly at any step without running through the
steps before it, and so that several processes can each make their part of the same batch.
"""

import contextlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from data_pipeline.load import Split
from data_pipeline.pictures import png

RAW_BYTES = 2**30  # Up to so many bytes the pictures wait in memory as pixels, beyond as PNG, decoded on every use.


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
    masks=True also "mask" uint8 [b, patch, patch], "label" int32 [b] (1 where the patch holds defect pixels) and
    "index" int32 [b] (the picture's place in the split). The batches of the processes, concatenated in the order of
    process_index, are the batch of a single process.

    The pictures are read into memory when the stream starts. Raises ValueError where batch does not divide over the
    processes, a picture is smaller than the patch, or masks are wanted of pictures that nobody has outlined.
    """
    _check(split, patch, batch, process_index, process_count, masks)
    if patches_per_image < 1 or start_step < 0:
        raise ValueError(f"patches_per_image={patches_per_image}, start_step={start_step}; at least 1 and at least 0")
    own = batch // process_count
    first = process_index * own
    # Whole groups are cut even where a process owns only a part of one, so that the draws stay those of one process.
    groups = range(first // patches_per_image, -(-(first + own) // patches_per_image))
    skipped = first - groups.start * patches_per_image
    return _stream(split, patch, masks, seed, start_step, groups, patches_per_image, slice(skipped, skipped + own))


def _stream(
    split: Split, patch: int, masks: bool, seed: int, start_step: int, groups: range, patches_per_image: int, own: slice
) -> Iterator[dict[str, np.ndarray]]:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    import tensorflow as tf  # 7 s and 700 MB: only where a stream really runs.

    with contextlib.suppress(RuntimeError):  # Raised where the caller has used TensorFlow's devices already.
        tf.config.set_visible_devices([], "GPU")  # Else TensorFlow takes the memory JAX needs.
    # Only TensorFlow's own operations from here on: a Python function in the stream would compete with the training
    # loop for the interpreter, and its threads would keep the interpreter from exiting.
    pictures, raw = _in_memory(split, masks)
    shapes = tf.constant([picture_shape for _, picture_shape in pictures], tf.int32)
    stored = tf.constant([content for content, _ in pictures])
    channels = pictures[0][1][2]
    del pictures
    steps = tf.range(patch)

    def group(position: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        step, number = position // len(groups), position % len(groups) + groups.start
        key = tf.random.experimental.stateless_fold_in(tf.constant([seed, 0], tf.int64), step)
        key = tf.random.experimental.stateless_fold_in(key, number)
        picture_key, y_key, x_key = tf.unstack(tf.random.experimental.stateless_split(key, 3))
        index = tf.random.stateless_uniform((), picture_key, 0, len(split), tf.int32)
        content, shape = stored[index], shapes[index]
        picture = tf.reshape(tf.io.decode_raw(content, tf.uint8), shape) if raw else tf.io.decode_png(content, 0)
        y = tf.random.stateless_uniform((patches_per_image, 1, 1), y_key, 0, shape[0] - patch + 1, tf.int32)
        x = tf.random.stateless_uniform((patches_per_image, 1, 1), x_key, 0, shape[1] - patch + 1, tf.int32)
        grid = (patches_per_image, patch, patch)
        where = tf.stack([tf.broadcast_to(y + steps[:, None], grid), tf.broadcast_to(x + steps, grid)], -1)
        return tf.gather_nd(picture, where), tf.fill([patches_per_image], index)

    def batch(cut: tf.Tensor, index: tf.Tensor) -> dict[str, tf.Tensor]:
        cut = tf.reshape(cut, (-1, patch, patch, channels))[own]
        if not masks:
            return {"image": cut}
        image, mask = cut[..., :-1], cut[..., -1]
        label = tf.cast(tf.reduce_any(mask > 0, (1, 2)), tf.int32)
        return {"image": image, "mask": mask, "label": label, "index": tf.reshape(index, (-1,))[own]}

    positions = tf.data.Dataset.range(start_step * len(groups), tf.int64.max)
    stream = positions.map(group, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return stream.batch(len(groups), drop_remainder=True).map(batch).prefetch(2).as_numpy_iterator()


def _in_memory(split: Split, masks: bool) -> tuple[list[tuple[bytes, tuple[int, int, int]]], bool]:
    """All pictures of a split as bytes with their shapes, and whether these are plain pixels (or PNG).

    With masks=True the mask is the last channel.
    """
    channels = split[0].image.shape[-1] + masks
    raw = sum(entry.height * entry.width * channels for entry in split.records) <= RAW_BYTES

    def content(index: int) -> tuple[bytes, tuple[int, int, int]]:
        sample = split[index]
        pixels = np.concatenate([sample.image, sample.mask[..., None]], -1) if masks else sample.image
        return (pixels.tobytes() if raw else png(pixels)), pixels.shape

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(content, range(len(split)))), raw


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
                f"picture {entry.id} is {entry.height} x {entry.width} pixels (height x width), smaller than the patch "
                f"of {patch} x {patch}; use a smaller patch, or enlarge the pictures with scale= or size="
            )
        if masks and not entry.outlined:
            raise ValueError(f"picture {entry.id} is defective but has no mask; add one, or stream with masks=False")
