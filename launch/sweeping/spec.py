"""From a file that says what to sweep to the list of runs.

A sweep file (configs/sweeps/NAME.py, or a file of one's own) is a few constants; a field is one of the config, such as
`settings.alpha`:

    TITLE, SOURCE   what is swept, and which paper's table it stands beside; the docstring says the rest
    DETECTOR, PRESET            the config to start from
    BASE = {field: value}       what is different in all runs (optional)
    QUICK = {field: value}      what `--quick` makes smaller (optional)
    PICTURES = {label: {field: value}}   kinds of pictures, and where the synthetic ones come from; `--dataset` replaces
                                         them in this order, or as it says: label=dataset. Without, any datasets may be
                                         given, called by their names
    AXES = ({field: values, ...}, ...)   every combination of the axes is run; fields of one axis go together; a key
                                         that is no field, such as "loss", holds labels for the axis's values
    RUNS = {label: {field: value}, ...}  instead of AXES: just these runs
    SEEDS = (0, 1, 2)           every combination is run with each
    FIGURES = ("pixel.f1", ...) of result.json; the first is the one that counts
    MULTIPLE_OF = {axis: value} the setting whose first figure is the unit that the others' are also told in (optional)
    BY_KIND = True              a row for each kind of defect (optional)
    PAPER = (({axis: value, ...}, {figure: value}), ...)  published values; WHY says why some have no run (optional)

`data.options` in a sweep file are those of the synthetic pictures and fall away with `--dataset`.
"""

import importlib
import importlib.util
import itertools
import pkgutil
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from launch import config as configs

REQUIRED = ("TITLE", "SOURCE", "DETECTOR", "PRESET", "SEEDS", "FIGURES")
OPTIONAL = {
    "BASE": {}, "QUICK": {}, "PICTURES": {}, "AXES": (), "RUNS": {}, "MULTIPLE_OF": {}, "BY_KIND": False, "PAPER": (),
    "WHY": "",
}  # fmt: skip
SECTIONS = ("image", "pixel", "surfaces", "kinds", "boxes", "timings")  # of result.json, that figures are taken from


class Axis(NamedTuple):
    """Points that are tried in turn: labels[i] is what the fields of points[i] are called."""

    name: str
    labels: tuple[str, ...]
    numbers: tuple[float, ...] | None  # where the labels are numbers
    points: tuple[dict[str, Any], ...]


class Run(NamedTuple):
    """One run of a sweep. at: {axis name: label}."""

    name: str
    at: dict[str, str]
    seed: int
    config: ConfigDict


class Spec(NamedTuple):
    """A sweep, ready to run."""

    name: str
    size: str  # full or quick
    title: str
    about: str
    source: str
    axes: tuple[Axis, ...]
    fixed: dict[str, str]  # what is the same in all runs, as a label: the one kind of pictures
    seeds: tuple[int, ...]
    figures: tuple[str, ...]
    multiple_of: dict[str, str]
    by_kind: bool
    paper: tuple[dict[str, Any], ...]  # {"at": {axis: label}, "figures": {figure: value}}
    why: str
    notes: tuple[str, ...]
    runs: tuple[Run, ...]


def names() -> list[str]:
    """The sweeps there are."""
    return sorted(module.name for module in pkgutil.iter_modules(importlib.import_module("configs.sweeps").__path__))


