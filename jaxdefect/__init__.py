"""Surface-defect detection in JAX/Flax: every detector behind one protocol.

Images are [B, H, W, C] float32 in [0, 1]; masks are [B, H, W] with 1 on defects; a higher score is worse.
"""

import importlib
from typing import Any

from jaxdefect.detector import Batch, Detector, Scores, load, names

__all__ = ["Batch", "Detector", "Scores", "load", "names", "open_run"]


def __getattr__(name: str) -> Any:
    """`open_run`, when it is asked for: it knows of configs and thresholds, of which nothing else here does."""
    if name == "open_run":
        return importlib.import_module("launch.run.inference").open_run
    raise AttributeError(f"module 'jaxdefect' has no attribute {name!r}")
