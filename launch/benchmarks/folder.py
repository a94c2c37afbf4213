"""A folder of images end to end, PNG in, mask and overlay out, beside the compiled call alone: what the rest costs.

`launch.bench --folder` runs it. Weights are random, for times do not depend on them. A threshold that marks one pixel
in fifty stands in for a fitted one.
"""

import collections
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
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
from launch.command import configuration, files, markdown
from launch.command.timing import in_turn
from launch.run.data import convert, settle
from launch.run.detection import Image, detections, find_images, write_pictures
from launch.run.inference import OpenRun
from launch.run.prediction import Predictor
from launch.run.surfaces import surfaces_of
from launch.run.trained import Run, make_detector
from launch.system.inspection import System, inspect_images, judge, look

DETECTORS = (("nsa", "small"), ("renet_d", "paper"), ("segdec", "small"), ("padim", "small"))
STAGES = (("sbad", "small"), ("segdec", "small"))  # of the two-stage system
SIZE = (500, 1250)  # pixels, of the images
MARKED = 0.02  # of the pixels


def bench_folder(
    *, turns: int, count: int = 16, size: tuple[int, int] = SIZE, detectors: Sequence[tuple[str, str]] = DETECTORS,
    stages: tuple[tuple[str, str], tuple[str, str]] = STAGES,
) -> dict[str, Any]:  # fmt: skip
    """Milliseconds an image of each detector: the compiled call, and all from the file to mask and overlay; and of the
    two stages. Beside them, what each part of the rest takes alone, on one thread."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for number in range(count):
            (place / f"{number:03d}.png").write_bytes(images.png(surface(number, size)))
        timed = {" ".join(which): _timed(*which, place, turns) for which in detectors}
        timed["two stages: " + ", ".join(" ".join(stage) for stage in stages)] = _timed_stages(*stages, place, turns)
    return {"images": count, "size": list(size), "ms": timed}


def surface(seed: int, size: tuple[int, int]) -> np.ndarray:
    """A grained surface, uint8 [H, W, 1], that compresses as photographs do."""
    grain = scipy.ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=size), 1.5)
    return np.clip(128 + 60 * grain, 0, 255).astype(np.uint8)[..., None]


def _timed(name: str, preset: str, place: Path, turns: int) -> dict[str, float]:
    opened, out = untrained(settle(configuration.get(name, preset)), place), place / "out"
    paths = find_images(place, out)
    original = images.read_image(paths[0])
    seen, prediction = convert(opened.predictor.run.config, original), opened.predict(original)
    found = opened.judge(prediction)
    return _figures(turns, len(paths), {
        "call": lambda: [opened.predictor(seen) for _ in paths],
        "end to end": lambda: collections.deque(detections(opened, place, paths, out, None, set()), 0),
        "read": lambda: convert(opened.predictor.run.config, images.read_image(paths[0])),
        "judge": lambda: opened.judge(prediction),
        "write": lambda: write_pictures(out, Image(paths[0].name, original), found),
    })  # fmt: skip


def _timed_stages(surfaces: tuple[str, str], defects: tuple[str, str], place: Path, turns: int) -> dict[str, float]:
    """No distance is above the threshold, so that both stages see every image; the page's few images are kept, too."""
    first, second = (untrained(settle(configuration.get(*stage)), place) for stage in (surfaces, defects))
    config, out = first.predictor.run.config, place / "out"
    system = System(first.predictor.run, np.nan, dict.fromkeys(surfaces_of(config), second))
    paths = find_images(place, out)
    original = images.read_image(paths[0])
    shown = [(opened.predictor, convert(opened.predictor.run.config, original)) for opened in (first, second)]
    (seen,) = look(system, [original])
    mask = judge(system, "", seen).mask
    read = lambda path: partial(images.read_image, path)
    return _figures(turns, len(paths), {
        "call": lambda: [predictor(image) for _ in paths for predictor, image in shown],
        "end to end": lambda: inspect_images(system, [(path.name, read(path)) for path in paths], out),
        "read": lambda: [convert(predictor.run.config, images.read_image(paths[0])) for predictor, _ in shown],
        "judge": lambda: judge(system, "", seen),
        "write": lambda: files.write_png(out / "mask.png", mask.astype(np.uint8) * 255),
    })  # fmt: skip


def _figures(turns: int, count: int, calls: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Milliseconds an image of each call, of which `call` and `end to end` are of all images."""
    for call in calls.values():
        call()
    return {
        name: 1e3 * seconds / (count if name in ("call", "end to end") else 1)
        for name, seconds in in_turn(calls, turns).items()
    }


def untrained(config: ConfigDict, place: Path) -> OpenRun:
    """A run of random weights, whose threshold marks MARKED of an image."""
    detector, hyperparams = make_detector(config)
    example = Batch(jax.numpy.asarray(noise(2, config.train.patch or 64, config.data.channels)) / 255)
    state = loop.jit_once(detector.init)(jax.random.key(0), example, hyperparams)
    shown = [convert(config, images.read_image(path)) for path in find_images(place, place / "out")[:2]]
    for image in shown:
        state = detector.calibrate(state, jax.numpy.asarray(image[None]) / np.float32(255))
    state = jax.block_until_ready(detector.finalize(state))
    predictor = Predictor(Run(config, detector, state, {}, {"kinds": ()}), None)
    anomaly_map = predictor(shown[0]).map
    level = None if anomaly_map is None else float(np.quantile(anomaly_map, 1 - MARKED))
    return OpenRun(predictor, level, 0.0, 0)


def as_section(result: dict[str, Any], *, machine: str, command: str) -> str:
    """The figures as Markdown."""
    head = ["detector", "call, ms", "end to end, ms", "call / end to end", "images/s", "read", "judge", "write"]
    rows = [
        [name, f"{ms['call']:.1f}", f"{ms['end to end']:.1f}", f"**{ms['call'] / ms['end to end']:.2f}**",
         f"{1e3 / ms['end to end']:.1f}", *(f"{ms[part]:.1f}" for part in ("read", "judge", "write"))]
        for name, ms in result["ms"].items()
    ]  # fmt: skip
    height, width = result["size"]
    return f"""## A folder of images

From a PNG of {height} x {width} to the mask and the overlay on the disk, beside the compiled call and what it takes and
gives; {result["images"]} images. Two threads decode and write while the device works; on a CPU they share its cores,
and images go to it one by one, for eight in a call take as long each (first table). On an accelerator up to eight of
one size go together, so that all may take less than the calls of single images.

Where the rest goes, in ms an image on one thread that has the machine for itself: read is the file to the array that
the detector sees, judge the decision, the mask and its defects, write the mask and the overlay (of the two stages: the
mask alone). What does not fit beside the call on the other cores is seen end to end. Untrained networks mark noise,
which costs the judge more than defects do: thousands of them, where a trained run has a few.

    {command}

{markdown.table(head, rows)}

{machine}
"""
