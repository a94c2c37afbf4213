"""DCT, texture removed from the cosine transform, on any folder of images. Nothing is trained: seconds.

python -m launch.train --detector dct
python -m launch.train --detector dct --dataset mvtec --data FOLDER

A threshold on levels is fitted on normal images held out, as for all detectors. The level of a pixel is that of the
whole image, or of its tile where there are many sizes, as for PHOT.
"""

from configs import base

SETTINGS = {
    "dominant": 4.0,  # coefficients of so many times the root mean square of all are texture
    "sigma": 3.0,  # of the Gaussian over what is left, pixels; 0 for none
}
BASE = base.UNTRAINED
PRESETS = {"paper": {}}  # Our reading.
