"""What a run will take before it is trained: memory by the compiler's plan, and a trace of some steps."""

from pathlib import Path
from typing import Any

import jax
from ml_collections import ConfigDict

from jaxdefect import parallel
from jaxdefect.detector import no_training
from jaxdefect.training import feed, loop
from launch.run import feeds
from launch.run.data import Data, facts_of, open_data, settle
from launch.run.prediction import Predictor, memory, predictor_of
from launch.run.trained import Run, make_detector

WARM, TRACED = 2, 5  # steps that compile and fill caches, and those in the trace


def plan_memory(config: ConfigDict) -> dict[str, float]:
    """Megabytes of each device that a run takes: state, images (kept there, or a batch), step, score, whole.

    step: what a training step takes beside state and images; score: beside the state, to score the largest test image;
    whole: all that is there at once, at the worst. Nothing is trained, but both programs are compiled.
    """
    data, source, predictor = _prepared(config)
    of = lambda tree: sum(leaf.nbytes for leaf in jax.tree.leaves(tree) if hasattr(leaf, "nbytes")) / 1e6
    state, inputs = predictor.run.state, source.inputs(0)
    plan = {"state": of(state), "images": of(inputs) / (jax.local_device_count() if source.sharded else 1), "step": 0.0}
    if predictor.run.detector.step is not no_training:
        step = loop.compile_advance(predictor.run.detector, source.make_batch, source.sharded, config.train.batch, 1)
        key = parallel.replicate(jax.random.key(config.seed))
        plan["step"] = loop.step_memory(step, parallel.replicate(state), inputs, parallel.number(0), key) / 1e6
    plan["score"] = memory(predictor, _largest(data)) - plan["state"]
    return plan | {"whole": plan["state"] + max(plan["images"] + plan["step"], plan["score"])}


def trace(config: ConfigDict, folder: Path) -> None:
    """Writes a profile of TRACED steps and of scoring an image to a folder, for TensorBoard and ui.perfetto.dev."""
    data, source, predictor = _prepared(config)
    detector, image = predictor.run.detector, _largest(data)
    predictor(image)
    program = loop.one_run(detector, source, key=jax.random.key(config.seed), batch=config.train.batch)
    state, trains = program.place(predictor.run.state), detector.step is not no_training
    for step in range(WARM if trains else 0):
        state, _ = jax.block_until_ready(program.advance(state, step, 1))
    with jax.profiler.trace(folder, create_perfetto_trace=True):
        for step in range(WARM, WARM + TRACED if trains else WARM):
            with jax.profiler.StepTraceAnnotation("train", step_num=step):
                state, _ = jax.block_until_ready(program.advance(state, step, 1))
        with jax.profiler.TraceAnnotation("score"):
            predictor(image)


def _prepared(config: ConfigDict) -> tuple[Data, feed.Feed, Predictor]:
    """The data, the training images, and a run with a fresh state."""
    settle(config)
    data = open_data(config)
    facts, source = facts_of(config, data), feeds.make_feed(config, data)
    detector, hyperparams = make_detector(config, facts)
    state: Any = loop.init(
        detector, source, key=jax.random.key(config.seed), batch=config.train.batch, hyperparams=hyperparams
    )
    return data, source, predictor_of(Run(config, detector, state, {}, facts), data)


def _largest(data: Data) -> Any:
    records = data.converted.test.records
    return data.converted.test[max(range(len(records)), key=lambda i: records[i].height * records[i].width)].image
