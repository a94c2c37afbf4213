"""One Gaussian over what a frozen backbone sees anywhere in normal images: the yardstick for textures.

python -m launch.train --detector feature_gaussian --preset small --weights squeezenet.h5
python -m launch.train --detector feature_gaussian --preset small --dataset nanotwice --data FOLDER \\
    --weights squeezenet.h5
python -m launch.train --detector feature_gaussian --preset paper --weights resnet18.safetensors

Nothing is trained: the normal images are looked at once. docs/weights.md tells where weights are to be had.
"""

from configs import base

SETTINGS = {
    "backbone": "resnet18",  # one of jaxdefect/backbones
    "backbone_width": 16,  # channels of the first map of the backbone `small`
    "stages": (0, 1, 2),  # maps that are joined, 0 the finest; the first one gives the cells
    "size": 0,  # pixels a side that the backbone looks at; 0 for the image's own size
    "margin": 64,  # pixels mirrored around it: zeros beyond the border would look like a defect
    "channels": 0,  # random directions that features are projected on; 0 keeps all features
    "smoothing": 4,  # standard deviation of the Gaussian filter over the map, pixels
}
BASE = base.UNTRAINED
PRESETS = {
    "paper": {},  # ResNet-18, stages 1 to 3: 448 features in every 4th row and column.
    # SqueezeNet, 384 features.
    "small": {"settings.backbone": "squeezenet", "settings.stages": (0, 1), "settings.margin": 32},
}
