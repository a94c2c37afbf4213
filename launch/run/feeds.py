"""Where the batches of a config come from: images kept on the devices, a stream, images with labels, features."""

import functools
from collections.abc import Iterator

import jax
import numpy as np
from ml_collections import ConfigDict

import data_pipeline
from jaxdefect import parallel
from jaxdefect.flaws.kinds import KINDS
from jaxdefect.training import feed
from launch.run import cached_features
from launch.run.data import Data, facts_of, patch_of, sizes_of
from launch.run.surfaces import surfaces_of
from launch.run.trained import make_detector

GOOD_ALONE = ("none", "simulated")  # supervision that needs no defective image
PATCHES_PER_IMAGE = 16  # in a batch of the stream, so that few are decoded
SUPERVISION = ("none", "simulated", "masks", "kinds", "surfaces")


def make_feed(config: ConfigDict, data: Data) -> feed.Feed:
    """The training images of a config, with what its detector learns from beside them (train.supervision)."""
    knobs = config.train
    if knobs.supervision not in SUPERVISION:
        raise ValueError(f"train.supervision = {knobs.supervision!r} is not known; use {', '.join(SUPERVISION)}")
    check_memory(config, data)
    return with_flaws(config, as_they_are(config, data))


def check_memory(config: ConfigDict, data: Data) -> None:
    """Raises ValueError, with the figure and a remedy, where there is too little memory for a batch, or for the images
    that are to be kept there."""
    knobs, split, free = config.train, data.converted.train, parallel.free_memory()
    side = patch_of(config, split)
    of_batch = 4 * knobs.batch * side**2 * config.data.channels  # float32
    if of_batch > free:
        fewer = max(1, int(knobs.batch * free / of_batch) // 8)
        raise ValueError(f"train.batch = {knobs.batch} of {side} x {side} pixels takes {of_batch / 1e9:.1f} GB, before "
                         f"anything is learned from it, and {free / 1e9:.1f} GB are free; use train.batch={fewer}, or "
                         "a smaller train.patch")  # fmt: skip
    needed = 2 * kept_bytes(config, split)  # as they are read, and as they are kept
    if needed > free and not streams(config, data):
        remedy = "a smaller data.size" if knobs.supervision == "surfaces" else "train.feed=stream"
        raise ValueError(f"{len(split)} images in memory take {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free; "
                         f"use {remedy}")  # fmt: skip


def kept_bytes(config: ConfigDict, split: data_pipeline.Split) -> int:
    """What good images take where they are kept on a device, each as large as the largest."""
    sizes = np.array(sizes_of(split))
    return len(sizes) * int(np.prod(sizes.max(0) + 2 * margin_of(config))) * config.data.channels


def with_flaws(config: ConfigDict, source: feed.Feed) -> feed.Feed:
    """The feed with flaws made to order on good images, where a config asks for them: those that train.corrupt names,
    or all."""
    knobs = config.train
    kinds = flaws_of(config)
    if not kinds:
        return source
    if knobs.supervision in ("kinds", "surfaces"):
        raise ValueError(f"train.corrupt = {tuple(knobs.corrupt)} with train.supervision = {knobs.supervision!r}: a "
                         "flaw made to order is of no kind and no surface; use none, simulated or masks")  # fmt: skip
    return feed.corrupted(
        source, kinds=kinds, share=knobs.corrupt_share, most=knobs.corrupt_most, noise=knobs.corrupt_noise,
        flips=knobs.flips and not source.sharded,
    )  # fmt: skip


def flaws_of(config: ConfigDict) -> tuple[str, ...]:
    """The kinds of flaws made to order that good images are given; none for a detector that sees them as they are."""
    asked = tuple(config.train.corrupt) or ("all",) * (config.train.supervision == "simulated")
    return tuple(KINDS) if asked == ("all",) else asked


def margin_of(config: ConfigDict) -> int:
    """Pixels by which training images are mirrored all around: flaws near a border are to be learned like others."""
    return config.train.patch // 2 if flaws_of(config) else 0


def as_they_are(config: ConfigDict, data: Data) -> feed.Feed:
    """Training images without flaws made to order."""
    knobs = config.train
    if knobs.zoom and knobs.supervision not in GOOD_ALONE:
        raise ValueError(f"train.zoom = {knobs.zoom} with train.supervision = {knobs.supervision!r}; only good images "
                         "are shown at other sizes: use 0")  # fmt: skip
    if knobs.supervision in ("masks", "kinds"):
        return with_masks(config, data)
    if knobs.supervision == "surfaces":
        return with_surfaces(config, data)
    return good_images(config, data.converted.train)


def with_masks(config: ConfigDict, data: Data) -> feed.Feed:
    """As many defective as good images, with masks where train.max_masks allows, or as many of each kind of defect.

    Where good images get flaws made to order each is a lesson, too: then all are shown as often as the defective ones.
    """
    knobs = config.train
    kinds = facts_of(config, data)["kinds"]
    batches = functools.partial(
        data_pipeline.labelled, data.converted.train, learned_from(config, data.converted.defective), batch=knobs.batch,
        seed=config.seed, patch=knobs.patch, masks=knobs.max_masks, flips=knobs.flips, kinds=kinds,
        every_good=bool(flaws_of(config)),
        process_index=jax.process_index(), process_count=jax.process_count(),
    )  # fmt: skip
    return feed.stream(lambda step: batches(start_step=step))


def learned_from(config: ConfigDict, defective: data_pipeline.Split) -> data_pipeline.Split:
    """The defective images that train.max_defective leaves, drawn by the seed; fewer are among those of more."""
    most = config.train.max_defective
    if most == 0 or most < -1:
        raise ValueError(f"train.max_defective = {most}; give how many defective images are learned from, -1 for all, "
                         "or, to learn from flaws made to order alone, train.supervision=simulated")  # fmt: skip
    if most < 0 or most >= len(defective):
        return defective
    if config.train.supervision == "kinds":
        raise ValueError(f"train.max_defective = {most} with train.supervision = 'kinds', which learns from images of "
                         "every kind; use -1, or train.supervision=masks")  # fmt: skip
    drawn = np.random.default_rng((config.seed, 3)).permutation(len(defective))[:most]
    return defective.part(np.sort(drawn))


def with_surfaces(config: ConfigDict, data: Data) -> feed.Feed:
    """Images of all seen surfaces with their classes, or, where a frozen backbone sees them, its features.

    With data.show_unseen those of unseen surfaces, too.
    """
    surfaces, dataset = surfaces_of(config), data.converted
    check_surfaces(surfaces, data)
    splits = [dataset.train, dataset.defective] if config.data.show_unseen else [dataset.train]
    records = [record for split in splits for record in split.records]
    classes = [surfaces.index(record.surface) for record in records]
    labels = [record.label for record in records]
    frozen = make_detector(config)[0].frozen
    if frozen:
        vectors = np.concatenate([cached_features.of(frozen, data, split) for split in splits])
        return feed.vectors(vectors, surfaces=classes, labels=labels)
    images = [sample.image for split in splits for sample in split]
    ids = [record.id for record in records]
    return feed.in_memory(images, patch=config.train.patch, ids=ids, surfaces=classes, labels=labels)


def check_surfaces(surfaces: list[str], data: Data) -> None:
    """Raises ValueError where a surface of the dataset has no row in the attribute table."""
    dataset = data.converted
    records = (*dataset.train.records, *dataset.calibration.records, *dataset.test.records)
    missing = sorted({record.surface for record in records} - set(surfaces))
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise ValueError(f"the attribute table has no row for surface {missing[0]!r}{more}; it has "
                         f"{', '.join(surfaces)}. Add the rows and give the table by --attributes")  # fmt: skip


def good_images(config: ConfigDict, split: data_pipeline.Split) -> feed.Feed:
    """Patches of good images, kept on the devices or streamed."""
    knobs, patch = config.train, patch_of(config, split)
    halves = feed.halved(len(split), seed=config.data.seed) if knobs.paired_images else None
    image = lambda index: split[index % len(split)]  # A single image is both halves.
    whole = max(max(size) for size in sizes_of(split)) == patch
    if not too_large(config, split):
        samples = [image(i) for i in range(len(split) if halves is None else len(halves))]
        ids = [sample.id for sample in samples]
        images, margin = [s.image for s in samples], margin_of(config)
        return feed.in_memory(images, patch=patch, ids=ids, halves=halves, margin=margin)

    def patches(step: int, images: data_pipeline.Split = split, seed: int = config.seed) -> Iterator[dict]:
        return data_pipeline.patches(
            images, patch=patch, batch=knobs.batch, seed=seed, start_step=step, flips=knobs.flips,
            zoom=knobs.zoom, patches_per_image=1 if whole else PATCHES_PER_IMAGE,
            process_index=jax.process_index(), process_count=jax.process_count(),
        )  # fmt: skip

    def pairs(step: int) -> Iterator[dict]:
        half = lambda which: split.part(np.flatnonzero(halves == which) % len(split))
        second = patches(step, half(1), seed=config.seed + 2**31)  # Draws of its own, not those of the first half.
        for batch, other in zip(patches(step, half(0)), second, strict=False):
            yield batch | {"paired_image": other["image"]}

    return feed.stream(pairs if knobs.paired_images else patches)


def streams(config: ConfigDict, data: Data) -> bool:
    """Whether the batches come from the host, one seed's, instead of images kept on the devices."""
    if config.train.supervision not in GOOD_ALONE:
        return config.train.supervision in ("masks", "kinds")
    return too_large(config, data.converted.train)


def too_large(config: ConfigDict, split: data_pipeline.Split) -> bool:
    """Whether good images are streamed from the host instead of kept on the devices.

    They are where they do not fit there, or are shown in other ways than as they are.
    """
    knobs = config.train
    mebibytes = kept_bytes(config, split) / 2**20
    if knobs.feed not in ("auto", "in_memory", "stream"):
        raise ValueError(f"train.feed = {knobs.feed!r} is not known; use auto, in_memory or stream")
    flips = knobs.flips and not flaws_of(config)  # There images are mirrored on the device, before they get a flaw.
    changed = flips or knobs.zoom > 0
    if changed and knobs.feed == "in_memory":
        raise ValueError(f"train.feed = 'in_memory' with train.flips = {knobs.flips} and train.zoom = {knobs.zoom}; "
                         "images are mirrored and zoomed in the stream: use auto or stream")  # fmt: skip
    return changed or knobs.feed == "stream" or (knobs.feed == "auto" and mebibytes > knobs.memory_limit)


def held_out(config: ConfigDict, data: Data) -> feed.Feed | None:
    """Good images kept from training, as they are, where a config validates on them."""
    if not config.train.validate or config.train.validate_on == "simulated":
        return None
    if config.train.supervision not in GOOD_ALONE or config.train.paired_images:
        raise ValueError(
            "train.validate = True needs good images alone: train.supervision = 'none' and no train.paired_images"
        )
    split = data.converted.calibration
    samples = list(split)
    images, ids = [s.image for s in samples], [s.id for s in samples]
    return with_flaws(config, feed.in_memory(images, patch=patch_of(config, split), ids=ids))
