"""The training stream: random patches of a split's images, by tf.data, the same for a step however it is reached.

Step k's batch depends on the seed and k alone, so that a run resumes exactly at any step without running through the
steps before it, and so that several processes can each make their part of the same batch.
"""

import contextlib
import functools
import math
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from data_pipeline.images import png
from data_pipeline.load import Split

RAW_BYTES = 2**30  # Up to so many bytes the images wait in memory as pixels, beyond as PNG, decoded on every use.


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
    flips: bool = False,
    zoom: float = 0.0,
) -> Iterator[dict[str, np.ndarray]]:
    """Endless batches {"image": uint8 [b, patch, patch, C]} from step start_step on, with b = batch / process_count.

    A batch is made of groups of patches_per_image patches of one image, images and corners drawn uniformly. flips:
    half of the patches are mirrored, and half turned upside down. zoom: each is shown larger or smaller by up to this
    share of its size, bilinear; what lies beyond its border is mirrored. The batches of the processes, concatenated in
    the order of process_index, are the batch of a single process.

    The images are read into memory when the stream starts. Raises ValueError where batch does not divide over the
    processes, an image is smaller than the patch, or zoom is no such share.
    """
    _check(split, patch, batch, process_index, process_count)
    if not 0 <= zoom < 1:
        raise ValueError(f"train.zoom = {zoom}; give the largest change of size as a share, from 0 to less than 1")
    if patches_per_image < 1 or start_step < 0:
        raise ValueError(f"patches_per_image={patches_per_image}, start_step={start_step}; at least 1 and at least 0")
    share = batch // process_count
    first = process_index * share
    # Whole groups are cut even where a process owns only a part of one, so that the draws stay those of one process.
    groups = range(first // patches_per_image, -(-(first + share) // patches_per_image))
    skipped = first - groups.start * patches_per_image
    change = functools.partial(_changed, flips=flips, zoom=zoom)
    share = slice(skipped, skipped + share)
    return _stream(split, patch, seed, start_step, groups, patches_per_image, share, change)


def _stream(
    split: Split, patch: int, seed: int, start_step: int, groups: range, patches_per_image: int,
    share: slice, change: Callable,
) -> Iterator[dict[str, np.ndarray]]:  # fmt: skip
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    import tensorflow as tf  # 7 s and 700 MB: only where a stream really runs.

    with contextlib.suppress(RuntimeError):  # Raised where the caller has used TensorFlow's devices already.
        tf.config.set_visible_devices([], "GPU")  # Else TensorFlow takes the memory JAX needs.
    # Only TensorFlow's own operations from here on: a Python function in the stream would compete with the training
    # loop for the interpreter, and its threads would keep the interpreter from exiting.
    images, raw = _in_memory(split)
    shapes = tf.constant([image_shape for _, image_shape in images], tf.int32)
    stored = tf.constant([content for content, _ in images])
    channels = images[0][1][2]
    del images
    steps = tf.range(patch)

    def group(position: tf.Tensor) -> tf.Tensor:
        step, number = position // len(groups), position % len(groups) + groups.start
        key = tf.random.experimental.stateless_fold_in(tf.constant([seed, 0], tf.int64), step)
        key = tf.random.experimental.stateless_fold_in(key, number)
        image_key, y_key, x_key = tf.unstack(tf.random.experimental.stateless_split(key, 3))
        index = tf.random.stateless_uniform((), image_key, 0, len(split), tf.int32)
        content, shape = stored[index], shapes[index]
        image = tf.reshape(tf.io.decode_raw(content, tf.uint8), shape) if raw else tf.io.decode_png(content, 0)
        y = tf.random.stateless_uniform((patches_per_image, 1, 1), y_key, 0, shape[0] - patch + 1, tf.int32)
        x = tf.random.stateless_uniform((patches_per_image, 1, 1), x_key, 0, shape[1] - patch + 1, tf.int32)
        grid = (patches_per_image, patch, patch)
        where = tf.stack([tf.broadcast_to(y + steps[:, None], grid), tf.broadcast_to(x + steps, grid)], -1)
        return change(tf.gather_nd(image, where), key)

    def batch(cut: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"image": tf.reshape(cut, (-1, patch, patch, channels))[share]}

    positions = tf.data.Dataset.range(start_step * len(groups), tf.int64.max)
    stream = positions.map(group, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return stream.batch(len(groups), drop_remainder=True).map(batch).prefetch(2).as_numpy_iterator()


def _changed(cut, key, *, flips: bool, zoom: float):
    """Patches, a tensor uint8 [N, P, P, C], mirrored and zoomed at random."""
    import tensorflow as tf

    count, patch = cut.shape[:2]
    draw = lambda number, low, high: tf.random.stateless_uniform(
        (count,), tf.random.experimental.stateless_fold_in(key, number), low, high
    )
    if flips:
        for number, axis in ((1, 1), (2, 2)):
            cut = tf.where(draw(number, 0.0, 1.0)[:, None, None, None] < 0.5, tf.reverse(cut, (axis,)), cut)
    if zoom:
        margin = math.ceil(zoom * patch / 2)
        around = tf.pad(cut, ((0, 0), (margin, margin), (margin, margin), (0, 0)), "SYMMETRIC")
        last = patch + 2 * margin - 1
        reach = draw(3, 1 - zoom, 1 + zoom) * (patch - 1) / 2 / last  # of half a window, in units of the padded side
        boxes = tf.stack([0.5 - reach, 0.5 - reach, 0.5 + reach, 0.5 + reach], 1)
        zoomed = tf.image.crop_and_resize(tf.cast(around, tf.float32), boxes, tf.range(count), (patch, patch))
        cut = tf.cast(tf.round(zoomed), tf.uint8)
    return cut


def _in_memory(split: Split) -> tuple[list[tuple[bytes, tuple[int, int, int]]], bool]:
    """All images of a split as bytes with their shapes, and whether these are plain pixels (or PNG)."""
    channels = split[0].image.shape[-1]
    raw = sum(entry.height * entry.width * channels for entry in split.records) <= RAW_BYTES

    def content(index: int) -> tuple[bytes, tuple[int, int, int]]:
        pixels = split[index].image
        return (pixels.tobytes() if raw else png(pixels)), pixels.shape

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(content, range(len(split)))), raw


def _check(split: Split, patch: int, batch: int, process_index: int, process_count: int) -> None:
    if not 0 <= process_index < process_count:
        raise ValueError(f"process_index={process_index} of process_count={process_count}; count processes from 0")
    if batch < 1 or batch % process_count:
        below, above = batch // process_count * process_count, (batch // process_count + 1) * process_count
        use = f"{below} or {above}" if below else str(above)
        raise ValueError(f"batch {batch} does not divide over {process_count} processes; use {use}")
    if not len(split):
        raise ValueError("there are no images in this split to cut patches from")
    if patch < 1:
        raise ValueError(f"patch={patch}; an edge in pixels, at least 1")
    for entry in split.records:
        if min(entry.height, entry.width) < patch:
            raise ValueError(
                f"image {entry.id} is {entry.height} x {entry.width} pixels (height x width), smaller than the patch "
                f"of {patch} x {patch}; use a smaller patch, or enlarge the images with scale= or size="
            )
