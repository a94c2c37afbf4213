"""load(): a dataset by name, divided into normal training, normal calibration and test images."""

import functools
import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from data_pipeline import images, layouts, prepared, rules, surface_classes
from data_pipeline.names import plain
from data_pipeline.prepared import Entry
from data_pipeline.record import Record, Sample, read, source


class Split(Sequence[Sample]):
    """Images of one part of a dataset: split[i] decodes a Sample; split.records lists Entry without decoding
    anything.
    """

    def __init__(self, records: Sequence[Entry], sample: Callable[[int], Sample]):
        self.records = tuple(records)
        self._sample = sample

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> Sample:
        if not -len(self) <= index < len(self):
            raise IndexError(f"image {index} of {len(self)}")
        return self._sample(index % len(self))

    def part(self, chosen: Sequence[int]) -> "Split":
        """The images of these places, in this order."""
        return Split([self.records[index] for index in chosen], lambda index: self[chosen[index]])


class Mix(NamedTuple):
    """Surfaces as classes, some of them unseen; see `mixed`."""

    unseen: tuple[str, ...] = ()
    per_surface: int = 300
    split_after_augmentation: bool = False


class Dataset(NamedTuple):
    """train and calibration hold normal images only, test both; defective and calibration_defective hold what
    supervised methods may train on, and fit thresholds on.

    fingerprint changes with the files, the options and the conversion of the images.
    """

    name: str
    train: Split
    calibration: Split
    test: Split
    fingerprint: str
    defective: Split
    calibration_defective: Split


def load(
    name: str,
    *,
    root: str | os.PathLike | None = None,
    cache: str | os.PathLike | bool | None = None,
    seed: int = 0,
    calibration_fraction: float = 0.2,
    test_good_fraction: float = 0.2,
    train_defective_fraction: float = 0.0,
    surface: str = "",
    mix: Mix | None = None,
    channels: int = 1,
    scale: float = 1.0,
    resize: tuple[int, int] | None = None,
    allow_unmasked: bool = False,
    **layout_options: object,
) -> Dataset:
    """A dataset, prepared on first use and decoded image by image afterwards.

    name is a file in `layouts`; root the folder of its images, by default $JAXDEFECT_DATA/name. cache is the folder
    of prepared datasets, by default $JAXDEFECT_CACHE or ~/.cache/jaxdefect; False reads the files themselves every
    time. channels 1 is grey, 3 is RGB; scale resizes by a factor, resize=(height, width) to a fixed size.

    train are the normal training images, of which calibration_fraction (at least one image) is held out. test is the
    set's own test part; where it has none, all defective images and test_good_fraction of the normal ones (at least one
    of three). defective are the defective images of the set's own training part, or train_defective_fraction of those
    for the test where it has none; of them, too, calibration_fraction is held out (at least one of two). Who goes where
    depends on seed and the ids of the images alone. Where no defective image has a mask, all are kept and their
    Sample.mask is None; allow_unmasked keeps such images beside outlined ones. mix makes the surfaces what is told
    apart: label 1 is an unseen surface then, and defective and calibration_defective hold the images of unseen surfaces
    in the set's own training part.

    seed also goes to a layout that has an option of this name.

    Raises ValueError for an unknown name or option, for bad images, and where too few normal images are left;
    FileNotFoundError where the folder is not what the layout expects.
    """
    layout = layouts.find(name)
    options = layouts.options(layout)
    given = layout_options | ({"seed": seed} if "seed" in options and seed else {})
    records = list_records(name, root, **given)
    if surface:
        records = _of_surface(name, records, surface)
    if mix:
        _check_unseen(name, records, mix.unseen)
        records = surface_classes.balanced(
            records, per_surface=mix.per_surface, seed=seed, split_after_augmentation=mix.split_after_augmentation
        )
    for breach in rules.breaches(records, allow_unmasked=allow_unmasked):
        raise ValueError(str(breach))
    conversion = {"channels": channels, "scale": scale, "size": resize}
    _check_conversion(**conversion)
    version = getattr(layout, "VERSION", "")
    mark = prepared.fingerprint(records, name=name, version=version, options=options | given, **conversion)
    decode = functools.partial(read, **conversion)
    if cache is False:
        entries, sample = [_entry(record, scale, resize) for record in records], lambda index: decode(records[index])
    else:
        folder = Path(cache) if cache not in (None, True) else default_cache()
        entries, sample = prepared.prepare(name, mark, folder, records=records, read=decode, channels=channels)
    fractions = {
        "calibration_fraction": calibration_fraction, "test_good_fraction": test_good_fraction,
        "train_defective_fraction": train_defective_fraction,
    }  # fmt: skip
    if mix:
        entries, sample, parts = _mixed(records, entries, sample, mix, seed=seed, **fractions)
    else:
        parts = divide(records, seed=seed, **fractions)
    splits = {
        part: Split([entries[i] for i in chosen], lambda index, chosen=chosen: sample(chosen[index]))
        for part, chosen in parts.items()
    }
    return Dataset(name=name, fingerprint=mark, **splits)


