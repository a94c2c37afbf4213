"""Exact figures of pixels on the device: what they cost beside the images they judge. `launch.bench --metrics` runs it.

Maps are noise, brighter on a square that stands for a defect; figures are not binned, so times depend on their number.
"""

from typing import Any

import jax
import jax.numpy as jnp

from jaxdefect.metrics import ranking, threshold
from launch.command import markdown
from launch.command.timing import in_turn

IMAGES = 32
DEFECT = 0.1  # of an image's side


def bench_metrics(*, turns: int, side: int, images: int = IMAGES) -> dict[str, Any]:
    """Seconds of each figure over all pixels of maps of side x side that lie on the device."""
    width = max(1, int(DEFECT * side))
    mask = jnp.zeros((side, side), jnp.uint8).at[:width, :width].set(1)
    keys = jax.random.split(jax.random.key(0), images)
    maps = [jax.random.normal(key, (side, side)) + 2.0 * mask for key in keys]
    masks = [mask] * images
    stacked = jnp.stack(maps)
    otsu = jax.jit(threshold.otsu)
    counts = ranking.pixel_counts(maps, masks)
    calls = {
        "counts that all figures follow from": lambda: ranking.pixel_counts(maps, masks),
        "ROC-AUC, AP, best F1, PRO of them": lambda: [
            figure(counts)
            for figure in (ranking.area_under_roc, ranking.average_precision, ranking.best_f1,
                           ranking.per_region_overlap)
        ],
        "Otsu's threshold of each map": lambda: otsu(stacked).block_until_ready(),
    }  # fmt: skip
    for call in calls.values():
        call()
    return {"images": images, "side": side, "seconds": in_turn(calls, turns)}


def as_section(result: dict[str, Any], *, machine: str, command: str) -> str:
    """The figures as Markdown."""
    pixels = result["images"] * result["side"] ** 2
    rows = [[name, f"{1e3 * s:.1f} ms", f"{pixels / s / 1e6:.0f}"] for name, s in result["seconds"].items()]
    return f"""## Metrics

Exact figures of the pixels of {result["images"]} maps of {result["side"]} x {result["side"]}, which lie on the device,
with one defect each. Medians of several turns:

    {command}

{markdown.table(["what", "all maps", "million pixels a second"], rows)}

{machine}
"""
