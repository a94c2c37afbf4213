"""TF-VAEGAN, the baseline of SBAD: what is read of redrawn features is fed back into the decoder.

Use it to reproduce the baseline of `sbad`.

Source: Narayan, Gupta, Khan, Snoek, Shao, "Latent Embedding Feedback and Discriminative Features for Zero-Shot
Classification", ECCV 2020.
"""

from jaxdefect.detector import Detector
from jaxdefect.detectors import sbad


def make(**settings) -> Detector:
    """`sbad.make` with the parts of TF-VAEGAN. Takes its other settings."""
    return sbad.make(tf_vaegan=True, **settings)
