"""Images, and runs, of names that steer terminals, tables and pages."""

import html.parser
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from random import Random

import data_pipeline
from tests.drills.damage import Whole, say
from tests.launch.small_runs import rows_of

PIECES = (
    "=1+1", "-x", "@", "\x1b]0;PWN\x07", "\x1b[31m", "\n", "\r", "\u202e", "\u200b", "\udcff", "é", "画像", "[red]",
    "[/]", "<pwn>", "\"><pwn x='", "'><pwn>", "</script><pwn>", "<!--", "&lt;", "#1", "%s", "{0}", "{{", ",", ";", "\t",
    " ", "..", "~", "$(id)", "`id`", "'", '"', "\\", "|", "*", "?", ":", "x" * 120, "nul", "con", ".",
)  # fmt: skip


def names(whole: Whole, place: Path, random: Random) -> Iterator[str]:
    """Images, and a run, of names that steer terminals, tables and pages."""
    folder, content = place / "images", (whole.images / "0.png").read_bytes()
    folder.mkdir()
    for _ in range(8):
        name = os.fsencode("".join(random.choices(PIECES, k=random.randint(1, 4))).replace("/", "") + ".png")[-255:]
        name = b"x" + name[1:] if name.startswith(b".") else name  # Hidden files are left out.
        Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_bytes(content)
    found = sorted(os.listdir(os.fsencode(folder)))
    said = say("detect", str(whole.run), str(folder), "--out", str(place / "out"))
    long = [name for name in found if len(name) > data_pipeline.names.LONGEST]
    if said.status != bool(long) or not all(line.isprintable() for line in said.text.splitlines()):
        yield f"{found}: {said.status}: {said.text}"
        return
    rows = rows_of(place / "out" / "detections.csv")
    yield f"{found}: {len(rows)} rows" if len(rows) != len(found) else ""
    for row in rows:
        shown = row["image"].isprintable() and not row["image"].startswith(("=", "+", "-", "@"))
        yield "" if shown and bool(row["score"]) != bool(row["error"]) else f"{found}: {row}"
    yield page_of(whole, place / f"run{os.fsdecode(found[0][:100])}", place)


def page_of(whole: Whole, run: Path, place: Path) -> str:
    shutil.copytree(whole.run, run)
    words = ["report", str(run), "--out", str(place / "page.html")]
    said = say(*words)
    if said.status or not all(line.isprintable() for line in said.text.splitlines()):
        return f"report {run.name!r}: {said}"
    return "" if Tags(place / "page.html").safe else f"{run.name!r} is a tag of its page"


class Tags(html.parser.HTMLParser):
    """Whether a page has no tag that came with a name."""

    def __init__(self, page: Path):
        super().__init__()
        self.safe = True
        self.feed(page.read_text())

    def handle_starttag(self, tag, attributes):
        self.safe = self.safe and tag != "pwn" and all("pwn" not in name for name, _ in attributes)
