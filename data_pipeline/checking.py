"""What is in a folder of images, and what is wrong with it. Every image and mask is decoded."""

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from data_pipeline import images, layouts, names, rules
from data_pipeline.load import divide, list_records
from data_pipeline.record import Record, Sample, read
from data_pipeline.rules import Problem, place

FULL_MASK = 0.9  # A mask that marks more of its image than this is taken for an inverted one.
MEANT = "mvtec"  # the layout that people sort their own images into
PARTS = ("train", "ground_truth", "test/good")  # folders of it: who has one means it


class Look(NamedTuple):
    """What was seen in one image: height and width in pixels, Pillow's mode, the number of defect pixels, frames in
    the file, and whether an EXIF rotation turned it.
    """

    record: Record
    height: int
    width: int
    mode: str
    area: int | None
    frames: int = 1
    turned: bool = False


class Found(NamedTuple):
    """What a folder holds: the layout (None: none fits), its records, what is wrong so far, and notes."""

    layout: str | None
    records: list[Record]
    problems: list[Problem]
    notes: list[str]


def choose(folder: Path, layout: str | None, options: dict[str, object]) -> Found:
    """What is in a folder. A layout that does not fit is a problem where it is named, or where there is a folder of it.

    Raises FileNotFoundError or ValueError where there is no folder, no image in it, or the named layout refuses it.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder; give the folder of a dataset or of images")
    if layout is not None:
        return Found(layout, list_records(layout, folder, **options), [], [])
    fits, refusals = {}, {}
    for name in layouts.names():
        if layouts.needs_folder(layouts.find(name)):
            try:
                fits[name] = list_records(name, folder, **options)
            except (FileNotFoundError, ValueError) as error:
                refusals[name] = str(error)
    if fits:
        name = max(fits, key=lambda fit: len(fits[fit]))
        others = [f"it also fits {other}; choose with --layout" for other in fits if other != name]
        return Found(name, fits[name], [], others)
    sorted_so = any(any(folder.glob(f"{above}{part}/")) for part in PARTS for above in ("", "*/"))
    meant = [_told(refusals.pop(MEANT), "")] if sorted_so else []
    masks = "ground_truth" if meant else ""
    plain = sorted(path for path in folder.rglob("*") if images.is_image(path) and masks not in path.parts)
    if not plain and not meant:
        raise FileNotFoundError(f"{folder}: no images in it; known kinds: {', '.join(sorted(images.SUFFIXES))}")
    records = [Record(path.relative_to(folder).as_posix(), path, None, 0, "", "", "") for path in plain]
    others = [f"not {name}: {said.replace(str(folder), folder.name)}" for name, said in refusals.items()]
    notes = ["no layout fits, so the images are checked by themselves: launch.detect takes them, launch.train does not"]
    return Found(None, records, meant, [*notes, *others])


def inspect(
    records: Sequence[Record], *, counted: Callable[[Sequence[Record]], Iterable[Record]] = iter
) -> tuple[list[Look], list[Problem]]:
    """Decodes every record; what was seen, and what is wrong with single images.

    counted: goes through the records, such as a progress bar does.
    """
    looks, problems = [], []
    first: dict[bytes, Record] = {}
    for record in counted(records):
        try:
            sample = read(record, channels=None)
            about = images.about(record.image) if record.image else images.About("", 1, False)
        except (OSError, ValueError) as error:
            problems.append(_told(str(error), place(record)))
            continue
        height, width = sample.image.shape[:2]
        area = int(sample.mask.sum()) if sample.mask is not None and record.label else None
        looks.append(Look(record, height, width, about.mode, area, about.frames, about.turned))
        problems += [Problem(place(record), *found) for found in _rules_of_an_image(record, sample, about.mode)]
        twin = first.setdefault(hashlib.sha256(sample.image.tobytes()).digest(), record)
        if twin is not record:
            problems.append(Problem(place(record), f"the same image as {place(twin)}", "remove one of the two"))
    return looks, problems


def _rules_of_an_image(record: Record, sample: Sample, mode: str) -> Iterator[tuple[str, str]]:
    """(rule, remedy) of everything wrong with a decoded image."""
    if sample.image.min() == sample.image.max():
        yield f"every pixel is {sample.image.min()}", "replace the image"
    elif mode in images.WIDE and sample.image.max() < 32:
        yield (
            f"a 16-bit image that uses only {sample.image.max() + 1} of 256 grey levels once it is 8-bit",
            "rescale it to the 16-bit range (12-bit cameras: multiply by 16)",
        )
    if record.image and (length := len(os.fsencode(record.image.name))) > names.LONGEST:
        yield f"a name of {length} bytes, which leaves none for the names of masks", f"cut it to {names.LONGEST}"
    if sample.mask is None:
        return
    if sample.label and not sample.mask.any():
        yield "the mask of a defective image marks nothing", "outline the defect, or file the image as good"
    elif sample.mask.mean() > FULL_MASK:
        yield f"the mask marks {sample.mask.mean():.0%} of the image", "invert it if white means good"


def of_sets(records: Sequence[Record], *, supervised: bool, allow_unmasked: bool) -> list[Problem]:
    """What is wrong with the records as a whole, by which `load` would refuse them.

    supervised: whether the layout is known, so that there have to be normal images to learn from.
    """
    problems = list(rules.breaches(records, allow_unmasked=allow_unmasked))
    if supervised:
        try:
            divide(records, seed=0, calibration_fraction=0.2, test_good_fraction=0.2)
        except ValueError as error:
            problems.append(_told(str(error), ""))
    return problems


def notes_on(looks: Sequence[Look]) -> Iterator[str]:
    """What is no mistake, but may be none that was meant."""
    frames = [look for look in looks if look.frames > 1]
    if frames:
        yield f"{len(frames)} files hold several frames, of which the first is read, such as {place(frames[0].record)}"
    turned = [look for look in looks if look.turned]
    if turned:
        yield (f"{len(turned)} images are turned upright, as their EXIF rotation says; their masks have to be drawn on "
               f"the upright image; such as {place(turned[0].record)}")  # fmt: skip
    depths = {wide: [look for look in looks if look.mode and (look.mode in images.WIDE) == wide] for wide in (0, 1)}
    if all(depths.values()):
        yield (f"{len(depths[0])} images of 8 bits, such as {place(depths[0][0].record)}, and {len(depths[1])} of 16 "
               f"bits, such as {place(depths[1][0].record)}: make sure that both are of one brightness")  # fmt: skip


def unused(folder: Path, records: Sequence[Record]) -> tuple[list[Problem], list[str]]:
    """What below the folder belongs to no record: problems of images beside used ones, of kinds that are not read and
    of folders that cannot be entered; notes on images in folders of their own and on empty folders.
    """
    used = {path for record in records for path in (record.image, record.mask, *record.more) if path}
    near = {path.parent for path in used}
    problems, strays, empty = [], [], []

    def shut(error: OSError) -> None:
        problems.append(Problem(str(error.filename), "this user may not read the folder", "change its permissions"))

    for place_, folders, files in os.walk(folder, onerror=shut):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        paths = [Path(place_, name) for name in sorted(files) if not name.startswith(".")]
        empty += [place_] if not paths and not folders else []
        strays += [path for path in paths if images.is_image(path) and path not in used]
        problems += [
            Problem(str(path), f"a {path.suffix} file, which is not read", "convert it to PNG")
            for path in paths
            if path.suffix.lower() in images.OTHER_SUFFIXES
        ]
    rule = "belongs to nothing: a mask without its image, or a name the layout does not know"
    problems += [Problem(str(path), rule, "rename or remove it") for path in strays if path.parent in near]
    apart = Counter(path.parent for path in strays if path.parent not in near)
    notes = [f"{count} images in {parent} are not part of the layout" for parent, count in apart.items()]
    return problems, [*notes, *(f"{name} is empty" for name in empty)]


def _told(text: str, file: str) -> Problem:
    """Our own errors read "file: what is wrong; what to do"; others are of the file that is given."""
    named, colon, rest = text.partition(": ")
    if colon and (Path(named).exists() or Path(named).is_symlink()):
        file, text = named, rest
    rule, _, remedy = text.rpartition("; ")
    return Problem(file, rule or text, remedy if rule else "")
