"""load(): a dataset by name, divided into normal training, normal calibration and test pictures."""

import functools
import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from data_pipeline import builder, layouts, pictures
from data_pipeline.builder import Entry
from data_pipeline.record import Record, Sample, read


class Split(Sequence[Sample]):
    """Pictures of one part of a dataset: split[i] decodes a Sample; split.records lists Entry without decoding
    anything.
    """

    def __init__(self, records: Sequence[Entry], sample: Callable[[int], Sample]):
        self.records = tuple(records)
        self._sample = sample

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> Sample:
        if not -len(self) <= index < len(self):
            raise IndexError(f"picture {index} of {len(self)}")
        return self._sample(index % len(self))

    def part(self, chosen: Sequence[int]) -> "Split":
        """The pictures of these places, in this order."""
        return Split([self.records[index] for index in chosen], lambda index: self[chosen[index]])


class Dataset(NamedTuple):
    """train and calibration hold normal pictures only, test both; defective holds what supervised methods may train on.

    fingerprint changes with the files, the options and the conversion of the pictures.
    """

    name: str
    train: Split
    calibration: Split
    test: Split
    fingerprint: str
    defective: Split


def load(
    name: str,
    *,
    root: str | os.PathLike | None = None,
    cache: str | os.PathLike | bool | None = None,
    seed: int = 0,
    calibration: float = 0.2,
    test_good: float = 0.2,
    channels: int = 1,
    scale: float = 1.0,
    resize: tuple[int, int] | None = None,
    allow_unmasked: bool = False,
    **layout_options: object,
) -> Dataset:
    """A dataset, prepared on first use and decoded picture by picture afterwards.

    name is a file in `layouts`; root the folder of its pictures, by default $JAXDEFECT_DATA/name. cache is the folder
    of prepared datasets, by default $JAXDEFECT_CACHE or ~/.cache/jaxdefect; False reads the files themselves every
    time. channels 1 is grey, 3 is RGB; scale resizes by a factor, resize=(height, width) to a fixed size.

    train are the normal training pictures, of which the fraction `calibration` (at least one picture) is held out. test
    is the set's own test part; where it has none, all defective pictures and the fraction test_good of the normal ones
    (at least one of three). defective are the defective pictures of the set's own training part. Who goes where depends
    on seed and the ids of the pictures alone. allow_unmasked keeps defective pictures that nobody has outlined; their
    Sample.mask is None.

    seed and test_good also go to a layout that has options of these names (synthetic: number of pictures).

    Raises ValueError for an unknown name or option, for bad pictures, and where too few normal pictures are left;
    FileNotFoundError where the folder is not what the layout expects.
    """
    layout = layouts.find(name)
    shared = {"seed": (seed, 0), "test_good": (test_good, 0.2)}
    known = layouts.options(layout)
    given = layout_options | {key: value for key, (value, usual) in shared.items() if key in known and value != usual}
    test_good = 0.2 if "test_good" in known else test_good
    records = list_records(name, root, **given)
    _check(name, records, allow_unmasked=allow_unmasked)
    conversion = {"channels": channels, "scale": scale, "size": resize}
    _check_conversion(**conversion)
    version = getattr(layout, "VERSION", "")
    mark = builder.fingerprint(records, name=name, version=version, options=known | given, **conversion)
    decode = functools.partial(read, **conversion)
    if cache is False:
        entries, sample = [_entry(record, scale, resize) for record in records], lambda index: decode(records[index])
    else:
        folder = Path(cache) if cache not in (None, True) else default_cache()
        entries, sample = builder.prepare(name, mark, folder, records=records, read=decode, channels=channels)
    parts = divide(records, seed=seed, calibration=calibration, test_good=test_good)
    splits = {
        part: Split([entries[i] for i in chosen], lambda index, chosen=chosen: sample(chosen[index]))
        for part, chosen in parts.items()
    }
    return Dataset(name=name, fingerprint=mark, **splits)


