"""Surface-defect detection in JAX/Flax: every detector behind one protocol.

Images are [B, H, W, C] float32 in [0, 1]; masks are [B, H, W] with 1 on defects; a higher score is worse.

`Batch`, `Detector`, `Scores`, `load` and `names` are those of `jaxdefect.detector`, `open_run` is that of
`launch.run.inference`.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxdefect.detector import Batch as Batch
    from jaxdefect.detector import Detector as Detector
    from jaxdefect.detector import Scores as Scores
    from jaxdefect.detector import load as load
    from jaxdefect.detector import names as names

_OF_DETECTORS = ("Batch", "Detector", "Scores", "load", "names")


def __getattr__(name: str) -> Any:
    """What is above, when it is asked for: a command line that is only parsed needs no JAX.

    `open_run` knows of configs and thresholds, of which nothing else here does.
    """
    if name == "open_run":
        return importlib.import_module("launch.run.inference").open_run
    if name in _OF_DETECTORS:
        return getattr(importlib.import_module("jaxdefect.detector"), name)
    raise AttributeError(f"module 'jaxdefect' has no attribute {name!r}")
