"""A folder of small checkpoints."""

import numpy as np

from jaxdefect.training.checkpoint import Checkpoints

STATE = {"kernel": np.arange(20000, dtype=np.float32), "step": np.int32(3), "nested": (np.ones((2, 3)),)}
PROGRESS = {"best": 0.5, "waited": 1}


def saved(folder, steps=(5, 10), losses=(0.5, 0.4), **options):
    checkpoints = Checkpoints(folder, **options)
    for step, loss in zip(steps, losses, strict=True):
        state = STATE | {"step": np.int32(step)}
        checkpoints.save(step, state, loss=loss, progress=PROGRESS)
    checkpoints.close()
