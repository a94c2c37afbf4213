"""DAE(skip): the deep autoencoder of `dae` with skip connections at its three scales.

Use it to see what skip connections do: defects are redrawn, too.
"""

from jaxdefect.detector import Detector
from jaxdefect.detectors import dae


def make(**settings) -> Detector:
    """`dae.make` with skips. Takes its other settings."""
    return dae.make(skip=True, **settings)
