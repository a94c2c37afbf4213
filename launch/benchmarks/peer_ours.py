"""One training and test of ours beside anomalib's, in a process of its own: what `peers` starts.

    python -m launch.benchmarks.peer_ours JOB.json

It leaves measured.json, scores.npy and maps.npy in the job's folder, as `peers.figures_of` reads them.
"""

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from data_pipeline import images
from jaxdefect import scoring
from jaxdefect.training import feed, loop
from jaxdefect.training.optim import Player
from launch.command import configuration, files, start
from launch.run.feeds import margin_of, with_flaws
from launch.run.trained import make_detector

THRESHOLD = 0.5


def measure(job: dict[str, Any]) -> dict[str, Any]:
    """Trains, then scores image by image; writes scores and maps and returns the rest."""
    config = configuration.get(job["detector"], job["preset"])
    configuration.assign(config, fields_of(config, job))
    detector, hyperparams = make_detector(config)
    begun = time.perf_counter()
    shown = [read(path) for path in images.listed(Path(job["train"]))]
    source = with_flaws(config, feed.in_memory(shown, patch=job["side"], margin=margin_of(config)))
    key, batch = jax.random.key(job["seed"]), job["batch"]
    program = loop.one_run(detector, source, key=key, batch=batch, hyperparams=hyperparams)
    state, steps = program.place(program.init()), []
    for step in range(job["steps"]):
        started = time.perf_counter()
        state, _ = jax.block_until_ready(program.advance(state, step, 1))
        steps.append(time.perf_counter() - started)
    state = program.fetch(state)
    trained = time.perf_counter() - begun
    state = scoring.finalize(detector, state)
    tested = [read(path) for path in map(Path, job["test"])]
    call = lambda image: scoring.detect(detector, state, image[None], threshold=THRESHOLD).scores
    seconds, scores, maps = [], [], []
    for image in tested:
        started = time.perf_counter()
        found = call(image)
        scores.append(np.asarray(found.image)[0])
        maps.append(np.asarray(found.map)[0])
        seconds.append(time.perf_counter() - started)
    np.save(Path(job["out"]) / "scores.npy", np.array(scores, np.float32))
    np.save(Path(job["out"]) / "maps.npy", np.array(maps, np.float32))
    counted = scoring.detect.lower(detector, state, tested[0][None], threshold=THRESHOLD).cost_analysis()
    players = [leaf for leaf in jax.tree.leaves(state, is_leaf=is_player) if is_player(leaf)]
    return {
        "steps_s": steps, "images_s": seconds, "train_s": trained, "memory_mb": peak_mb(),
        "weights": sum(leaf.size for player in players for leaf in jax.tree.leaves(player.params)),
        "image_flops": counted["flops"], "versions": {"jax": jax.__version__},
    }  # fmt: skip


def fields_of(config: ConfigDict, job: dict[str, Any]) -> dict[str, Any]:
    """The fields that make a config see the images of a job, at their size and in batches of its."""
    side = job["side"]
    sized = {"settings.size": side} if "size" in config.settings else {}
    return sized | job["fields"] | {
        "data.size": side, "data.channels": 3, "train.patch": side, "train.batch": job["batch"],
        "train.steps": job["steps"],
    }  # fmt: skip


def read(path: Path) -> np.ndarray:
    """uint8 [H, W, 3]."""
    return images.read_image(path, channels=3)


def is_player(value: Any) -> bool:
    """Whether a part of a state is a network with its optimiser."""
    return isinstance(value, Player)


def peak_mb() -> float:
    """The most memory that this process ever held, MB; that of its parent, which getrusage inherits, left out."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def main(argv: Sequence[str]) -> None:
    """The job of a file."""
    start.devices()
    jax.config.update("jax_enable_compilation_cache", False)  # Or compile times would be those of reading a file.
    job = json.loads(Path(argv[0]).read_text(encoding="utf-8"))
    files.write_json(Path(job["out"]) / "measured.json", measure(job))


if __name__ == "__main__":
    main(sys.argv[1:])
