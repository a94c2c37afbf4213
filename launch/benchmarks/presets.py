"""Every detector as published: what compiling, a training step and an image cost in time and memory.

`launch.bench --presets paper` runs it. Shapes are those that the preset trains on; images are made up and resized to
them, weights random. What would not fit into memory, or take too long, is left out before it begins, with the figure.
"""

import math
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

import jaxdefect
from jaxdefect import parallel, scoring
from jaxdefect.detector import Batch, Detector, no_training
from jaxdefect.training import feed, loop
from launch.benchmarks.folder import surface
from launch.command import choices, configuration, console, markdown
from launch.command.timing import seconds_of_turns
from launch.run.data import conversion
from launch.run.feeds import GOOD_ALONE, with_flaws
from launch.run.trained import example_batch, make_detector

SEVERAL = {"segdec": ("dagm", "ksdd", "ksdd2", "steel")}  # published, in place of one preset `paper`
SIDE = 256  # pixels of the image scored, where a preset keeps the images' own size
LONGEST = 300.0  # seconds that a step may take
MEMORY_SHARE = 0.7  # of what is free, for a step or an image
DIFFERENT = 16  # images made up for a batch; more are these again
GPU = 10e12  # floating-point operations a second that the last column reckons with


def cases(preset: str) -> list[tuple[str, str]]:
    """(detector, preset) of all detectors: presets of this name and kinds of it, such as tf_vaegan_paper.

    A detector that has none called `paper` is measured at its default.
    """
    found = []
    for name in jaxdefect.names():
        there = choices.presets(name)
        named = [one for one in there if one == preset or one.endswith(f"_{preset}")]
        found += [(name, one) for one in named or (SEVERAL.get(name, there[:1]) if preset == "paper" else ())]
    return found


def bench_presets(
    preset: str, *, steps: int, turns: int, minutes: float = math.inf, which: Sequence[tuple[str, str]] | None = None,
    get: Callable[[str, str], ConfigDict] = configuration.get,
    each: Callable[[dict[str, Any]], None] = lambda result: None,
) -> dict[str, Any]:  # fmt: skip
    """Figures of each detector at a preset, or why there are none. each: called with the result after every one.

    minutes: detectors that have not begun by then are left out. which: (detector, preset) pairs in place of all.
    """
    end = time.monotonic() + 60 * minutes
    which = cases(preset) if which is None else which
    if not which:
        raise ValueError(f"no detector has a preset {preset!r}; give --presets paper or --presets small")
    result: dict[str, Any] = {"preset": preset, "steps": steps, "flops_per_s": reachable(), "rows": {}, "missing": {}}
    for name, variant in which:
        case = f"{name} {variant}"
        if time.monotonic() > end:
            result["missing"][case] = f"the {minutes:g} minutes were over"
            continue
        console.say(f"measuring {case}")
        try:
            row = result["rows"][case] = {}
            row |= measured(get(name, variant), row, steps=steps, turns=turns, speed=result["flops_per_s"])
        except Exception as error:  # Whatever is wrong with one, the others are measured.
            result["missing"][case] = f"{type(error).__name__}: {str(error).strip().splitlines()[0][:300]}"
        if not row:
            del result["rows"][case]
        loop.compile_init.cache_clear()
        loop.compile_advance.cache_clear()
        jax.clear_caches()
        each(result)
    return result


def reachable(side: int = 1024) -> float:
    """Floating-point operations a second in a product of matrices, which no network exceeds by much."""
    a = jnp.ones((side, side))
    product = jax.jit(jnp.matmul)
    product(a, a).block_until_ready()
    return 2 * side**3 / min(seconds_of_turns({"": lambda: product(a, a).block_until_ready()}, 5)[""])


def measured(config: ConfigDict, row: dict[str, Any], *, steps: int, turns: int, speed: float) -> dict[str, Any]:
    """Fills and returns the row of a config: first its training, where it has any, then an image."""
    if config.data.channels == "auto":
        configuration.assign(config, {"data.channels": 1})
    detector, hyperparams = make_detector(config)
    source = one_batch(config, detector)
    program = loop.one_run(detector, source, key=jax.random.key(0), batch=config.train.batch, hyperparams=hyperparams)
    state = program.init()
    if detector.step is not no_training:
        state = train(config, detector, source, program.place(state), row, steps=steps, speed=speed)
    score(config, detector, jax.device_put(jax.device_get(state)), row, turns=turns)
    return row


