"""The drawing of the rooms in docs/architecture.md is true: its arrows are the imports, and no import is left out."""

import re
from pathlib import Path

from tests.test_house import PACKAGES, imports

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text()
DRAWN = re.search(r"<!-- rooms -->\n(.*?)<!-- /rooms -->", PAGE, re.S)[1]


def room_of(module: str) -> str:
    """launch/run for launch.run.data; commands for launch.train; jaxdefect/scoring for jaxdefect.scoring."""
    package, *rest = module.split(".")
    if package in ("configs", "data_pipeline"):
        return package
    if package == "launch" and not (ROOT / package / rest[0]).is_dir():
        return "commands"
    return f"{package}/{rest[0]}" if rest else f"{package}/detector"  # What `import jaxdefect` gives.


def arrows() -> set[tuple[str, str]]:
    """The imports between rooms."""
    pairs = {(room_of(a), room_of(b)) for a, others in imports(ROOT).items() for b in others}
    return {(a, b) for a, b in pairs if a != b}


def reachable(edges: set[tuple[str, str]], start: str) -> set[str]:
    """Where arrows lead from a room."""
    found, waiting = set(), [start]
    while waiting:
        for a, b in edges:
            if a == waiting[-1] and b not in found:
                found.add(b)
                waiting.insert(0, b)
        waiting.pop()
    return found


def drawn() -> set[tuple[str, str]]:
    names = dict(re.findall(r"^\s*(\w+)\[([\w/]+)\]", DRAWN, re.M))
    return {(names[a], names[b]) for a, b in re.findall(r"^\s*(\w+) --> (\w+)$", DRAWN, re.M)}


def test_every_arrow_is_an_import():
    assert drawn() - arrows() == set()


def test_every_import_is_an_arrow_or_a_way_along_arrows():
    missing = {(a, b) for a, b in arrows() if b not in reachable(drawn(), a)}
    assert missing == set()


def test_no_arrow_goes_up():
    """There is no circle: no room is reached from itself."""
    assert [a for a, _ in drawn() if a in reachable(drawn(), a)] == []


def test_every_room_is_drawn():
    rooms = {room for pair in arrows() for room in pair}
    assert rooms - {room for pair in drawn() for room in pair} == set() and len(rooms) > len(PACKAGES)
