"""The two stages: milliseconds an image of each and of both, and the forms of Seg-Dec-Net's widest layer.

`launch.bench --two-stage` runs it.
"""

from typing import Any

import jax
import jax.numpy as jnp

import jaxdefect
from jaxdefect import scoring
from jaxdefect.networks import convolution, fft_convolution
from jaxdefect.training import loop
from launch.command import configuration, markdown
from launch.command.timing import in_turn
from launch.run.data import settle
from launch.run.trained import settings_of

LAYERS = {  # features [B, H, W, in], channels out, of the 15 x 15 layer
    "512 x 512, published widths": ((1, 64, 64, 64), 1024),
    "8 of 512 x 512, preset small": ((8, 64, 64, 16), 64),
    "8 of 256 x 256, preset small": ((8, 32, 32, 16), 64),
}
SYSTEMS = {"published widths": ("dagm", 512), "preset small": ("small", 512), "preset small, 256 x 256": ("small", 256)}


def bench_two_stage(*, turns: int, systems: dict[str, tuple[str, int]] = SYSTEMS) -> dict[str, Any]:
    """Times of the widest layer in each form, and of an image through each stage."""
    return {
        "layers": {name: layer(*case, turns=turns) for name, case in LAYERS.items()},
        "systems": {name: stages(*case, turns=turns) for name, case in systems.items()},
    }


def layer(shape: tuple[int, ...], outputs: int, *, turns: int) -> dict[str, float]:
    """Milliseconds, direct and through spectra: forward, and forward with both gradients."""
    x = jax.random.normal(jax.random.key(0), shape)
    kernel = jax.random.normal(jax.random.key(1), (15, 15, shape[-1], outputs))
    calls = {}
    for name, conv in (("direct", convolution.conv), ("spectral", fft_convolution.conv)):
        forward = jax.jit(conv)
        both = jax.jit(jax.value_and_grad(lambda x, kernel, conv=conv: jnp.sum(conv(x, kernel) ** 2), (0, 1)))
        calls[f"{name}_ms"] = lambda f=forward: jax.block_until_ready(f(x, kernel))
        calls[f"{name}_gradients_ms"] = lambda f=both: jax.block_until_ready(f(x, kernel))
    for call in calls.values():
        call()
    return {name: 1e3 * seconds for name, seconds in in_turn(calls, turns).items()}


def stages(preset: str, side: int, *, turns: int) -> dict[str, float]:
    """Milliseconds from a uint8 image of side x side to the surface, to the defect's map and mask, and to both.

    The first stage is SBAD of preset small (SqueezeNet at 224 x 224); weights are random: times do not depend on them.
    """
    image = jax.random.randint(jax.random.key(2), (1, side, side, 1), 0, 255).astype(jnp.uint8)
    calls = {}
    for name, config in (
        ("surface", settle(configuration.get("sbad", "small"))),
        ("defect", settle(configuration.get("segdec", preset))),
    ):
        detector = jaxdefect.load(config.detector)(**settings_of(config, {}))
        draw = loop.jit_once(detector.init)
        state = draw(jax.random.key(0), jaxdefect.Batch(scoring.as_float(image)))
        calls[f"{name}_ms"] = lambda detector=detector, state=state: jax.block_until_ready(
            scoring.detect(detector, state, image, threshold=0.5)
        )
    calls["whole_ms"] = lambda: [calls["surface_ms"](), calls["defect_ms"]()]
    calls["whole_ms"]()
    times = {name: 1e3 * seconds for name, seconds in in_turn(calls, turns).items()}
    return times | {"fps": 1e3 / times["whole_ms"]}


def as_section(result: dict[str, Any], *, machine: str, command: str) -> str:
    """The figures as Markdown."""
    head = ["features, kernel", "direct", "spectral", "faster by", "with gradients: direct", "spectral", "faster by"]
    layers = [head]
    for name, row in result["layers"].items():
        shape, outputs = LAYERS[name]
        forward, both = ((row[f"direct{s}"], row[f"spectral{s}"]) for s in ("_ms", "_gradients_ms"))
        times = [[f"{a:.0f} ms", f"{b:.0f} ms", f"**{a / b:.1f}x**"] for a, b in (forward, both)]
        layers.append([f"{name}: {list(shape)}, 15 x 15 to {outputs}", *times[0], *times[1]])
    systems = [["Seg-Dec-Net", "surface", "defect", "both", "images a second"]]
    for name, row in result["systems"].items():
        times = [f"{row[key]:.1f} ms" for key in ("surface_ms", "defect_ms", "whole_ms")]
        systems.append([f"{name}{'' if 'x' in name else ', 512 x 512'}", *times, f"{row['fps']:.1f}"])
    return f"""## The two-stage system

Medians of several turns. The 15 x 15 layer of Seg-Dec-Net, directly and as products of spectra (equal to 1e-4; the
faster one is taken on CPU, the direct one elsewhere):

    {command}

{markdown.table(layers[0], layers[1:])}

One uint8 image at a time: to its surface (SqueezeNet features, SBAD), on to the map and mask of its defect, both. The
second stage's paper names 57 images a second for 512 x 512 on an RTX 2080 Ti.

{markdown.table(systems[0], systems[1:])}

{machine}
"""
