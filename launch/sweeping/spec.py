"""From a file that says what to sweep to the list of runs.

A sweep file (configs/sweeps/NAME.py, or a file of one's own) is a few constants; a field is one of the config, such as
`settings.alpha`:

    TITLE, SOURCE   what is swept, and which paper's table it stands beside; the docstring says the rest
    DETECTOR, PRESET            the config to start from
    BASE = {field: value}       what is different in all runs (optional)
    QUICK = {field: value}      what `--quick` makes smaller (optional)
    IMAGES = {label: {field: value}}   kinds of images, and where the synthetic ones come from; `--dataset` replaces
                                         them in this order, or as it says: label=dataset. Without, any datasets may be
                                         given, called by their names
    AXES = ({field: values, ...}, ...)   every combination of the axes is run; fields of one axis go together; a key
                                         that is no field, such as "loss", holds labels for the axis's values
    RUNS = {label: {field: value}, ...}  instead of AXES: just these runs
    SEEDS = (0, 1, 2)           every combination is run with each
    FIGURES = ("pixel.f1", ...) of result.json; the first is the one that counts
    MULTIPLE_OF = {axis: value} the setting whose first figure is the unit that the others' are also told in (optional)
    GROUPS = "technique"        an axis whose labels are "group: name": the page lays groups side by side (optional)
    BY_KIND = True              a row for each kind of defect (optional)
    PAPER = (({axis: value, ...}, {figure: value}), ...)  published values; WHY says why some have no run (optional)

`data.options` in a sweep file are those of the synthetic images and fall away with `--dataset`.
"""

import importlib
import importlib.util
import itertools
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from jaxdefect.backbones.pretrained import RANDOM
from jaxdefect.detector import nearest
from launch.command import choices, configuration
from launch.command.arguments import choose_weights, takes_weights, weights_file
from launch.sweeping import axes as axes_of
from launch.sweeping.axes import Axis

REQUIRED = ("TITLE", "SOURCE", "DETECTOR", "PRESET", "SEEDS", "FIGURES")
OPTIONAL = {
    "BASE": {}, "QUICK": {}, "IMAGES": {}, "AXES": (), "RUNS": {}, "MULTIPLE_OF": {}, "GROUPS": "",
    "BY_KIND": False, "PAPER": (), "WHY": "",
}  # fmt: skip
# Of result.json, that figures are taken from.
SECTIONS = ("image", "pixel", "painted", "surfaces", "kinds", "boxes", "timings")


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
    fixed: dict[str, str]  # what is the same in all runs, as a label: the one kind of images
    seeds: tuple[int, ...]
    figures: tuple[str, ...]
    multiple_of: dict[str, str]
    groups: str  # an axis, or empty
    by_kind: bool
    paper: tuple[dict[str, Any], ...]  # {"at": {axis: label}, "figures": {figure: value}}
    why: str
    notes: tuple[str, ...]
    runs: tuple[Run, ...]