def read(
    name: str,
    *,
    quick: bool = False,
    datasets: Sequence[str] = (),
    roots: Sequence[str] = (),
    axes: Sequence[str] = (),
    seeds: Sequence[int] | None = None,
    overrides: Sequence[str] = (),
    weights: str = "",
) -> Spec:
    """A sweep by its name or the path of its file.

    datasets, roots: the pictures to use instead of the synthetic ones, for each of PICTURES in turn, or for the one
    that is named, "label=dataset". axes: "field=value,value,..." replaces the file's axes. overrides: "field=value" for
    all runs. weights: a backbone's file, for the runs whose detector has one (settings.weights). Raises ValueError that
    names the file, the field and the remedy.
    """
    said = _constants(name)
    where = said["where"]
    if weights and not Path(weights).is_file():
        raise ValueError(
            f"--weights {weights}: there is no such file; give a .safetensors, .h5 or .pth of the backbone"
        )
    pictures, notes = _pictures(said, datasets, roots)
    if axes:
        said["AXES"], said["RUNS"] = [_axis_of(text) for text in axes], {}
    alone = pictures is not None and len(pictures.points) == 1
    swept = [pictures] if pictures and not alone else []
    if said["RUNS"]:
        points = [fields if isinstance(fields, dict) else {} for fields in said["RUNS"].values()]
        swept.append(Axis("run", tuple(map(str, said["RUNS"])), None, tuple(points)))
    swept += [_axis(axis, where) for axis in said["AXES"]]
    _check_axes(swept, where)
    seeds = tuple(said["SEEDS"] if seeds is None else seeds)
    if not seeds or len(set(seeds)) != len(seeds) or not all(type(seed) is int for seed in seeds):
        raise ValueError(f"{where}: SEEDS = {seeds} must be different whole numbers, at least one")
    swept.append(Axis("seed", tuple(map(str, seeds)), None, tuple({"seed": seed} for seed in seeds)))
    # A sweep's own pictures (of 1024 x 1024, say) come before what --quick makes smaller of them.
    common = [said["BASE"], *(pictures.points if alone else ())]
    common += [said["QUICK"]] if quick else []
    _check_no_axis(overrides, swept)
    synthetic = not datasets
    runs = tuple(
        _run(said, common, [axis.points[i] for axis, i in zip(swept, place, strict=True)],
             {axis.name: axis.labels[i] for axis, i in zip(swept, place, strict=True)}, synthetic, overrides, weights)
        for place in itertools.product(*(range(len(axis.points)) for axis in swept))
    )  # fmt: skip
    _check_names(runs, where)
    blind = [run.config.detector for run in runs if run.config.settings.get("weights") == ""]
    if blind:
        names = ", ".join(dict.fromkeys(blind))
        notes.append(f"No file of weights was given (--weights): {names} look through a network of random weights.")
    labels = lambda at: {axis: _label(value) for axis, value in at.items()}
    paper = tuple({"at": labels(at), "figures": figures} for at, figures in said["PAPER"])
    return Spec(
        name=said["name"], size="quick" if quick else "full", title=said["TITLE"], about=said["about"],
        source=said["SOURCE"], axes=tuple(swept[:-1]), fixed={"pictures": pictures.labels[0]} if alone else {},
        seeds=seeds, figures=tuple(said["FIGURES"]), by_kind=said["BY_KIND"], paper=paper, why=said["WHY"],
        multiple_of=labels(said["MULTIPLE_OF"]),
        notes=tuple(notes), runs=runs,
    )  # fmt: skip


def _constants(name: str) -> dict[str, Any]:
    path = Path(name)
    if path.suffix == ".py":
        if not path.is_file():
            raise ValueError(f"there is no sweep file {path}; give the name of one of {', '.join(names())}, or a file")
        found = importlib.util.spec_from_file_location(f"sweep_{path.stem}", path)
        module = importlib.util.module_from_spec(found)
        found.loader.exec_module(module)
    elif name in names():
        module = importlib.import_module(f"configs.sweeps.{name}")
    else:
        raise ValueError(f"there is no sweep {name!r}{configs.nearest(name, names())}")
    where = str(path) if path.suffix == ".py" else f"configs/sweeps/{name}.py"
    return {"name": path.stem, "where": where} | _checked(module, where)


def _checked(module: ModuleType, where: str) -> dict[str, Any]:
    known = (*REQUIRED, *OPTIONAL)
    missing = [constant for constant in REQUIRED if not hasattr(module, constant)]
    if missing:
        raise ValueError(f"{where} lacks {', '.join(missing)}; what a sweep says stands at the head of {__name__}")
    said = {constant: getattr(module, constant, OPTIONAL.get(constant)) for constant in known}
    if said["AXES"] and said["RUNS"]:
        raise ValueError(f"{where} has both AXES and RUNS; keep one of them")
    for figure in said["FIGURES"]:
        if figure.split(".")[0] not in SECTIONS or "." not in figure:
            raise ValueError(f"{where}: FIGURES has {figure!r}, which no result has; begin with {', '.join(SECTIONS)}")
    paragraphs = (module.__doc__ or "").split("\n\n")
    # Commands have a place of their own on the page. (Indents are no sign of them: Python 3.13 takes them away.)
    said["about"] = "\n\n".join(text for text in paragraphs if "python -m " not in text).strip()
    return said


def _pictures(said: dict, datasets: Sequence[str], roots: Sequence[str]) -> tuple[Axis | None, list[str]]:
    labels = [str(label) for label in said["PICTURES"]]
    if roots and len(roots) != len(datasets):
        raise ValueError(f"--data names {len(roots)} folders for {len(datasets)} datasets; give one for each --dataset")
    if not datasets:
        points = tuple({"data.name": "synthetic"} | fields for fields in said["PICTURES"].values())
        return (Axis("pictures", tuple(labels), None, points) if points else None), []
    used = _kinds(labels, datasets, said["where"])
    points = tuple(
        {"data.name": dataset} | ({"data.root": str(Path(roots[i]).expanduser().resolve())} if roots else {})
        for i, dataset in enumerate(used.values())
    )
    notes = [f"No dataset was given for the {label} pictures." for label in labels if label not in used]
    return Axis("pictures", tuple(used), None, points), notes


