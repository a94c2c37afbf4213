"""What passes before anything is seen: whole processes, and the compilation of every preset's first detection.

`launch.bench --start-up` runs it. Processes are timed twice, with an empty cache of programs and with a filled one.
Nothing is computed in the second part: shapes are enough to compile.
"""

import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental.compilation_cache import compilation_cache

import jaxdefect
from data_pipeline import images
from jaxdefect import scoring
from launch.benchmarks.folder import SIZE, surface
from launch.benchmarks.presets import image_size
from launch.command import choices, configuration, console, markdown
from launch.run.trained import example_batch, make_detector

TRAINED = ("--detector", "nsa", "--preset", "small", "train.steps=2", "train.log_every=1", "train.save_every=1")
POLL = 0.01  # seconds
SHOWN = 10  # presets in the table, the slowest


def bench_start_up(*, turns: int, which: Sequence[tuple[str, str]] | None = None) -> dict[str, Any]:
    """Seconds of processes and of compilations. which: (detector, preset) pairs in place of all."""
    if which is None:
        which = [(name, preset) for name in jaxdefect.names() for preset in choices.presets(name)]
    with tempfile.TemporaryDirectory() as folder:
        return {"processes": processes(Path(folder), turns), "compiled": compiled(Path(folder) / "compiled", which)}


def processes(place: Path, turns: int) -> dict[str, dict[str, float]]:
    """Seconds from the start of a command to what is waited for: first, and the median of later ones."""
    (place / "images").mkdir()
    (place / "images" / "one.png").write_bytes(images.png(surface(0, SIZE)))
    run = place / "run 0"
    waited_for: dict[str, Callable[[int], float]] = {
        "train, to its first step": lambda turn: seconds(
            ["train", *TRAINED, "--workdir", str(place / f"run {turn}")], place, place / f"run {turn}" / "history.jsonl"
        ),
        "detect, to its first image": lambda turn: seconds(
            ["detect", str(run), str(place / "images"), "--out", str(place / f"out {turn}")], place,
            place / f"out {turn}" / "masks" / "one.png.png",
        ),
        "detect --help": lambda turn: seconds(["detect", "--help"], place),
    }  # fmt: skip
    figures = {}
    for name, call in waited_for.items():
        first = call(0)
        figures[name] = {"first": first, "again": statistics.median(call(turn) for turn in range(1, turns + 1))}
    return figures


def seconds(words: Sequence[str], cache: Path, file: Path | None = None) -> float:
    """From the start of a command until a file of it holds something, or else to its end, which is waited for."""
    environment = os.environ | {"JAX_COMPILATION_CACHE_DIR": str(cache / "cache")}
    begun = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", f"launch.{words[0]}", *words[1:]], stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True, env=environment)  # fmt: skip
    while file and process.poll() is None and not (file.exists() and file.stat().st_size):
        time.sleep(POLL)
    taken = time.perf_counter() - begun
    said = process.communicate()[1]
    if process.returncode:
        raise RuntimeError(f"launch.{' '.join(words)} ended with {process.returncode}: {said[-500:]}")
    return taken if file else time.perf_counter() - begun


def compiled(cache: Path, which: Sequence[tuple[str, str]]) -> dict[str, dict[str, float]]:
    """Seconds until the program that looks at an image is there, of each preset: compiled, and read from the cache."""
    figures = {}
    with kept_in(cache):
        for name, preset in which:
            console.say(f"compiling {name} {preset}")
            row = figures[f"{name} {preset}"] = {}
            for time_of in ("first", "again"):
                begun = time.perf_counter()
                first_detection(name, preset).compile()
                row[time_of] = time.perf_counter() - begun
                jax.clear_caches()
    return figures


@contextlib.contextmanager
def kept_in(cache: Path) -> Iterator[None]:
    """Keeps compiled programs in a folder meanwhile."""
    fields = {"jax_enable_compilation_cache": True, "jax_compilation_cache_dir": str(cache)}
    before = {field: getattr(jax.config, field) for field in fields}
    try:
        for field, value in fields.items():
            jax.config.update(field, value)
        compilation_cache.reset_cache()
        yield
    finally:
        for field, value in before.items():
            jax.config.update(field, value)
        compilation_cache.reset_cache()


def first_detection(name: str, preset: str) -> Any:
    """The program from a uint8 image to its map and mask, traced and not compiled yet."""
    config = configuration.get(name, preset)
    if config.data.channels == "auto":
        configuration.assign(config, {"data.channels": 1})
    detector, hyperparams = make_detector(config)
    shape = (1, *image_size(config), config.data.channels)
    state = jax.eval_shape(detector.init, jax.random.key(0), example_batch(config), hyperparams)
    state = jax.eval_shape(detector.calibrate, state, jax.ShapeDtypeStruct(shape, jnp.float32))
    state = jax.eval_shape(detector.finalize, state)
    threshold = jax.ShapeDtypeStruct((), jnp.float32)
    return scoring.detect.lower(detector, state, jax.ShapeDtypeStruct(shape, jnp.uint8), threshold=threshold)


def as_section(result: dict[str, Any], *, machine: str, command: str) -> str:
    """The figures as Markdown."""
    tell = lambda figures: [f"{figures['first']:.1f} s", f"{figures['again']:.1f} s"]
    commands = [[name, *tell(figures)] for name, figures in result["processes"].items()]
    slowest = sorted(result["compiled"].items(), key=lambda item: -item[1]["first"])
    presets = [[name, *tell(figures)] for name, figures in slowest[:SHOWN]]
    longest = max(figures["again"] for _, figures in slowest)
    return f"""## Start-up

Seconds from the start of a process to what is waited for, with an empty cache of compiled programs and with a filled
one (nsa, preset small; an image of {SIZE[0]} x {SIZE[1]}, whose call is timed below, in a folder of images):

    {command}

{markdown.table(["command", "first", "again"], commands)}

Until the program is there that looks at an image, tracing included: compiled, and read from the cache. Of
{len(slowest)} presets these take longest; from the cache none takes more than {longest:.1f} s.

{markdown.table(["detector, preset", "compiled", "from the cache"], presets)}

{machine}
"""
