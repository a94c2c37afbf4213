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


def told(arguments: Any, result: dict[str, Any], as_section: Callable[..., str], *, command: str) -> dict[str, Any]:
    """Prints a result with the machine it was measured on, and writes it where asked. Returns it."""
    result |= environment() | {"peak_memory_mb": peak_memory()}
    print(json.dumps(result, indent=2))
    if arguments.out:
        files.write_json(arguments.out, result)
    if arguments.page:
        write_page(arguments.page, as_section(result, machine=machine(result), command=command))
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


def write_page(path: Path, section: str) -> None:
    """Puts the section into a Markdown page, in place of the one of the same title."""
    title = section.splitlines()[0]
    old = path.read_text(encoding="utf-8") if path.is_file() else "# Benchmarks\n"
    before, found, after = old.partition(title)
    rest = "\n## " + after.split("\n## ", 1)[1] if found and "\n## " in after else ""
    with files.replacing(path) as file:
        file.write(before.rstrip() + "\n\n" + section.rstrip() + "\n" + rest)