def list_records(name: str, root: str | os.PathLike | None = None, **options: object) -> list[Record]:
    """The records of a dataset as its layout finds them, with unknown options and missing folders refused."""
    layout = layouts.find(name)
    layout_options = layouts.options(layout)
    for key in options:
        if key not in layout_options:
            raise ValueError(
                f"unknown option {key!r} of dataset {name!r}{layouts.nearest(key, sorted(layout_options))}"
            )
    if not layouts.needs_folder(layout):
        return [_named(record) for record in layout.records(**options)]
    if root is None:
        if "JAXDEFECT_DATA" not in os.environ:
            raise ValueError(
                f"dataset {name!r} needs the folder of its images; give --data FOLDER (data.root=FOLDER), or set "
                "JAXDEFECT_DATA to its parent"
            )
        root = Path(os.environ["JAXDEFECT_DATA"]) / name
    root = Path(root).expanduser()
    if not root.is_dir():
        raise FileNotFoundError(f"{root}: no such folder; --data (data.root) must be the folder of the {name} images")
    return [_named(record) for record in layout.records(root, **options)]


def _named(record: Record) -> Record:
    """With names that can be shown and stored anywhere."""
    return record._replace(id=plain(record.id), kind=plain(record.kind), surface=plain(record.surface))


def default_cache() -> Path:
    """Where prepared datasets go: $JAXDEFECT_CACHE or ~/.cache/jaxdefect."""
    return Path(os.environ.get("JAXDEFECT_CACHE") or Path.home() / ".cache" / "jaxdefect")


def _mixed(
    records: list[Record], entries: list[Entry], sample: Callable[[int], Sample], mix: Mix, *, seed: int, **fractions
) -> tuple[list[Entry], Callable[[int], Sample], dict[str, list[int]]]:
    """Entries, samples and parts where labels say whether a surface is unseen. What is prepared serves any choice."""
    again = lambda image: surface_classes.relabelled(image, mix.unseen)
    kept = [i for i, r in enumerate(records) if not (r.surface in mix.unseen and surface_classes.is_copy(r.id))]
    whole = (lambda id: id) if mix.split_after_augmentation else source
    parts = divide([again(records[i]) for i in kept], seed=seed, source=whole, **fractions)
    indices = {part: [kept[i] for i in chosen] for part, chosen in parts.items()}
    return [again(entry) for entry in entries], lambda index: again(sample(index)), indices


