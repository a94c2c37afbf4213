"""The page of the two-stage system: which surface an image shows, an alarm, or that surface's defect detector.

A folder of the system holds result.json (figures, by_surface, curves, surfaces, distances, threshold, timings ...),
events.jsonl (a line for each image) and images/ as a run has. Only result.json must be there; what is missing is
left out of the page, and what is damaged is said on it. Of images nobody has labelled there are no figures.
"""

import json
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from launch.command import files
from launch.page.images import ShownImage, outlined, read_images
from launch.page.render import as_json, is_number, render
from launch.page.surfaces import read_surfaces
from launch.page.terms import SURFACE_TERMS, TERMS
from launch.page.verdict import Outcomes, alarmed, false_alarms, found
from launch.run.folder import read_result

STYLES = ("base.css", "figures.css", "images.css", "surfaces.css", "scores.css", "system.css")
SCRIPTS = ("svg.js", "maps.js", "charts.js", "surfaces.js", "viewer.js", "cards.js", "threshold.js", "system.js")
# What became of an image, the worst first, as the page calls one of them and all of them.
OUTCOMES = {
    "missed unseen": "Missed unseen", "wrongly routed": "Wrongly routed", "missed defect": "Missed defects",
    "alarm on seen": "Alarms on seen", "false alarm": "False alarms", "error": "Errors",
    "alarm": "Alarms", "defect": "Defects", "passed": "Passed",
}  # fmt: skip
# What becomes of an image where the reader moves the threshold; the last of one that had raised the alarm before.
MOVED = ("missed unseen", "alarm on seen", "alarm", "not looked at")
WORDS = {"threshold": "Threshold τ", "good": "seen", "defective": "unseen"}
ALL, SEEN, NEW = "all images", "seen surfaces", "unseen surfaces"  # whose distances are drawn
# Those of runs that this page has as well, with labels and without.
BARE_TERMS = {name: SURFACE_TERMS[name] for name in ("Score", "Threshold τ")} | {"Anomaly map": TERMS["Anomaly map"]}
OWN_TERMS = BARE_TERMS | {"Seen, unseen": SURFACE_TERMS["Seen, unseen"]}
OWN_TERMS |= {name: TERMS[name] for name in ("Missed", "False alarm", "Precision", "Recall", "F1", "AP")}
EVENTS = ("unseen", "defect", "passed", "error")
BY_SURFACE = (
    ("images", "Images"), ("alarms", "Alarms"), ("routed", "Routed rightly"), ("ap", "AP"), ("f1", "F1"),
    ("misses", "Missed defects"), ("false_alarms", "False alarms"),
)  # fmt: skip
COUNTED = ("images", "alarms", "misses", "false_alarms")


class Event(NamedTuple):
    """What the system said of one image, and what is known of it; None is unknown."""

    id: str
    event: str
    surface: str | None
    score: float | None
    threshold: float | None
    defect_score: float | None
    defect_threshold: float | None
    attributes: list[str]
    error: str | None
    true_surface: str | None
    defective: int | None
    outcome: str


def write_page(folder: Path) -> Path:
    """Writes folder/report.html, whole or not at all. Returns its path.

    Raises FileNotFoundError without result.json, ValueError where it cannot be read.
    """
    folder = Path(folder)
    out = folder / "report.html"
    html = render("system.html", page(folder), styles=STYLES, scripts=SCRIPTS)
    with files.replacing(out) as file:
        file.write(html)
    return out


def page(folder: Path) -> dict[str, Any]:
    """Everything the template shows."""
    result = read_result(folder, remedy=f"python -m launch.two_stage {folder} as before")
    of = lambda name: result[name] if isinstance(result.get(name), dict) else {}
    unseen = [str(name) for name in result.get("unseen") or []]
    events, unread = read_events(folder / "events.jsonl")
    routing, attributes, damaged = read_surfaces(result)
    images, scales, lost = read_images(folder / "images", pixel_threshold=None)
    cards = worst_first(images, events)
    outcomes = Counter(event.outcome if event else "no event" for _, event in cards)
    lists = lambda name: {key: values for key, values in of(name).items() if values and isinstance(values, list)}
    rows, labelled = rows_of(events.values(), unseen), any(event.true_surface for event in events.values())
    moved = MOVED if labelled else MOVED[2:]
    by_surface = {name: row or {} for name, row in of("by_surface").items()}
    curves, went = lists("curves"), flow(list(events.values()))
    return {
        "result": result, "dataset": of("dataset"), "figures": of("figures"), "unseen": unseen,
        "notes": [*map(str, result.get("warnings") or []), *unread, *damaged, *lost],
        "stages": links_to_stages(folder, result.get("system")),
        "verdict": sentence(list(events.values()), unseen), "words": WORDS,
        "terms": OWN_TERMS if labelled else BARE_TERMS, "labelled": labelled,
        "scored": len(rows), "places": {row[0]: place for place, row in enumerate(rows)},
        "flow": went, "routing": routing, "attributes": attributes,
        "cards": cards, "images": len(events), "scales": scales, "outlines": outlined(images),
        "outcomes": [
            (name, title) for name, title in (OUTCOMES | {MOVED[-1]: "Not looked at"}).items()
            if outcomes[name] or (rows and name in moved)
        ],
        "columns": BY_SURFACE, "counted": COUNTED,
        "curves": {name: by_surface.get(name, {}).get("ap") for name in curves},
        "rows": [(name, row, "unseen" if name in unseen else None) for name, row in by_surface.items()],
        "data": as_json({
            "rows": rows, "threshold": result.get("threshold"), "fitted": [], "levels": [], "flow": went,
            "attributes": attributes["data"] if attributes else None, "curves": curves, "scales": scales,
        }),
    }  # fmt: skip


