"""The tables of all detectors: what was measured of each, from the results of runs, and what each does.

Words come from the detectors' own docstrings, figures from result.json: of single runs, or of all runs of a sweep. Runs
of the same detector on the same images that differ in their seeds are averaged.
"""

import importlib
import inspect
import json
import re
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jaxdefect
from jaxdefect.detector import no_training
from launch.command import choices, configuration, markdown
from launch.page.run_folder import read_result
from launch.run.trained import make_detector

FIGURES = (
    ("image AUROC", "image", "auroc"), ("pixel AUROC", "pixel", "auroc"), ("boxes AP50", "boxes", "ap50"),
    ("H", "surfaces", "harmonic"),
)  # fmt: skip
OF_SURFACES = ", surfaces"  # after the name of images whose surfaces were told apart
NEEDS = {
    "none": "normal images", "simulated": "normal images", "masks": "outlined defects",
    "kinds": "labelled kinds of defect", "surfaces": "surface classes",
}  # fmt: skip


MARKS = ("<!-- detectors, by launch.tabulate -->", "<!-- /detectors -->")
LONGEST_NAME = 3  # words before a colon that are a detector's name
WORDS = ("Detector", "Presets", "Idea", "Source")
ABOUT = """## How well they do

Written from the results of runs by `python -m launch.tabulate`. Quality is image AUROC / pixel AUROC, and AP at IoU .5
where boxes are found; the mean, ± the standard deviation where there were several seeds; a dash was not measured or is
not given by the detector. H is the harmonic mean over surfaces seen and unseen. Supervised detectors are tested on the
defective images they did not learn from. Times are means over these sets, on {hardware}.{note}

{counts}
"""


class Measured(NamedTuple):
    """One finished run."""

    detector: str
    images: str  # what the dataset is called in the table
    result: dict[str, Any]


def runs_in(folder: Path) -> list[Measured]:
    """The finished runs of a folder: a run's own, or a sweep's. Raises FileNotFoundError where there is none."""
    places = [folder] if (folder / "result.json").is_file() else sorted((folder / "runs").glob("*"))
    results = [read_result(place) for place in places if (place / "result.json").is_file()]
    if not results:
        raise FileNotFoundError(f"{folder} holds no result, neither result.json nor runs/*/result.json; give the "
                                "folder of a finished run or sweep")  # fmt: skip
    return [Measured(result["detector"], images_of(result), result) for result in results]


def images_of(result: dict[str, Any]) -> str:
    """What the images are called: those of a folder in MVTec layout by its name; told apart by surface or not."""
    dataset = result["dataset"]
    name = Path(dataset["root"]).name if dataset["name"] == "mvtec" and dataset.get("root") else dataset["name"]
    return name + OF_SURFACES if "surfaces" in result["figures"] else name


def parted(page: str) -> tuple[str, str, str]:
    """A page up to the mark where the tables begin, the tables, and the rest. Raises ValueError without the marks."""
    before, start, rest = page.partition(MARKS[0] + "\n")
    tables, end, after = rest.partition(MARKS[1])
    if not (start and end):
        raise ValueError(f"the page has no place for the tables of detectors; put {MARKS[0]} and {MARKS[1]} there")
    return before + start, tables, end + after


def written(runs: Sequence[Measured], *, note: str = "") -> str:
    """The tables, in Markdown, with what was measured in these runs: a row in each for every detector there is."""
    sets = list(dict.fromkeys(run.images for run in runs))
    head = ["Detector", "Needs", *sets, "Training, min", "ms an image", "Use it"]
    rows = [row_of(name, [run for run in runs if run.detector == name], sets) for name in jaxdefect.names()]
    hardware = dict.fromkeys(machine(run.result) for run in runs)
    about = ABOUT.format(
        hardware="; ".join(hardware) or "no machine yet", note=f" {note}" if note else "", counts=counted(runs, sets)
    )
    return laid_out(about, head, rows)


def laid_out(about: str, head: Sequence[str], rows: Sequence[Sequence[str]], variants: Sequence = ()) -> str:
    """Both tables. variants: rows of the second one that are of no detector's name."""
    words = [words_row(name) for name in jaxdefect.names()]
    what = markdown.table(WORDS, [*words, *variants])
    return f"{about}{markdown.table(head, rows)}\n\n## What each does\n\n{what}\n"


def row_of(name: str, runs: Sequence[Measured], sets: Sequence[str]) -> list[str]:
    """What was measured of a detector."""
    cells = [quality([run for run in runs if run.images == images]) for images in sets]
    timings = [run.result["timings"] for run in runs]
    trained = averaged([timing.get("train_s") for timing in timings], 1 / 60, 1)
    scored = averaged([timing.get("score_ms_per_image") for timing in timings], 1, 0)
    return [f"`{name}`", needs(name), *cells, trained, scored, words_of(name)[2]]


def words_row(name: str) -> list[str]:
    """What a detector is."""
    idea, source, _ = words_of(name)
    return [f"`{name}`", ", ".join(f"`{preset}`" for preset in choices.presets(name)), idea, source]


