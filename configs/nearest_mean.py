"""Nearest mean of features: what SBAD has to beat.

python -m launch.train --detector nearest_mean --weights squeezenet.h5
python -m launch.train --detector nearest_mean --preset self_trained          # no file of weights at all
"""

from configs import surfaces

SETTINGS = surfaces.BACKBONE
BASE = surfaces.SURFACES
SMALL = surfaces.DRAWN | surfaces.SQUEEZENET | {"train.steps": 60, "train.log_every": 10, "train.save_every": 20}
PRESETS = {
    "small": SMALL,
    # As small, with a small network that it trains itself in place of SqueezeNet.
    "self_trained": SMALL | surfaces.SELF_TRAINED | {"train.steps": 300, "train.save_every": 100},
    # SBAD's ResNet-101; five epochs, in which nearly every image is drawn.
    "paper": {"train.steps": 300, "train.log_every": 20, "train.save_every": 100},
}
