"""Where batches come from: a split kept on the device, or a stream of patches. `fit` knows neither.

Images are uint8 until they are inside the compiled step; batches are float32 in [0, 1].
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdefect import parallel
from jaxdefect.detector import Batch
from jaxdefect.flaws import corruption


class Feed(NamedTuple):
    """inputs: step -> the arrays of that step, on the devices. make_batch: (inputs, keys of samples) -> Batch.

    sharded: whether inputs are split over the devices (a stream) or given whole to each (a split in memory).
    """

    inputs: Callable[[int], Any]
    make_batch: Callable[[Any, jax.Array], Batch]
    sharded: bool


def in_memory(
    images: Sequence[np.ndarray],
    *,
    patch: int,
    ids: Sequence[str] | None = None,
    masks: Sequence[np.ndarray] | None = None,
    labels: Sequence[int] | None = None,
    surfaces: Sequence[int] | None = None,
    halves: Sequence[int] | None = None,
    margin: int = 0,
) -> Feed:
    """Keeps a split on every device and cuts random patches inside the compiled step.

    images: uint8 [H, W, C] of any sizes; an image is drawn uniformly, then a corner. Takes N * max(H) * max(W) * C
    bytes. masks (uint8 [H, W]), labels and surfaces travel along where given. halves (0 or 1 of each image, see
    `halved`): image is drawn from the images of half 0 and paired_image, independently, from those of half 1. margin:
    pixels by which images are mirrored all around first, so that what lies near a border, and the mirrored border that
    scoring adds there, are seen; and more often than the rest, for borders differ most. Raises ValueError for an image
    smaller than the patch less one margin, naming it.
    """
    ids = ids or [f"image {i}" for i in range(len(images))]
    if not len(images):
        raise ValueError("no images to train on; the training split is empty")
    for name, image in zip(ids, images, strict=True):
        if min(image.shape[:2]) < patch - margin:
            least = f"train.patch = {patch}" if not margin else f"{patch - margin}, what train.patch = {patch} needs"
            raise ValueError(
                f"{name} is {image.shape[0]} x {image.shape[1]} pixels, smaller than {least}; "
                "use a smaller patch or a larger data.scale"
            )
    widen = lambda image: np.pad(image, [(margin, margin)] * 2 + [(0, 0)] * (image.ndim - 2), "symmetric")
    if margin:
        images, masks = [widen(image) for image in images], masks and [widen(mask) for mask in masks]
    sizes = np.array([image.shape[:2] for image in images])
    tall, wide = sizes.max(0)

    def stack(images):
        store = np.zeros((len(images), tall, wide, *images[0].shape[2:]), np.uint8)
        for row, image in zip(store, images, strict=True):
            row[: image.shape[0], : image.shape[1]] = image
        return store

    store = {"image": stack(images), "corners": sizes - patch + 1}
    beyond = patch // 4 if margin else 0  # Corners drawn beyond an end count as that end.
    store |= {} if masks is None else {"mask": stack(masks)}
    store |= {} if labels is None else {"label": np.asarray(labels, np.int32)}
    store |= {} if surfaces is None else {"surface": np.asarray(surfaces, np.int32)}
    if halves is None:
        pools = {"image": np.arange(len(images))}
    else:
        pools = {name: np.flatnonzero(np.equal(halves, half)) for half, name in enumerate(("image", "paired_image"))}
    store = parallel.replicate(store | {"pools": pools})

    def cut_one(store, key):
        which, where = jax.random.split(key)
        pool = store["pools"]["image"]
        index = pool[jax.random.randint(which, (), 0, len(pool))]
        corners = store["corners"][index]
        y, x = jnp.clip(jax.random.randint(where, (2,), -beyond, corners + beyond), 0, corners - 1)
        window = lambda name, *tail: jax.lax.dynamic_slice(
            store[name], (index, y, x, *(0 for _ in tail)), (1, patch, patch, *tail)
        )[0]
        fields = {"image": window("image", store["image"].shape[-1]).astype(jnp.float32) / 255}
        if "mask" in store:
            fields["mask"] = window("mask").astype(jnp.float32)
        fields |= {name: store[name][index] for name in ("label", "surface") if name in store}
        return Batch(**fields)

    def cut_pair(store, key):
        second = jax.random.fold_in(key, 1)
        other = cut_one(store | {"pools": {"image": store["pools"]["paired_image"]}}, second).image
        return cut_one(store, key)._replace(paired_image=other)

    cut = cut_one if halves is None else cut_pair
    return Feed(lambda step: store, jax.vmap(cut, (None, 0)), sharded=False)


def vectors(features: np.ndarray, *, surfaces: Sequence[int], labels: Sequence[int]) -> Feed:
    """Keeps what a frozen backbone made of every image on the devices: features float32 [N, F], drawn uniformly."""
    if not len(features):
        raise ValueError("no images to train on; the training split is empty")
    store = {
        "features": np.asarray(features, np.float32), "surface": np.asarray(surfaces, np.int32),
        "label": np.asarray(labels, np.int32),
    }  # fmt: skip
    store = parallel.replicate(store)
    return Feed(lambda step: store, _draw_vectors, sharded=False)


# Outside of `vectors`, so that runs on other features share what is compiled.
def _draw_vectors(store: dict[str, jax.Array], keys: jax.Array) -> Batch:
    chosen = jax.vmap(jax.random.randint, (0, None, None, None))(keys, (), 0, len(store["features"]))
    return Batch(None, **{name: values[chosen] for name, values in store.items()})


def corrupted(
    feed: Feed, *, kinds: Sequence[str], share: float, most: int = 1, noise: float = 0.0, flips: bool = False
) -> Feed:
    """The feed, a `share` of whose good images get flaws of these kinds, `most` at most (see `flaws.corruption`).

    Its batches also hold target, mask, severity, label and has_mask; defective images, and the other image of a pair,
    stay as they are. flips: good images are mirrored and turned upside down at random first. noise: standard deviation
    of Gaussian noise that is in image and target alike. The source of a flaw is another patch of the feed or, of a
    stream, the same. Raises ValueError for kinds and numbers that make no sense, and for features in place of images.
    """
    corruption.check(kinds, share, noise, most)
    fold = jax.vmap(jax.random.fold_in, (0, None))

    def make_batch(inputs, keys):
        batch = feed.make_batch(inputs, keys)
        if batch.image is None:
            raise ValueError("train.corrupt gives flaws to images, and this feed holds features of a frozen backbone")
        other = feed.make_batch(inputs, fold(keys, 2)).image
        clean = corruption.flipped(fold(keys, 3), batch.image) if flips else batch.image
        made = corruption.corrupt(fold(keys, 4), clean, other, kinds=kinds, share=share, most=most)
        count = len(clean)
        label = jnp.zeros(count, jnp.int32) if batch.label is None else batch.label
        mask = jnp.zeros(clean.shape[:3]) if batch.mask is None else batch.mask
        has_mask = jnp.ones(count) if batch.has_mask is None else batch.has_mask
        good = label == 0
        pick = lambda new, old: jnp.where(good.reshape(-1, *[1] * (new.ndim - 1)), new, old)
        image, target = pick(made.image, batch.image), pick(clean, batch.image)
        if noise:
            grain = noise * jax.vmap(lambda key: jax.random.normal(key, clean.shape[1:]))(fold(keys, 5))
            image, target = image + grain, target + grain
        return batch._replace(
            image=image, target=target, mask=pick(made.mask, mask), severity=pick(made.severity, mask),
            label=jnp.where(good, made.label, label), has_mask=jnp.where(good, 1.0, has_mask),
        )  # fmt: skip

    return Feed(feed.inputs, make_batch, feed.sharded)


def halved(count: int, *, seed: int) -> np.ndarray:
    """Which half, 0 or 1, each of `count` images is in: drawn at random, as even as can be. A single one is in both.

    int32 [count], or for a single image the pair 0, 1: give that image twice.
    """
    order = np.random.default_rng(seed).permutation(max(count, 2))
    return (order % 2).astype(np.int32)


def stream(open_at: Callable[[int], Iterator[dict[str, np.ndarray]]]) -> Feed:
    """Batches from a host pipeline that can start at any step: `open_at(step)` yields the batches from there on.

    The next batch is sent to the devices while the present one is worked on.
    """
    following: dict[str, Any] = {}

    def inputs(step: int) -> Any:
        if following.get("step") != step:
            following["batches"] = open_at(step)
            following["ready"] = parallel.split(next(following["batches"]))
        ready = following["ready"]
        following.update(step=step + 1, ready=parallel.split(next(following["batches"])))
        return ready

    return Feed(inputs, _as_batch, sharded=True)


def _as_batch(arrays: dict[str, jax.Array], keys: jax.Array) -> Batch:
    del keys  # The host has cut the patches already.
    divisor = {"image": 255, "paired_image": 255, "mask": 1}
    as_float = lambda name, array: array.astype(jnp.float32) / divisor[name] if name in divisor else array
    return Batch(**{name: as_float(name, array) for name, array in arrays.items()})