def with_words(text: str, runs: Sequence[Measured] = ()) -> str:
    """The tables that `written` made, with the words of the detectors there are now; what was measured stays as it is,
    but for the detectors of these runs on the images of these runs. Raises ValueError for images without a column.

    A new detector has dashes, one that is gone has no row; rows of no detector's name (variants) are left as they are.
    """
    tables = re.findall(r"(?:^\| .*\n)+", text, re.M)
    if len(tables) != 2 or not all(table.startswith("| Detector |") for table in tables):
        raise ValueError(
            "the page has no tables of detectors between its marks; write them from results: launch.tabulate FOLDER"
        )
    measured, what = ([line.strip("| ").split(" | ") for line in table.splitlines()] for table in tables)
    head, *lines = measured[0], *measured[2:]
    sets = head[2:-3]
    for run in runs:
        if run.images not in sets:
            raise ValueError(f"the page has no column for {run.images}, only {', '.join(sets)}; measure all detectors "
                             "on them and write the page anew, without --add")  # fmt: skip
    kept, rows = {line[0]: line for line in lines}, []
    for name in jaxdefect.names():
        row = row_of(name, [run for run in runs if run.detector == name], sets)
        old = kept.get(row[0], ["–"] * len(row))
        rows.append([*row[:2], *merged(row[2:-1], old[2:-1]), row[-1]])
    of_variants = lambda lines: [line for line in lines if not re.fullmatch(r"`\w+`", line[0])]
    about = text[: text.index(tables[0])]
    return laid_out(about, head, [*rows, *of_variants(lines)], of_variants(what[2:]))


def merged(new: Sequence[str], old: Sequence[str]) -> list[str]:
    """A row's figures on each set and its two times, as measured anew or, where that is a dash, as they were. Times,
    which are means over sets, are new where no figure is left of before.
    """
    figures = [b if a == "–" else a for a, b in zip(new[:-2], old[:-2], strict=True)]
    times = old[-2:] if figures != list(new[:-2]) and old[-2] != "–" else new[-2:]
    return [*figures, *(b if a == "–" else a for a, b in zip(times, old[-2:], strict=True))]


def words_of(name: str) -> tuple[str, str, str]:
    """(idea, source, when to use it): of a detector's docstring the first paragraph, and those so begun."""
    text = inspect.getdoc(importlib.import_module(f"jaxdefect.detectors.{name}")) or ""
    paragraphs = [" ".join(paragraph.split()) for paragraph in text.split("\n\n")]
    begun = lambda word: next((p.removeprefix(word).strip() for p in paragraphs if p.startswith(word)), "–")
    name, _, rest = paragraphs[0].partition(": ")
    idea = rest if rest and len(name.split()) <= LONGEST_NAME else paragraphs[0]
    source = begun("Source:")
    first = re.match(r'.*?(\b(19|20)\d\d\b\)?|"(?=, Section))', source)  # One reference, without readings and details.
    cells = (idea[0].upper() + idea[1:], first[0] if first else source, begun("Use it"))
    return tuple(cell.rstrip(".").replace("|", "\\|") for cell in cells)


def needs(name: str) -> str:
    """What a detector learns from, by its config."""
    config = configuration.get(name)
    detector, _ = make_detector(config)
    untrained = "; no training" if detector.step is no_training else ""
    if config.train.supervision == "masks" and config.train.max_masks == 0:
        return "labels: good or defective" + untrained
    return NEEDS[config.train.supervision] + untrained


def quality(runs: Sequence[Measured]) -> str:
    """The figures of runs on the same images, averaged over them."""
    shown = []
    for title, section, key in FIGURES:
        values = [(run.result["figures"].get(section) or {}).get(key) for run in runs]
        text = averaged(values, 1, 3)
        if text != "–" or title == "pixel AUROC":
            shown.append(text if title.endswith("AUROC") else f"{title} {text}")
    return " / ".join(shown) if any(text != "–" for text in shown) else "–"


def averaged(values: Sequence[float | None], factor: float, digits: int) -> str:
    """Mean ± standard deviation of what is known."""
    measured = [value * factor for value in values if value is not None]
    if not measured:
        return "–"
    short = lambda value: f"{value:.{digits}f}".removeprefix("0") if digits == 3 else f"{value:.{digits}f}"
    spread = f" ± {short(statistics.stdev(measured))}" if len(measured) > 1 and digits == 3 else ""
    return short(statistics.fmean(measured)) + spread


def counted(runs: Sequence[Measured], sets: Sequence[str]) -> str:
    """What each set was trained and tested on, as a list."""
    lines = []
    for images in (name for name in sets if not name.endswith(OF_SURFACES)):
        own = [run.result["dataset"]["counts"] for run in runs if run.images == images]
        counts = [json.dumps(name, sort_keys=True) for name in own]
        most = json.loads(max(counts, key=counts.count))
        lines.append(f"- {images}: trained on {most['train']} normal images, tested on {most['test_defective']} "
                     f"defective and {most['test_good']} normal ones (supervised detectors: on fewer)\n")  # fmt: skip
    return "".join(lines)


def machine(result: dict[str, Any]) -> str:
    """The hardware of a result in a few words."""
    hardware = result.get("hardware") or {}
    return f"{hardware.get('device', 'an unknown device')}, {hardware.get('cpu_cores', '?')} CPU cores"