def size_of(config: ConfigDict) -> tuple[int, int]:
    """Height and width of what a config trains on."""
    patch = config.train.patch
    return (patch, patch) if patch else conversion(config)["size"] or (SIDE, SIDE)


def image_size(config: ConfigDict) -> tuple[int, int]:
    """Height and width of the image that is scored."""
    return conversion(config)["size"] or (max(SIDE, config.train.patch),) * 2


def pictures(config: ConfigDict, count: int, size: tuple[int, int]) -> np.ndarray:
    """uint8 [N, H, W, C]."""
    made = np.stack([surface(seed, size) for seed in range(min(count, DIFFERENT))])
    return np.repeat(made[np.arange(count) % len(made)], config.data.channels, -1)


def one_batch(config: ConfigDict, detector: Detector) -> feed.Feed:
    """A batch as large as the preset's, always the same, with all that its supervision adds."""
    count, size = config.train.batch, size_of(config)
    place = np.arange(count)
    mask = np.zeros((count, *size), np.float32)
    mask[1::2, size[0] // 4 : size[0] // 2, size[1] // 4 : size[1] // 2] = 1
    seen = [i for i, name in enumerate(config.data.attributes) if name not in config.data.unseen] or [0]
    all_of_it = {
        "mask": mask, "label": (place % 2).astype(np.int32), "kind": (place % 2).astype(np.int32),
        "has_mask": np.where(place % 2, float(config.train.max_masks != 0), 1).astype(np.float32),
        "surface": np.take(seen, place % len(seen)).astype(np.int32),
    }  # fmt: skip
    if config.train.supervision in GOOD_ALONE:
        all_of_it = {}
    if detector.frozen:
        image = jax.ShapeDtypeStruct((count, *size, config.data.channels), jnp.float32)
        width = jax.eval_shape(lambda image: detector.frozen.embed(detector.frozen.init(), image), image).shape[-1]
        all_of_it["features"] = np.random.default_rng(0).random((count, width), np.float32)
    else:
        all_of_it["image"] = pictures(config, count, size)
        all_of_it["paired_image"] = all_of_it["image"][::-1]
    asked = {name for name, value in example_batch(config)._asdict().items() if value is not None} | {"features"}
    store = parallel.replicate({name: value for name, value in all_of_it.items() if name in asked})

    def make_batch(store: dict[str, jax.Array], keys: jax.Array) -> Batch:
        fields = {name: value[: len(keys)] for name, value in store.items()}
        return Batch(**{"image": None} | {
            name: scoring.as_float(value) if value.dtype == jnp.uint8 else value for name, value in fields.items()
        })  # fmt: skip

    return with_flaws(config, feed.Feed(lambda step: store, make_batch, sharded=False))


def train(
    config: ConfigDict, detector: Detector, source: feed.Feed, state: Any, row: dict[str, Any], *, steps: int,
    speed: float,
) -> Any:  # fmt: skip
    """The state after some steps, of which the first is not timed. Fills the row.

    Raises ValueError where a step is too large or too long for this machine, or the loss is no number.
    """
    count = steps if loop.scans(source) else 1
    step = loop.compile_advance(detector, source.make_batch, source.sharded, config.train.batch, count)
    rest = (source.inputs(0), parallel.number(0), parallel.replicate(jax.random.key(0)))
    begun = time.perf_counter()
    lowered = step.func.lower(*step.args, state, *rest)
    flops = _flops(lowered) * jax.device_count()
    row |= {"batch": config.train.batch, "size": list(size_of(config)), "flops": flops, "steps": config.train.steps}
    if flops / speed > LONGEST:
        raise ValueError(f"a step of {flops / 1e12:.1f} TFLOP takes more than {flops / speed:.0f} s here")
    compiled = lowered.compile()
    row["compile_s"] = time.perf_counter() - begun
    row["step_mb"] = _planned(compiled, "step")
    state, _ = jax.block_until_ready(compiled(*step.args, state, *rest))
    spent, taken = 0.0, 0
    while taken < steps and spent < LONGEST:
        begun = time.perf_counter()
        state, metrics = jax.block_until_ready(compiled(*step.args, state, *rest))
        spent, taken = spent + time.perf_counter() - begun, taken + count
    row["step_s"] = spent / taken
    wrong = {name: value for name, value in jax.device_get(metrics).items() if not np.isfinite(value).all()}
    if wrong:
        raise ValueError(f"after {taken + count} steps the metrics are {wrong}")
    return state


def score(config: ConfigDict, detector: Detector, state: Any, row: dict[str, Any], *, turns: int) -> None:
    """Calibrates on two images and times a third, from uint8 to its map and mask. Fills the row."""
    size = image_size(config)
    images = jnp.asarray(pictures(config, 3, size))
    state = scoring.finalize(detector, scoring.calibrate(detector, state, images[:2]))
    image, threshold = images[2:], jnp.float32(0.5)
    begun = time.perf_counter()
    compiled = scoring.detect.lower(detector, state, image, threshold=threshold).compile()
    row |= {"image": list(size), "score_compile_s": time.perf_counter() - begun}
    row["score_mb"] = _planned(compiled, "image")
    call = lambda: jax.block_until_ready(compiled(state, image, threshold=threshold))
    found = call().scores
    row["score_s"] = statistics.median(seconds_of_turns({"": call}, turns)[""])
    # Infinite may be right: no surface is known before the training has come so far.
    if any(np.isnan(leaf).any() for leaf in jax.device_get((found.image, found.map)) if leaf is not None):
        raise ValueError("the score or the map of an image is NaN")


def _flops(lowered: Any) -> float:
    """Floating-point operations as the compiler counts them before it begins; a loop counts once."""
    counted = lowered.cost_analysis()
    return float((counted[0] if isinstance(counted, list) else counted or {}).get("flops", math.nan))


def _planned(compiled: Any, what: str) -> float:
    """MB that the compiler plans for what goes in, comes out and lies between. Raises ValueError if it is too much."""
    plan = compiled.memory_analysis()
    parts = (plan.argument_size_in_bytes, plan.output_size_in_bytes, plan.temp_size_in_bytes)
    needed, free = sum(parts) - plan.alias_size_in_bytes, MEMORY_SHARE * parallel.free_memory()
    if needed > free:
        raise ValueError(f"one {what} needs {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB may be used here")
    return needed / 1e6


def as_section(result: dict[str, Any], *, machine: str, command: str) -> str:
    """The figures as Markdown."""
    head = ["detector, preset", "batch", "GFLOP a step", "compile", "a step", "memory", "all steps here",
            f"at {GPU / 1e12:g} TFLOP/s", "image", "compile", "an image", "memory"]  # fmt: skip
    rows = []
    for name, row in result["rows"].items():
        cells = ["no steps", *["–"] * 6]
        if "flops" in row:
            shape = f"{row['batch']} of {row['size'][0]} x {row['size'][1]}"
            cells = [shape, f"{row['flops'] / 1e9:.1f}", *["–"] * 4, _long(row["flops"] * row["steps"] / GPU)]
        if "step_s" in row:
            cells[2:6] = [f"{row['compile_s']:.1f} s", _short(row["step_s"]), f"{row['step_mb']:.0f} MB",
                          _long(row["step_s"] * row["steps"])]  # fmt: skip
        scored = ["–"] * 4
        if "score_s" in row:
            scored = [f"{row['image'][0]} x {row['image'][1]}", f"{row['score_compile_s']:.1f} s",
                      _short(row["score_s"]), f"{row['score_mb']:.0f} MB"]  # fmt: skip
        rows.append([name, *cells, *scored])
    missing = "".join(f"\n- {name}: {reason}" for name, reason in result["missing"].items())
    return f"""## Every detector, preset {result["preset"]}

{result["steps"]} steps of a batch that is on the device, and one uint8 image to its score and map; images are made up
and weights random. Memory is what the compiler plans for the one call. "All steps here" is the time of a step by the
preset's number of them. The next column is arithmetic and was not measured: the operations of all steps at
{GPU / 1e12:g} TFLOP/s. Operations are counted by the compiler, those of a loop once.

    {command}

{markdown.table(head, rows)}
{f"{chr(10)}What was wrong, or left out:{chr(10)}{missing}{chr(10)}" if missing else ""}
{machine}
"""


def _short(seconds: float) -> str:
    return f"{1e3 * seconds:.1f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _long(seconds: float) -> str:
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"
