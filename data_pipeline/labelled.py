"""The training stream of supervised methods: as many defective as good images, with masks and labels.

Step k's batch depends on the seed and k alone, as in `stream`, which cuts patches of good images only.
"""

import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np

from data_pipeline.load import Split
from data_pipeline.record import Sample


def labelled(
    good: Split,
    defective: Split,
    *,
    batch: int,
    seed: int,
    patch: int = 0,
    masks: int = -1,
    flips: bool = False,
    every_good: bool = False,
    kinds: Sequence[str] = (),
    start_step: int = 0,
    process_index: int = 0,
    process_count: int = 1,
) -> Iterator[dict[str, np.ndarray]]:
    """Endless batches from step start_step on, of b = batch / process_count samples:

    "image" uint8 [b, H, W, C], "mask" uint8 [b, H, W], "label" int32 [b] (1 is defective), and "has_mask" float32 [b],
    0 where only the label of a defective image is used, whose mask is then empty.

    An epoch is all defective images and as many good ones, shuffled; see `order`. patch: pixels a side of a window,
    of a defective image one with a part of the defect; 0 for whole images. masks: defective images whose outlines
    are used, drawn at random, fewer being among those of more; -1 for all. flips: mirrored and upside down, too.
    every_good: an epoch is all defective and all good images instead, where good ones are a lesson, too. kinds:
    of defect; with these also "kind" int32 [b], 0 for good and the place of a kind, counted from 1, and an epoch has as
    many images of each, and good ones, as the most frequent of them all has.

    Raises ValueError for empty splits, whole images of several sizes, windows larger than an image, a defective
    image whose mask is empty, and windows of defective images without outlines.
    """
    _check(good, defective, batch=batch, patch=patch, masks=masks, process_count=process_count)
    _check_kinds(kinds, defective)
    count = len(defective)
    with_mask = np.isin(
        np.arange(count), np.random.default_rng((seed, 1)).permutation(count)[: count if masks < 0 else masks]
    )
    with_mask &= [entry.has_mask for entry in defective.records]
    share = slice(process_index * batch // process_count, (process_index + 1) * batch // process_count)
    which = [1 + kinds.index(entry.kind) for entry in defective.records] if kinds else []
    if kinds:
        every = even_order([*which, *[0] * len(good)], seed=seed)
    else:
        every = order_of_all(count + len(good), seed=seed) if every_good else order(count, len(good), seed=seed)
    drawn = itertools.islice(every, start_step * batch, None)
    for step in itertools.count(start_step):
        chosen = list(itertools.islice(drawn, batch))[share]
        rngs = [np.random.default_rng((seed, 2, step, share.start + place)) for place in range(len(chosen))]
        images = [(defective[i], with_mask[i]) if i < count else (good[i - count], True) for i in chosen]
        samples = [_arrays(*image, rng, patch=patch, flips=flips) for image, rng in zip(images, rngs, strict=True)]
        named = {"kind": np.array([which[i] if i < count else 0 for i in chosen], np.int32)} if kinds else {}
        yield named | {name: np.stack([sample[name] for sample in samples]) for name in samples[0]}


def order(positives: int, negatives: int, *, seed: int) -> Iterator[int]:
    """Endless indices, epoch by epoch: 0 to positives - 1, each once, and as many of the `negatives` that follow.

    After the first epoch negatives are drawn without replacement with a probability that falls with how often each was
    used: (1 - f / f_max - median + 1) ** (4 ln n). Where there are fewer than positives they are repeated.
    Source: Bozic, Tabernik, Skocaj, Mixed supervision for surface-defect detection, 2021, Section 3 and its code.
    """
    rng = np.random.default_rng((seed, 0))
    used = np.zeros(negatives)
    while True:
        rest = 1 - used / max(used.max(), 1)
        weights = (rest - np.median(rest) + 1) ** (4 * math.log(negatives))
        whole, more = divmod(positives, negatives)
        some = rng.choice(negatives, more, replace=False, p=weights / weights.sum())
        chosen = np.concatenate([np.tile(np.arange(negatives), whole), some])
        used[some] += 1
        yield from rng.permutation(np.concatenate([np.arange(positives), positives + chosen])).tolist()


def order_of_all(count: int, *, seed: int) -> Iterator[int]:
    """Endless indices, epoch by epoch: each once."""
    rng = np.random.default_rng((seed, 0))
    while True:
        yield from rng.permutation(count).tolist()


def even_order(classes: Sequence[int], *, seed: int) -> Iterator[int]:
    """Endless indices, epoch by epoch: as many of each class as the largest has, each image of one as often, or once
    more."""
    rng = np.random.default_rng((seed, 0))
    members = [np.flatnonzero(np.equal(classes, kind)) for kind in np.unique(classes)]
    most = max(map(len, members))
    while True:
        filled = [np.concatenate([np.tile(places, most // len(places)), rng.permutation(places)[: most % len(places)]])
                  for places in members]  # fmt: skip
        yield from rng.permutation(np.concatenate(filled)).tolist()


def _arrays(sample: Sample, has_mask: bool, rng: np.random.Generator, *, patch: int, flips: bool) -> dict:
    image = sample.image
    mask = sample.mask if has_mask else np.zeros(image.shape[:2], np.uint8)
    if sample.label and has_mask and not mask.any():
        raise ValueError(f"{sample.id} is filed as defective, but its mask marks no pixel; outline the defect, "
                         "file the image as good, or take a larger data.size or data.scale")  # fmt: skip
    if patch:
        rows, columns = _window(mask, rng, patch)
        image, mask = image[rows, columns], mask[rows, columns]
    if flips:
        down, across = rng.choice((1, -1), 2)
        image, mask = image[::down, ::across], mask[::down, ::across]
    return {"image": image, "mask": mask, "label": np.int32(sample.label), "has_mask": np.float32(has_mask)}


def _window(mask: np.ndarray, rng: np.random.Generator, patch: int) -> tuple[slice, slice]:
    """A window at random; where the mask marks pixels, one that holds a random one of them."""
    highest = np.array(mask.shape) - patch
    low, high = np.zeros(2, int), highest
    marked = np.flatnonzero(mask)
    if len(marked):
        pixel = np.array(np.unravel_index(rng.choice(marked), mask.shape))
        low, high = np.maximum(pixel - patch + 1, 0), np.minimum(pixel, highest)
    top, left = rng.integers(low, high + 1)
    return slice(top, top + patch), slice(left, left + patch)


def _check(good: Split, defective: Split, *, batch: int, patch: int, masks: int, process_count: int) -> None:
    if not len(defective):
        raise ValueError("no defective images to learn from: the set has none in its training part; give "
                         "data.train_defective_fraction, the share of all that is trained on, such as 0.5")  # fmt: skip
    if not len(good):
        raise ValueError("no good images to learn from; the training split is empty")
    if batch < 1 or batch % process_count:
        raise ValueError(f"batch {batch} does not divide over {process_count} processes; use a multiple of it")
    if masks < -1 or patch < 0:
        raise ValueError(f"train.max_masks = {masks}, train.patch = {patch}; use -1 or more, and 0 or more")
    entries = good.records + defective.records
    sizes = sorted({(entry.height, entry.width) for entry in entries})
    if not patch and len(sizes) > 1:
        raise ValueError(f"train.patch = 0 trains on whole images, of one size, but there are {len(sizes)} from "
                         f"{sizes[0]} to {sizes[-1]} (rows, columns); set data.size, or a train.patch")  # fmt: skip
    small = next((entry for entry in entries if min(entry.height, entry.width) < patch), None)
    if small:
        raise ValueError(f"{small.id} is {small.height} x {small.width} pixels, smaller than train.patch = {patch}; "
                         "use a smaller patch, or enlarge the images with data.scale or data.size")  # fmt: skip
    if patch and (0 <= masks < len(defective) or not all(entry.has_mask for entry in defective.records)):
        raise ValueError(f"train.patch = {patch} cuts windows about defects, so that all defective images need their "
                         "masks; use whole images (train.patch=0) where only labels are known")  # fmt: skip


def _check_kinds(kinds: Sequence[str], defective: Split) -> None:
    there = {entry.kind for entry in defective.records}
    missing = sorted(set(kinds) - there) or sorted(there - set(kinds)) * bool(kinds)
    if missing:
        problem = "no defective training image is of that kind" if missing[0] in kinds else "it is not among them"
        raise ValueError(f"kind {missing[0]!r}: {problem}; those there are: {', '.join(sorted(there))}")