def list_records(name: str, root: str | os.PathLike | None = None, **options: object) -> list[Record]:
    """The records of a dataset as its layout finds them, with unknown options and missing folders refused."""
    layout = layouts.find(name)
    known = layouts.options(layout)
    for key in options:
        if key not in known:
            raise ValueError(f"unknown option {key!r} of dataset {name!r}{layouts.nearest(key, sorted(known))}")
    if not layouts.needs_folder(layout):
        return list(layout.records(**options))
    if root is None:
        if "JAXDEFECT_DATA" not in os.environ:
            raise ValueError(
                f"dataset {name!r} needs the folder of its pictures; give root=, or set JAXDEFECT_DATA to its parent"
            )
        root = Path(os.environ["JAXDEFECT_DATA"]) / name
    root = Path(root).expanduser()
    if not root.is_dir():
        raise FileNotFoundError(f"{root}: no such folder; root= must be the folder of the {name} pictures")
    return list(layout.records(root, **options))


def default_cache() -> Path:
    """Where prepared datasets go: $JAXDEFECT_CACHE or ~/.cache/jaxdefect."""
    return Path(os.environ.get("JAXDEFECT_CACHE") or Path.home() / ".cache" / "jaxdefect")


def divide(records: Sequence[Record], *, seed: int, calibration: float, test_good: float) -> dict[str, list[int]]:
    """Indices of the records in train, calibration, test and defective, as `load` describes them."""
    for field, fraction in (("calibration", calibration), ("test_good", test_good)):
        if not 0 <= fraction < 1:
            raise ValueError(f"{field}={fraction}; a fraction of the normal pictures, from 0 up to but not including 1")

    def order(index: int) -> bytes:
        return hashlib.sha256(f"{seed}/{records[index].id}".encode()).digest()

    official = any(record.split == "test" for record in records)
    ordered = sorted(range(len(records)), key=order)
    pool = [i for i in ordered if not records[i].label and records[i].split != "test"]
    test = [i for i in ordered if records[i].split == "test" or (not official and records[i].label)]
    if not official and len(pool) >= 3:
        held = max(1, round(test_good * len(pool)))
        test, pool = test + pool[:held], pool[held:]
    held = max(1, round(calibration * len(pool)))
    if held >= len(pool):
        raise ValueError(
            f"{len(pool)} normal training pictures leave none to train on once {held} is held out for calibration "
            f"(calibration={calibration}); add normal pictures or lower the fractions calibration and test_good"
        )
    defective = [i for i in ordered if records[i].label and official and records[i].split != "test"]
    return {
        "train": sorted(pool[held:], key=lambda i: records[i].id),
        "calibration": sorted(pool[:held], key=lambda i: records[i].id),
        "test": sorted(test, key=lambda i: records[i].id),
        "defective": sorted(defective, key=lambda i: records[i].id),
    }


def _check(name: str, records: Sequence[Record], *, allow_unmasked: bool) -> None:
    seen: set[str] = set()
    for record in records:
        if record.id in seen:
            raise ValueError(f"two pictures of {name!r} are called {record.id!r} ({record.image}); rename one of them")
        seen.add(record.id)
    bare = [record for record in records if not record.outlined]
    if bare and not allow_unmasked:
        raise ValueError(
            f"{bare[0].image}: a defective picture without a mask, as are {len(bare)} of the "
            f"{sum(record.label for record in records)} defective pictures; add the masks, or pass "
            "allow_unmasked=True to leave such pictures out of the pixel figures"
        )


def _check_conversion(channels: int, scale: float, size: tuple[int, int] | None) -> None:
    if channels not in (1, 3):
        raise ValueError(f"channels={channels!r}; use 1 for grey or 3 for RGB")
    if not 0 < scale <= 16:
        raise ValueError(f"scale={scale}; a factor above 0 and up to 16")
    if size is not None and (len(size) != 2 or min(size) < 1 or scale != 1.0):
        raise ValueError(f"resize={size} with scale={scale}; resize is (height, width) in pixels and excludes scale")


def _entry(record: Record, scale: float, size: tuple[int, int] | None) -> Entry:
    height, width = record.draw()[0].shape[:2] if record.draw is not None else pictures.header(record.image)[:2]
    height, width = pictures.target_size(height, width, scale=scale, size=size)
    return Entry(record.id, record.kind, record.surface, record.label, height, width, record.outlined)