def names() -> list[str]:
    """The sweeps there are."""
    return choices.sweep_names()


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

    datasets, roots: the images to use instead of the synthetic ones, for each of IMAGES in turn, or for the one
    that is named, "label=dataset". axes: "field=value,value,..." replaces the file's axes. overrides: "field=value" for
    all runs. weights: a backbone's file, for the runs whose detector has one (weights). Raises ValueError that
    names the file, the field and the remedy.
    """
    constants = _constants(name)
    where = constants["where"]
    weights = weights and weights_file(weights)
    images, notes = axes_of.images(constants["IMAGES"], datasets, roots, where)
    if axes:
        constants |= {"AXES": [axes_of.fields_of(text) for text in axes], "RUNS": {}, "GROUPS": ""}
    alone = images is not None and len(images.points) == 1
    swept = [images] if images and not alone else []
    if constants["RUNS"]:
        points = [fields if isinstance(fields, dict) else {} for fields in constants["RUNS"].values()]
        swept.append(Axis("run", tuple(map(str, constants["RUNS"])), None, tuple(points)))
    swept += [axes_of.axis(fields, where) for fields in constants["AXES"]]
    axes_of.check(swept, where, groups=constants["GROUPS"])
    seeds = tuple(constants["SEEDS"] if seeds is None else seeds)
    if not seeds or len(set(seeds)) != len(seeds) or not all(type(seed) is int for seed in seeds):
        raise ValueError(f"{where}: SEEDS = {seeds} must be different whole numbers, at least one")
    swept.append(Axis("seed", tuple(map(str, seeds)), None, tuple({"seed": seed} for seed in seeds)))
    # A sweep's own images (of 1024 x 1024, say) come before what --quick makes smaller of them.
    common = [constants["BASE"], *(images.points if alone else ())]
    common += [constants["QUICK"]] if quick else []
    axes_of.check_none_set(overrides, swept)
    synthetic = not datasets
    runs = tuple(
        _run(constants, common, [axis.points[i] for axis, i in zip(swept, place, strict=True)],
             {axis.name: axis.labels[i] for axis, i in zip(swept, place, strict=True)}, synthetic, overrides, weights)
        for place in itertools.product(*(range(len(axis.points)) for axis in swept))
    )  # fmt: skip
    _check_names(runs, where)
    blind = [run.config.detector for run in runs if run.config.weights == RANDOM]
    if blind:
        names = ", ".join(dict.fromkeys(blind))
        notes.append(f"As asked (--weights {RANDOM}), {names} look through a network of random weights.")
    labels = lambda at: {axis: axes_of.label(value) for axis, value in at.items()}
    paper = tuple({"at": labels(at), "figures": figures} for at, figures in constants["PAPER"])
    return Spec(
        name=constants["name"], size="quick" if quick else "full", title=constants["TITLE"], about=constants["about"],
        source=constants["SOURCE"], axes=tuple(swept[:-1]), fixed={"images": images.labels[0]} if alone else {},
        seeds=seeds, figures=tuple(constants["FIGURES"]), groups=constants["GROUPS"], by_kind=constants["BY_KIND"],
        paper=paper, why=constants["WHY"], multiple_of=labels(constants["MULTIPLE_OF"]),
        notes=tuple(notes), runs=runs,
    )  # fmt: skip


def _constants(name: str) -> dict[str, Any]:
    path = Path(name)
    if path.suffix == ".py":
        if not path.is_file():
            raise ValueError(f"there is no sweep file {path}; give the name of one of {', '.join(names())}, or a file")
        module_spec = importlib.util.spec_from_file_location(f"sweep_{path.stem}", path)
        module = importlib.util.module_from_spec(module_spec)
        module_spec.loader.exec_module(module)
    elif name in names():
        module = importlib.import_module(f"configs.sweeps.{name}")
    else:
        raise ValueError(f"there is no sweep {name!r}{nearest(name, names())}")
    where = str(path) if path.suffix == ".py" else f"configs/sweeps/{name}.py"
    return {"name": path.stem, "where": where} | _checked(module, where)


def _checked(module: ModuleType, where: str) -> dict[str, Any]:
    names_of_constants = (*REQUIRED, *OPTIONAL)
    missing = [constant for constant in REQUIRED if not hasattr(module, constant)]
    if missing:
        raise ValueError(f"{where} lacks {', '.join(missing)}; what a sweep says stands at the head of {__name__}")
    constants = {constant: getattr(module, constant, OPTIONAL.get(constant)) for constant in names_of_constants}
    if constants["AXES"] and constants["RUNS"]:
        raise ValueError(f"{where} has both AXES and RUNS; keep one of them")
    for figure in constants["FIGURES"]:
        if figure.split(".")[0] not in SECTIONS or "." not in figure:
            raise ValueError(f"{where}: FIGURES has {figure!r}, which no result has; begin with {', '.join(SECTIONS)}")
    paragraphs = (module.__doc__ or "").split("\n\n")
    # Commands have a place of their own on the page. (Indents are no sign of them: Python 3.13 takes them away.)
    constants["about"] = "\n\n".join(text for text in paragraphs if "python -m " not in text).strip()
    return constants


def _run(
    constants: dict, common: Sequence[dict], points: Sequence[dict], at: dict[str, str], synthetic: bool,
    overrides: Sequence, weights: str,
) -> Run:  # fmt: skip
    fields = {field: value for part in (*common, *points) for field, value in part.items()}
    if not synthetic:
        fields = {field: value for field, value in fields.items() if not field.startswith("data.options.")}
    asked = [pair.removeprefix("preset=") for pair in overrides if pair.startswith("preset=")]
    preset = fields.pop("preset", (asked or [constants["PRESET"]])[-1])
    config = configuration.get(fields.pop("detector", constants["DETECTOR"]), preset)
    try:
        configuration.assign(config, fields)
    except ValueError as error:
        raise ValueError(f"{constants['where']}: {error}") from error
    configuration.override(config, [pair for pair in overrides if not pair.startswith("preset=")])
    if weights and takes_weights(config):
        config.weights = weights
    choose_weights(config)
    name = "-".join(f"{axis}={label}" for axis, label in at.items())
    safe = "".join(letter if letter.isalnum() or letter in "=.+-_" else "_" for letter in name)
    return Run(safe, {axis: label for axis, label in at.items() if axis != "seed"}, config.seed, config)


def _check_names(runs: Sequence[Run], where: str) -> None:
    listed = [run.name.lower() for run in runs]  # Some file systems do not tell case apart.
    twice = sorted({name for name in listed if listed.count(name) > 1})
    if twice:
        raise ValueError(f"{where}: two runs are named {twice[0]!r}; give the values of an axis different labels")