def _kinds(labels: Sequence[str], datasets: Sequence[str], where: str) -> dict[str, str]:
    """Which dataset stands for which kind of pictures: as said, "fabric=aitex", or in turn."""
    said = [dataset.rpartition("=") for dataset in datasets]
    if not any(label for label, *_ in said):
        if labels and len(datasets) > len(labels):
            raise ValueError(f"{where} has {len(labels)} kinds of pictures ({', '.join(labels)}); "
                             f"--dataset names {len(datasets)}: {', '.join(datasets)}")  # fmt: skip
        return dict(zip(labels or datasets, datasets, strict=False))
    used = {label: dataset for label, _, dataset in said}
    if len(used) < len(said) or "" in used or (labels and not used.keys() <= set(labels)):
        raise ValueError(f"--dataset {','.join(datasets)}: give each dataset a kind of pictures of its own, "
                         f"{', '.join(labels) or 'as you call it'}, or none of them")  # fmt: skip
    return used


def _axis(fields: dict[str, Sequence], where: str) -> Axis:
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
    return Axis((named or [first.split(".")[-1]])[0], tuple(map(_label, values)), numbers, points)


def _is_field(name: str) -> bool:
    return "." in name or name in ("detector", "preset", "seed")


def _axis_of(text: str) -> dict[str, tuple]:
    field, equals, values = text.partition("=")
    if not equals or not _is_field(field):
        raise ValueError(f"--axis {text!r} is no field=value,value, e.g. settings.alpha=0,0.15,1")
    literal = configs.literal(values)
    many = literal if isinstance(literal, (tuple, list)) else [configs.literal(v) for v in values.split(",") if v]
    return {field: tuple(many)}


def _label(value: Any) -> str:
    return f"{value:g}" if isinstance(value, (int, float)) and not isinstance(value, bool) else str(value)


def _check_axes(swept: Sequence[Axis], where: str) -> None:
    axis_names = [axis.name for axis in swept]
    fields = [field for axis in swept for field in axis.points[0]]
    for what, listed in (("name", [*axis_names, "seed"]), ("field", fields)):
        twice = {one for one in listed if listed.count(one) > 1}
        if twice:
            raise ValueError(f"{where}: two axes have the {what} {', '.join(sorted(twice))}; keep one of them")


def _check_no_axis(overrides: Sequence[str], swept: Sequence[Axis]) -> None:
    fields = {field for axis in swept for field in axis.points[0]} - {"data.name"}
    for pair in overrides:
        field = pair.partition("=")[0]
        if field in fields:
            remedy = "--seeds" if field == "seed" else f"--axis {field}=..."
            raise ValueError(f"{field} is swept; it cannot be the same in all runs. Set its values with {remedy}")


def _run(
    said: dict, common: Sequence[dict], points: Sequence[dict], at: dict[str, str], synthetic: bool,
    overrides: Sequence, weights: str,
) -> Run:  # fmt: skip
    fields = {field: value for part in (*common, *points) for field, value in part.items()}
    if not synthetic:
        fields = {field: value for field, value in fields.items() if not field.startswith("data.options.")}
    asked = [pair.removeprefix("preset=") for pair in overrides if pair.startswith("preset=")]
    preset = fields.pop("preset", (asked or [said["PRESET"]])[-1])
    config = configs.get(fields.pop("detector", said["DETECTOR"]), preset)
    try:
        configs.assign(config, fields)
    except ValueError as error:
        raise ValueError(f"{said['where']}: {error}") from error
    configs.override(config, [pair for pair in overrides if not pair.startswith("preset=")])
    if weights and "weights" in config.settings:
        config.settings.weights = weights
    name = "-".join(f"{axis}={label}" for axis, label in at.items())
    safe = "".join(letter if letter.isalnum() or letter in "=.+-_" else "_" for letter in name)
    return Run(safe, {axis: label for axis, label in at.items() if axis != "seed"}, config.seed, config)


def _check_names(runs: Sequence[Run], where: str) -> None:
    listed = [run.name.lower() for run in runs]  # Some file systems do not tell case apart.
    twice = sorted({name for name in listed if listed.count(name) > 1})
    if twice:
        raise ValueError(f"{where}: two runs are named {twice[0]!r}; give the values of an axis different labels")
