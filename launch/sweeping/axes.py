"""The axes of a sweep: from a sweep file or the command line to the points that are tried."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from launch.command import configuration


class Axis(NamedTuple):
    """Points that are tried in turn: labels[i] is what the fields of points[i] are called."""

    name: str
    labels: tuple[str, ...]
    numbers: tuple[float, ...] | None  # where the labels are numbers
    points: tuple[dict[str, Any], ...]


def images(
    synthetic: dict[str, dict[str, Any]], datasets: Sequence[str], roots: Sequence[str], where: str
) -> tuple[Axis | None, list[str]]:
    """The axis of what is looked at, None where a sweep leaves that to its runs, and notes on what is missing.

    own: a sweep's IMAGES. datasets, roots: those to take instead.
    """
    labels = [str(label) for label in synthetic]
    if roots and len(roots) != len(datasets):
        raise ValueError(f"--data names {len(roots)} folders for {len(datasets)} datasets; give one for each --dataset")
    if not datasets:
        points = tuple({"data.name": "synthetic"} | fields for fields in synthetic.values())
        return (Axis("images", tuple(labels), None, points) if points else None), []
    used = _kinds(labels, datasets, where)
    points = tuple(
        {"data.name": dataset} | ({"data.root": str(Path(roots[i]).expanduser().resolve())} if roots else {})
        for i, dataset in enumerate(used.values())
    )
    notes = [f"No dataset was given for the {label} images." for label in labels if label not in used]
    return Axis("images", tuple(used), None, points), notes


def _kinds(labels: Sequence[str], datasets: Sequence[str], where: str) -> dict[str, str]:
    """Which dataset stands for which kind of images: as said, "fabric=aitex", or in turn."""
    parts = [dataset.rpartition("=") for dataset in datasets]
    if not any(label for label, *_ in parts):
        if labels and len(datasets) > len(labels):
            raise ValueError(f"{where} has {len(labels)} kinds of images ({', '.join(labels)}); "
                             f"--dataset names {len(datasets)}: {', '.join(datasets)}")  # fmt: skip
        parts = [(label, "=", dataset) for label, dataset in zip(labels or datasets, datasets, strict=False)]
    used = {label: dataset for label, _, dataset in parts}
    if len(used) < len(parts) or "" in used or (labels and not used.keys() <= set(labels)):
        raise ValueError(f"--dataset {','.join(datasets)}: give each dataset a kind of images of its own, "
                         f"kind=dataset, of {', '.join(labels) or 'any name'}, or none")  # fmt: skip
    return used


def axis(fields: dict[str, Sequence], where: str) -> Axis:
    """An axis as a sweep file writes it, {field: values, ...}."""
    lengths = {field: len(values) for field, values in fields.items()}
    if not lengths or 0 in lengths.values():
        raise ValueError(f"{where}: the axis {', '.join(fields) or '{}'} is empty; give it values or take it out")
    if len(set(lengths.values())) > 1:
        raise ValueError(f"{where}: the fields of an axis go together and need as many values each, not {lengths}")
    named = [field for field in fields if not _is_field(field)]
    if len(named) == len(fields):
        raise ValueError(f"{where}: the axis {', '.join(fields)} sets no field; a field is written like settings.alpha")
    first = next(iter(fields))
    values = list(fields[named[0] if named else first])
    numbers = tuple(values) if not named and all(type(value) in (int, float) for value in values) else None
    points = tuple(
        {field: fields[field][i] for field in fields if field not in named} for i in range(len(fields[first]))
    )
    return Axis((named or [first.split(".")[-1]])[0], tuple(map(label, values)), numbers, points)


def _is_field(name: str) -> bool:
    return "." in name or name in ("detector", "preset", "seed")


def fields_of(text: str) -> dict[str, tuple]:
    """An axis as the command line has it, "field=value,value,..."."""
    field, equals, values = text.partition("=")
    if not equals or not _is_field(field):
        raise ValueError(f"--axis {text!r} is no field=value,value, e.g. settings.alpha=0,0.15,1")
    literal = configuration.literal(values)
    many = literal if isinstance(literal, (tuple, list)) else [configuration.literal(v) for v in values.split(",") if v]
    return {field: tuple(many)}


def label(value: Any) -> str:
    """What a value is called."""
    return f"{value:g}" if isinstance(value, (int, float)) and not isinstance(value, bool) else str(value)


def check(swept: Sequence[Axis], where: str, *, groups: str) -> None:
    """Raises ValueError where two axes are the same, or GROUPS is none."""
    axis_names = [axis.name for axis in swept]
    fields = [field for axis in swept for field in axis.points[0]]
    for what, listed in (("name", [*axis_names, "seed"]), ("field", fields)):
        twice = {name for name in listed if listed.count(name) > 1}
        if twice:
            raise ValueError(f"{where}: two axes have the {what} {', '.join(sorted(twice))}; keep one of them")
    if groups and groups not in axis_names:
        raise ValueError(f"{where}: GROUPS = {groups!r} is no axis of the sweep; it has {', '.join(axis_names)}")
    for label in (label for axis in swept if axis.name == groups for label in axis.labels):
        if ": " not in label:
            raise ValueError(f"{where}: GROUPS = {groups!r}, but its {label!r} is not written 'group: name'")


def check_none_set(overrides: Sequence[str], swept: Sequence[Axis]) -> None:
    """Raises ValueError where a field that is swept is set for all runs."""
    fields = {field for axis in swept for field in axis.points[0]} - {"data.name"}
    for pair in overrides:
        field = pair.partition("=")[0]
        if field in fields:
            remedy = "--seeds" if field == "seed" else f"--axis {field}=..."
            raise ValueError(f"{field} is swept; it cannot be the same in all runs. Set its values with {remedy}")
