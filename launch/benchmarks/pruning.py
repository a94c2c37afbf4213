"""What fewer channels save: milliseconds an image of the full detector and of one with half of every width.

`launch.bench --pruned` runs it. Weights are random: times do not depend on them.
"""

from typing import Any

import jax

import jaxdefect
from jaxdefect import scoring
from jaxdefect.pruning import structured
from jaxdefect.training import loop
from launch.command import configuration, markdown
from launch.command.timing import in_turn
from launch.run.data import settle
from launch.run.pruning import weights
from launch.run.trained import example_batch, settings_of

DETECTORS = {"ReNet-D, preset paper": ("renet_d", "paper", 1024), "Seg-Dec-Net, preset small": ("segdec", "small", 512)}


def bench_prune(
    *, turns: int, keep: float = 0.5, detectors: dict[str, tuple[str, str, int]] = DETECTORS
) -> dict[str, Any]:
    """Of each detector (name, preset, pixels a side of the image): weights and milliseconds, full and pruned."""
    return {
        "keep": keep,
        "detectors": {name: full_and_pruned(*case, keep=keep, turns=turns) for name, case in detectors.items()},
    }


def full_and_pruned(name: str, preset: str, side: int, *, keep: float, turns: int) -> dict[str, Any]:
    """Milliseconds from a uint8 image of side x side to its mask, both in turn, and how many weights there are."""
    config = settle(configuration.get(name, preset))
    batch, make = example_batch(config), jaxdefect.load(name)
    settings = settings_of(config, {})
    planned = structured.plan(make, settings, batch, keep=keep)
    image = jax.random.randint(jax.random.key(2), (1, side, side, config.data.channels), 0, 255).astype("uint8")
    calls, row = {}, {"side": side}
    for stage, chosen in (("full", settings), ("pruned", planned.settings)):
        detector = make(**chosen)
        example = jax.tree.map(lambda leaf: jax.numpy.zeros(leaf.shape, leaf.dtype), batch)
        state = loop.jit_once(detector.init)(jax.random.key(0), example)
        row[f"{stage}_weights"] = weights(state)["weights"]
        calls[f"{stage}_ms"] = lambda detector=detector, state=state: jax.block_until_ready(
            scoring.detect(detector, state, image, threshold=0.5)
        )
        calls[f"{stage}_ms"]()
    return row | {call: 1e3 * seconds for call, seconds in in_turn(calls, turns).items()}


def as_section(result: dict[str, Any], *, machine: str, command: str) -> str:
    """The figures as Markdown."""
    lines = [["detector, image", "weights", "pruned", "fewer by", "full", "pruned", "faster by"]]
    for name, row in result["detectors"].items():
        counts, times = ([row[f"{stage}_{what}"] for stage in ("full", "pruned")] for what in ("weights", "ms"))
        lines.append([f"{name}, {row['side']} x {row['side']}", *(f"{count:,}" for count in counts),
                      f"**{counts[0] / counts[1]:.1f}x**", *(f"{time:.1f} ms" for time in times),
                      f"**{times[0] / times[1]:.1f}x**"])  # fmt: skip
    return f"""## Pruned detectors

One uint8 image at a time, to its map and mask; {100 * result["keep"]:g} % of the channels of every width kept.
Medians of several turns in which both alternate:

    {command}

{markdown.table(lines[0], lines[1:])}

{machine}
"""
