"""LCA, low-pass filtering with curvature analysis, on any folder of images. Nothing is trained: seconds.

python -m launch.train --detector lca
python -m launch.train --detector lca --dataset mvtec --data FOLDER

The paper takes a level of 3 for a defect in every image; here a threshold on levels is fitted on normal images held
out, as for all detectors. The level of a pixel is that of the whole image, or of its tile where there are many sizes,
as for PHOT.
"""

from configs import base

SETTINGS = {}  # There is nothing to set.
BASE = base.UNTRAINED
PRESETS = {"paper": {}}
