"""What a sweep leaves beside its runs: sweep.csv, sweep.md and sweep.html, of what there is so far."""

import csv
from pathlib import Path
from typing import Any

from data_pipeline.names import cells
from launch.command import files, markdown
from launch.page.sweep_page import write_sweep_page
from launch.sweeping.results import collect


def write_results(folder: Path) -> Path:
    """Writes all three. Returns the page."""
    collected = collect(folder)
    write_csv(collected, folder / "sweep.csv")
    with files.replacing(folder / "sweep.md") as file:
        file.write(as_markdown(collected))
    return write_sweep_page(collected, folder)


def write_csv(results: dict[str, Any], path: Path) -> None:
    """sweep.csv: a row per run (and kind of defect); figures but no times of training, so that reruns compare equal."""
    axes = [axis["name"] for axis in results["axes"]]
    numeric = {axis["name"] for axis in results["axes"] if axis["numbers"]}
    figures = [f["key"] for f in results["figures"] if not f["key"].endswith(".multiple")]  # Those are of settings.
    with files.replacing(path) as file:
        writer = csv.DictWriter(file, ["run", *axes, "seed", "status", *figures, "error"], extrasaction="ignore")
        writer.writeheader()
        for row in results["rows"]:
            texts = {"run": row["name"], "error": row["error"]["error"] if row["error"] else ""}
            texts |= {name: label for name, label in row["at"].items() if name not in numeric}
            numbers = {name: label for name, label in row["at"].items() if name in numeric}
            numbers |= {key: row["figures"].get(key) for key in figures} | {"seed": row["seed"]}
            writer.writerow(cells(texts) | numbers | {"status": row["status"]})


def as_markdown(results: dict[str, Any]) -> str:
    """The settings as a Markdown table: mean ± standard deviation over seeds, the paper's value in brackets."""
    axes, figures = [axis["name"] for axis in results["axes"]], results["figures"]
    head = [*axes, "runs", *(figure["title"] for figure in figures)]
    rows = []
    for cell in results["cells"]:
        row = [cell["at"].get(axis, "") for axis in axes] + [str(cell["finished"])]
        rows.append(row + [_written(cell, figure["key"]) for figure in figures])
    table = markdown.table(head, rows)
    missing = "".join(
        f"\n- {', '.join(f'{axis} {value}' for axis, value in gap['at'].items())}: {gap['figure']} {gap['value']:g} "
        f"({gap['why']})"
        for gap in results["unfilled"]
    )
    ending = f"\n\nPublished values without a run:\n{missing}" if missing else ""
    told = "".join(f"\n- {agreement['text']}" for agreement in results["agreements"])
    ending += f"\n\nRank correlation between painted flaws and the test:\n{told}" if told else ""
    head = f"# {results['title']}\n\n{results['source']}; {results['size']} size.\n\n    {results['command']}"
    return f"{head}\n\n{table}{ending}\n"


def _written(cell: dict[str, Any], key: str) -> str:
    mean, std, paper = (cell[what].get(key) for what in ("mean", "std", "paper"))
    if mean is None:
        return "–"
    digits = 3 if abs(mean) < 10 else 1
    text = f"{mean:.{digits}f}" + (f" ± {std:.{digits}f}" if std is not None else "")
    return text + (f" ({paper:g})" if paper is not None else "")
