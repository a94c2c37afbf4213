"""A folder of images end to end, PNG in, mask and overlay out, beside the compiled call alone: what the rest costs.

`launch.bench --folder` runs it. Weights are random, for times do not depend on them. A threshold that marks one pixel
in fifty stands in for a fitted one.
"""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
import scipy.ndimage
from ml_collections import ConfigDict

from data_pipeline import images
from jaxdefect.detector import Batch
from jaxdefect.training import loop
from launch.benchmarks.throughput import noise
from launch.command import configuration, markdown
from launch.run.data import convert
from launch.run.detection import detections, find_images
from launch.run.inference import OpenRun
from launch.run.prediction import Predictor
from launch.run.trained import Run, make_detector

DETECTORS = (("nsa", "small"), ("renet_d", "paper"), ("segdec", "small"), ("padim", "small"))
SIZE = (500, 1250)  # pixels, of the images
MARKED = 0.02  # of the pixels


def bench_folder(
    *, turns: int, count: int = 16, size: tuple[int, int] = SIZE, detectors: Sequence[tuple[str, str]] = DETECTORS
) -> dict[str, Any]:
    """Milliseconds an image of each detector: the compiled call, and all from the file to mask and overlay."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for number in range(count):
            (place / f"{number:03d}.png").write_bytes(images.png(surface(number, size)))
        timed = {" ".join(which): _timed(*which, place, turns) for which in detectors}
    return {"images": count, "size": list(size), "ms": timed}


def surface(seed: int, size: tuple[int, int]) -> np.ndarray:
    """A grained surface, uint8 [H, W, 1], that compresses as photographs do."""
    grain = scipy.ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=size), 1.5)
    return np.clip(128 + 60 * grain, 0, 255).astype(np.uint8)[..., None]


def _timed(name: str, preset: str, place: Path, turns: int) -> dict[str, float]:
    opened = _untrained(configuration.get(name, preset), place)
    paths = find_images(place, place / "out")
    seen = convert(opened.predictor.run.config, images.read_image(paths[0]))
    opened.predictor(seen)  # compiles
    bare, whole = [], []
    for _ in range(turns):
        begun = time.perf_counter()
        for _ in paths:
            opened.predictor(seen)
        bare.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        for _ in detections(opened, place, paths, place / "out", {}, None):
            pass
        whole.append(time.perf_counter() - begun)
    scale = 1e3 / len(paths)
    return {"call": scale * float(np.median(bare)), "end to end": scale * float(np.median(whole))}


def _untrained(config: ConfigDict, place: Path) -> OpenRun:
    """A run of random weights, whose threshold marks MARKED of an image."""
    detector, hyperparams = make_detector(config)
    example = Batch(jax.numpy.asarray(noise(2, config.train.patch or 64, config.data.channels)) / 255)
    state = loop.jit_once(detector.init)(jax.random.key(0), example, hyperparams)
    shown = [convert(config, images.read_image(path)) for path in find_images(place, place / "out")[:2]]
    for image in shown:
        state = detector.calibrate(state, jax.numpy.asarray(image[None]) / np.float32(255))
    state = jax.block_until_ready(detector.finalize(state))
    predictor = Predictor(Run(config, detector, state, {}, {"kinds": ()}), None)
    level = float(np.quantile(predictor(shown[0]).map, 1 - MARKED))
    return OpenRun(predictor, level, 0.0, 0)


def as_section(result: dict[str, Any], *, machine: str, command: str) -> str:
    """The figures as Markdown."""
    rows = [
        [name, f"{ms['call']:.0f}", f"{ms['end to end']:.0f}", f"**{ms['call'] / ms['end to end']:.2f}**",
         f"{1e3 / ms['end to end']:.1f}"]
        for name, ms in result["ms"].items()
    ]  # fmt: skip
    height, width = result["size"]
    return f"""## A folder of images

From a PNG of {height} x {width} to the mask and the overlay on the disk, beside the compiled call and what it takes and
gives; {result["images"]} images. Two threads decode and write while the device works; on a CPU they share its cores.

    {command}

{markdown.table(["detector", "call, ms", "end to end, ms", "call / end to end", "images/s"], rows)}

{machine}
"""