def divide(
    records: Sequence[Record],
    *,
    seed: int,
    calibration_fraction: float,
    test_good_fraction: float,
    train_defective_fraction: float = 0.0,
    source: Callable[[str], str] = source,
) -> dict[str, list[int]]:
    """Indices of the records in each part of a Dataset, as `load` describes them.

    source: of an id; records of one source are not parted.
    """
    fractions = {
        "calibration_fraction": calibration_fraction, "test_good_fraction": test_good_fraction,
        "train_defective_fraction": train_defective_fraction,
    }  # fmt: skip
    for field, fraction in fractions.items():
        if not 0 <= fraction < 1:
            raise ValueError(f"data.{field}={fraction}; a fraction of the images, from 0 up to but not including 1")

    def order(index: int) -> tuple[bytes, str]:
        id = records[index].id
        return hashlib.sha256(f"{seed}/{source(id)}".encode()).digest(), id

    def split(indices: list[int], count: int) -> tuple[list[int], list[int]]:
        """The first `count`, and as many more as are of the last one's source; the others."""
        while 0 < count < len(indices) and source(records[indices[count - 1]].id) == source(records[indices[count]].id):
            count += 1
        return indices[:count], indices[count:]

    official = any(record.split == "test" for record in records)
    ordered = sorted(range(len(records)), key=order)
    pool = [i for i in ordered if not records[i].label and records[i].split != "test"]
    test = [i for i in ordered if records[i].split == "test"]
    defective = [i for i in ordered if records[i].label and records[i].split != "test"]
    if not official:
        test, defective = defective, []
        if len(pool) >= 3:
            held, pool = split(pool, max(1, round(test_good_fraction * len(pool))))
            test = test + held
    if train_defective_fraction and not defective:
        defective_there = [i for i in test if records[i].label]
        defective, _ = split(defective_there, round(train_defective_fraction * len(defective_there)))
        test = sorted(set(test) - set(defective))
    held, left = split(pool, max(1, round(calibration_fraction * len(pool))))
    if not left:
        raise ValueError(
            f"{len(pool)} normal training images leave none to train on once {len(held)} is held out for calibration "
            f"(data.calibration_fraction={calibration_fraction}); add normal images, or lower it and "
            "data.test_good_fraction"
        )
    few = len(defective) < 2
    held_defective, defective = split(defective, 0 if few else max(1, round(calibration_fraction * len(defective))))
    parts = {
        "train": left, "calibration": held, "test": test, "defective": defective,
        "calibration_defective": held_defective,
    }  # fmt: skip
    return {name: sorted(chosen, key=lambda i: records[i].id) for name, chosen in parts.items()}


def _of_surface(name: str, records: Sequence[Record], surface: str) -> list[Record]:
    surfaces = sorted({record.surface for record in records})
    if surface not in surfaces:
        raise ValueError(f"data.surface = {surface!r} is no surface of {name!r}{layouts.nearest(surface, surfaces)}")
    return [record for record in records if record.surface == surface]


def _check_unseen(name: str, records: Sequence[Record], unseen: Sequence[str]) -> None:
    surfaces = sorted({record.surface for record in records})
    for surface in unseen:
        if surface not in surfaces:
            raise ValueError(f"data.unseen names {surface!r}, which is no surface of {name!r}"
                             f"{layouts.nearest(surface, surfaces)}")  # fmt: skip
    if len(surfaces) - len(set(unseen)) < 2:
        raise ValueError(f"data.unseen = {tuple(unseen)} leaves fewer than two of the surfaces {', '.join(surfaces)} "
                         "of this dataset; at least two must be seen to be told apart")  # fmt: skip


def _check_conversion(channels: int, scale: float, size: tuple[int, int] | None) -> None:
    if channels not in (1, 3):
        raise ValueError(f"data.channels={channels!r}; use 1 for grey or 3 for RGB")
    if not 0 < scale <= 16:
        raise ValueError(f"data.scale={scale}; a factor above 0 and up to 16")
    if size is not None and len(size) == 2:
        images.target_size(1, 1, size=size)
    if size is not None and (len(size) != 2 or min(size) < 1 or scale != 1.0):
        raise ValueError(f"resize={size} with scale={scale}; resize is (height, width) in pixels and excludes scale")


def _entry(record: Record, scale: float, size: tuple[int, int] | None) -> Entry:
    height, width = record.draw()[0].shape[:2] if record.draw is not None else images.upright_size(record.image)
    height, width = images.target_size(height, width, scale=scale, size=size)
    return Entry(record.id, record.kind, record.surface, record.label, height, width, record.has_mask)
