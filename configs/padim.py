"""PaDiM: a Gaussian at each place of an image over what a frozen backbone sees there, for parts that lie alike.

python -m launch.train --detector padim --preset small --weights squeezenet.h5
python -m launch.train --detector padim --preset paper --dataset mvtec --data FOLDER --weights resnet18.safetensors

Nothing is trained: the normal images are looked at once. With fewer of them than `channels` the ridge decides.
"""

from configs import base

SETTINGS = {
    "backbone": "resnet18",  # one of jaxdefect/backbones
    "backbone_width": 16,  # channels of the first map of the backbone `small`
    "stages": (0, 1, 2),  # maps that are joined, 0 the finest; the first one gives the cells
    "size": 224,  # pixels a side that all images are brought to
    "margin": 0,  # pixels mirrored around them; every place has its own Gaussian, at the border, too
    "channels": 100,  # of the joined maps, drawn at random
    "ridge": 0.01,  # added to every variance, in units of a channel's average variance
    "smoothing": 4,  # standard deviation of the Gaussian filter over the map, pixels
}
BASE = base.UNTRAINED
PRESETS = {
    "paper": {},  # ResNet-18, 100 channels of stages 1 to 3 at 56 x 56 cells: 250 MB of state.
    # SqueezeNet, 100 channels of all its maps at 29 x 29 cells: 67 MB of state.
    "small": {"settings.backbone": "squeezenet", "settings.stages": (1, 0, 2)},
}
