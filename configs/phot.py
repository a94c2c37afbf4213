"""PHOT, the phase-only transform, on any folder of images. Nothing is trained: milliseconds an image anywhere.

python -m launch.train --detector phot
python -m launch.train --detector phot --dataset mvtec --data FOLDER

The paper takes a level of 4 for a defect in every image; here a threshold on levels is fitted on normal images held
out, as for all detectors. The level of a pixel is that of the whole image, or of its tile where images have many sizes
(score.mode=whole compiles once for each).
"""

from configs import base

SETTINGS = {
    "epsilon": 1e-8,  # added to each magnitude before dividing by it
    "sigma": 3.0,  # of the Gaussian, pixels
}
BASE = base.UNTRAINED
PRESETS = {"paper": {}}
