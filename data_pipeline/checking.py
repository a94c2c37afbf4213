"""What is in a folder of images, and what is wrong with it. Every image and mask is decoded."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from data_pipeline import images, layouts
from data_pipeline.load import list_records
from data_pipeline.record import Record, Sample, read

FULL_MASK = 0.9  # A mask that marks more of its image than this is taken for an inverted one.


class Problem(NamedTuple):
    """What is wrong with a file, by which rule, and what to do."""

    file: str
    rule: str
    remedy: str


class Look(NamedTuple):
    """What was seen in one image: height and width in pixels, Pillow's mode, and the number of defect pixels."""

    record: Record
    height: int
    width: int
    mode: str
    area: int | None


def choose(folder: Path, layout: str | None, options: dict[str, object]) -> tuple[str | None, list[Record], list[str]]:
    """The layout's name (None: none fits), the records it finds, and notes on the choice.

    Raises FileNotFoundError or ValueError where there is no folder, no image in it, or the named layout refuses it.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder; give the folder of a dataset or of images")
    if layout is not None:
        return layout, list_records(layout, folder, **options), []
    fits, refusals = {}, []
    for name in layouts.names():
        if layouts.needs_folder(layouts.find(name)):
            try:
                fits[name] = list_records(name, folder, **options)
            except (FileNotFoundError, ValueError) as error:
                refusals.append(f"not {name}: {str(error).replace(str(folder), folder.name)}")
    if fits:
        name = max(fits, key=lambda fit: len(fits[fit]))
        others = [f"it also fits {other}; choose with --layout" for other in fits if other != name]
        return name, fits[name], others
    plain = sorted(path for path in folder.rglob("*") if images.is_image(path))
    if not plain:
        raise FileNotFoundError(f"{folder}: no images in it; known kinds: {', '.join(sorted(images.SUFFIXES))}")
    records = [Record(path.relative_to(folder).as_posix(), path, None, 0, "", "", "") for path in plain]
    return None, records, ["no layout fits, so the images are checked by themselves", *refusals]


def inspect(
    records: Sequence[Record], *, counted: Callable[[Sequence[Record]], Iterable[Record]] = iter
) -> tuple[list[Look], list[Problem]]:
    """Decodes every record; what was seen, and what is wrong with single images.

    counted: goes through the records, such as a progress bar does.
    """
    looks, problems = [], []
    with_masks = any(record.has_mask for record in records if record.label)
    first: dict[bytes, Record] = {}
    for record in counted(records):
        try:
            sample = read(record, channels=None)
            mode = images.header(record.image)[2] if record.image else ""
        except (OSError, ValueError) as error:
            problems.append(_from_error(error, record))
            continue
        height, width = sample.image.shape[:2]
        area = int(sample.mask.sum()) if sample.mask is not None and record.label else None
        looks.append(Look(record, height, width, mode, area))
        problems += [
            Problem(str(record.image or record.id), *rule_and_remedy)
            for rule_and_remedy in _rules_of_an_image(sample, mode, with_masks)
        ]
        twin = first.setdefault(hashlib.sha256(sample.image.tobytes()).digest(), record)
        if twin is not record:
            rule = f"the same image as {twin.image or twin.id}"
            problems.append(Problem(str(record.image or record.id), rule, "remove one of the two"))
    return looks, problems


def _rules_of_an_image(sample: Sample, mode: str, with_masks: bool) -> Iterator[tuple[str, str]]:
    """(rule, remedy) of everything wrong with a decoded image. with_masks: whether any defective image has one."""
    if sample.image.min() == sample.image.max():
        yield f"every pixel is {sample.image.min()}", "replace the image"
    elif mode in images.WIDE and sample.image.max() < 32:
        yield (
            f"a 16-bit image that uses only {sample.image.max() + 1} of 256 grey levels once it is 8-bit",
            "rescale it to the 16-bit range (12-bit cameras: multiply by 16)",
        )
    if sample.mask is None and not with_masks:
        return  # Labels alone are enough for figures of images.
    if sample.mask is None:
        yield "a defective image without a mask", "outline the defect, or train with data.options.allow_unmasked=True"
    elif sample.label and not sample.mask.any():
        yield "the mask of a defective image marks nothing", "outline the defect, or file the image as good"
    elif sample.mask.mean() > FULL_MASK:
        yield f"the mask marks {sample.mask.mean():.0%} of the image", "invert it if white means good"


def rules_of_sets(records: Sequence[Record], *, supervised: bool) -> list[Problem]:
    """What is wrong with the records as a whole: repeated ids, and (in a known layout) too few normal images."""
    problems = []
    for name, count in Counter(record.id for record in records).items():
        if count > 1:
            problems.append(Problem(name, f"{count} images have this name", "rename them, file type aside"))
    normal = sum(not record.label and record.split != "test" for record in records)
    if supervised and normal < 2:
        rule = f"{normal} normal images to train on; one is needed to train and one to calibrate"
        problems.append(Problem("", rule, "add normal images"))
    return problems


def unused(folder: Path, records: Sequence[Record]) -> tuple[list[Problem], list[str]]:
    """Images below the folder that belong to no record: problems beside used ones, notes in folders of their own."""
    used = {path for record in records for path in (record.image, record.mask, *record.more) if path}
    near = {path.parent for path in used}
    strays = sorted(path for path in folder.rglob("*") if images.is_image(path) and path not in used)
    rule = "belongs to nothing: a mask without its image, or a name the layout does not know"
    problems = [Problem(str(path), rule, "rename or remove it") for path in strays if path.parent in near]
    apart = Counter(path.parent for path in strays if path.parent not in near)
    return problems, [f"{count} images in {parent} are not part of the layout" for parent, count in apart.items()]


def _from_error(error: Exception, record: Record) -> Problem:
    """Our own errors read "file: what is wrong; what to do"."""
    text, file = str(error), str(record.image or record.id)
    for path in (record.image, record.mask, *record.more):
        if path and text.startswith(f"{path}: "):
            file, text = str(path), text.removeprefix(f"{path}: ")
    rule, _, remedy = text.rpartition("; ")
    return Problem(file, rule or text, remedy if rule else "")