def stages_of(system: Path) -> list[Path]:
    """The folders of a system's evaluated runs: that of the surfaces, then those of the defects."""
    folders = [system / "surfaces", *sorted((system / "defects").glob("*"))]
    return [folder for folder in folders if (folder / "result.json").is_file()]


def links_to_stages(folder: Path, system: Any) -> list[tuple[str, str]]:
    """(name, address from folder/report.html) of the pages of a system's runs; system: its folder, else `folder`."""
    home = Path(system) if isinstance(system, str) else folder
    pages = [stage / "report.html" for stage in stages_of(home)]
    address = lambda page: quote(os.path.relpath(page, folder.resolve()))
    return [(str(page.parent.relative_to(home)), address(page)) for page in pages if page.is_file()]


def read_events(path: Path) -> tuple[dict[str, Event], list[str]]:
    """events.jsonl as {id: Event}, and notes: that it is missing, or how many of its lines cannot be read."""
    if not path.exists():
        return {}, ["events.jsonl is missing: what became of each image is not shown."]
    events, unreadable = {}, 0
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            row = event(json.loads(line))
            events[row.id] = row
        except (ValueError, KeyError, TypeError):
            unreadable += bool(line.strip())
    return events, [f"events.jsonl: unreadable lines left out: {unreadable}."] if unreadable else []


def event(row: dict[str, Any]) -> Event:
    """A line of events.jsonl. Raises KeyError, TypeError or ValueError where it is none."""
    if row["event"] not in EVENTS:
        raise ValueError(f"event is {row['event']!r}; known are {', '.join(EVENTS)}")
    text = lambda name: None if row.get(name) is None else str(row[name])
    number = lambda name: row[name] if is_number(row.get(name)) else None
    numbers = [number(name) for name in ("score", "threshold", "defect_score", "defect_threshold")]
    defective = None if row.get("defective") is None else int(row["defective"])
    words = [str(word) for word in row.get("attributes") or []]
    true, surface = text("true_surface"), text("surface")
    if row["outcome"] not in OUTCOMES:
        raise ValueError(f"outcome is {row['outcome']!r}; there are {', '.join(OUTCOMES)}")
    return Event(str(row["id"]), row["event"], surface, *numbers, words, text("error"), true, defective, row["outcome"])


def rows_of(events: Iterable[Event], unseen: Sequence[str]) -> list[tuple]:
    """(id, whose distances, is it unseen or None, distance, did it raise the alarm, threshold) of each that has one."""
    label = lambda event: None if event.true_surface is None else int(event.true_surface in unseen)
    drawn = {None: ALL, 0: SEEN, 1: NEW}
    return [
        (event.id, drawn[label(event)], label(event), event.score, int(event.event == "unseen"), event.threshold)
        for event in events if event.score is not None
    ]  # fmt: skip


def sentence(events: Sequence[Event], unseen: Sequence[str]) -> str:
    """What both stages came to, for somebody who knows no metric; empty where nothing is known."""
    if not events:
        return ""
    if not any(event.true_surface for event in events):
        went = flow(events)
        broken = f", {went['errors']} could not be judged" if went["errors"] else ""
        return (f"Of {went['images']} image{'' if went['images'] == 1 else 's'} {went['alarms']} raised the alarm, "
                f"{went['defects']} went on and {'has' if went['defects'] == 1 else 'have'} a defect, {went['passed']} "
                f"passed{broken}.")  # fmt: skip
    seen, new = ([e for e in events if (e.true_surface in unseen) == is_new] for is_new in (False, True))
    alarms = lambda group: sum(event.event == "unseen" for event in group)
    surfaces = Outcomes(len(new), len(new) - alarms(new), len(seen), alarms(seen))
    judged = [event for event in seen if event.defect_score is not None]
    wrong = sum(event.surface != event.true_surface for event in judged)
    count = lambda defective, event: sum((e.defective, e.event) == (defective, event) for e in judged)
    misses, false = count(1, "passed"), count(0, "defect")
    defects = Outcomes(misses + count(1, "defect"), misses, false + count(0, "passed"), false)
    lost = f" {wrong} of the {len(judged)} others went to the detector of another surface." if wrong else ""
    told = f" {found(defects)}, {false_alarms(defects, 'good')}." if judged else ""
    return f"{alarmed(surfaces)}; {false_alarms(surfaces, 'of a learnt surface')}.{lost}{told}"


def worst_first(images: list[ShownImage], events: dict[str, Event]) -> list[tuple[ShownImage, Event | None]]:
    """Images with their events: mistakes in the order of OUTCOMES, the furthest from its threshold first."""
    order, over = list(OUTCOMES), lambda value, level: (value or 0.0) - (level or 0.0)

    def key(pair: tuple[ShownImage, Event | None]) -> tuple[int, float]:
        event = pair[1]
        if event is None:
            return len(order), 0.0
        asked = event.outcome in ("missed defect", "false alarm", "defect", "passed")
        margin = over(event.defect_score, event.defect_threshold) if asked else over(event.score, event.threshold)
        missed = event.outcome in ("missed unseen", "missed defect")
        return order.index(event.outcome), margin if missed else -margin

    return sorted(((image, events.get(image.id)) for image in images), key=key)


def flow(events: list[Event]) -> dict[str, int] | None:
    """How many images went which way; None where nothing is known of any."""
    counts = Counter(event.event for event in events)
    stages = {"images": len(events), "alarms": counts["unseen"], "routed": counts["defect"] + counts["passed"]}
    stages |= {"defects": counts["defect"], "passed": counts["passed"], "errors": counts["error"]}
    return stages if events else None
