"""Surface-defect detection in JAX/Flax: every detector behind one protocol.

Images are [B, H, W, C] float32 in [0, 1]; masks are [B, H, W] with 1 on defects; a higher score is worse.
"""

from jaxdefect.detector import Batch, Detector, Scores, load, names

__all__ = ["Batch", "Detector", "Scores", "load", "names"]
