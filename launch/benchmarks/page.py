"""What all benchmarks end with: the machine, the memory, and a section of a Markdown page."""

import contextlib
import json
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax

from launch.command import files
from launch.command.environment import environment


def conclude(
    result: dict[str, Any], as_section: Callable[..., str], *, command: str, out: Path | None, to_page: Path | None
) -> dict[str, Any]:
    """Prints a result with the machine it was measured on, and writes it where asked, as JSON and to a page."""
    result = keep(result, as_section, command=command, to_page=to_page)
    print(json.dumps(result, indent=2))
    if out:
        files.write_json(out, result)
    return result


def keep(
    result: dict[str, Any], as_section: Callable[..., str], *, command: str, to_page: Path | None
) -> dict[str, Any]:
    """The result with the machine it was measured on, written to a page where asked; it may be part of one to come."""
    result = result | environment() | {"peak_memory_mb": peak_memory()}
    if "torch" in result:
        result["versions"] = result["versions"] | {"torch": result["torch"]["version"]}
    if to_page:
        write_section(to_page, as_section(result, machine=machine(result), command=command))
    return result


def machine(result: dict[str, Any]) -> str:
    """The hardware and versions of a result in a line."""
    hardware, versions = result["hardware"], result["versions"]
    named = ", ".join(f"{name} {versions[name]}" for name in ("jax", "flax", "torch") if name in versions)
    place = f"{hardware['device']}, {hardware['cpu_cores']} CPU cores, {hardware['machine']}"
    gpu = " Not measured on a GPU." if hardware["platform"] == "cpu" else ""
    return f"{place}; {named}, Python {versions['python']}.{gpu}"


def peak_memory() -> dict[str, float]:
    """MB: the process's peak, and each accelerator's where it is counted."""
    figures = {"process": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}
    for device in jax.local_devices():
        with contextlib.suppress(KeyError, TypeError):
            figures[str(device)] = device.memory_stats()["peak_bytes_in_use"] / 2**20
    return figures


def write_section(path: Path, section: str) -> None:
    """Puts the section into a Markdown page, in place of the one of the same title."""
    title = section.splitlines()[0]
    old = path.read_text(encoding="utf-8") if path.is_file() else "# Benchmarks\n"
    before, heading, after = old.partition(title)
    rest = "\n## " + after.split("\n## ", 1)[1] if heading and "\n## " in after else ""
    with files.replacing(path) as file:
        file.write(before.rstrip() + "\n\n" + section.rstrip() + "\n" + rest)
