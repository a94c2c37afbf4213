"""PatchCore: an image's places are compared with a few, well spread ones of normal images.

python -m launch.train --detector patchcore --preset small --weights squeezenet.h5
python -m launch.train --detector patchcore --preset paper --dataset mvtec --data FOLDER --weights resnet50.safetensors

Nothing is trained: the normal images are looked at once.
"""

from configs import base

SETTINGS = {
    "backbone": "resnet50",  # one of jaxdefect/backbones
    "backbone_width": 16,  # channels of the first map of the backbone `small`
    "stages": (1, 2),  # maps that are joined, 0 the finest; the first one gives the cells
    "size": 224,  # pixels a side that the backbone looks at; 0 for the image's own size
    "margin": 0,  # pixels mirrored around it
    "bank": 30000,  # cells sampled from all normal images
    "coreset": 3000,  # of them that are kept
    "projection_size": 128,  # random directions in which those are chosen; 0 for the features themselves
    "neighbours": 9,  # b, cells around the nearest one that weigh an image's score; 0 for none
    "smoothing": 4,  # standard deviation of the Gaussian filter over the map, pixels
}
BASE = base.UNTRAINED
PRESETS = {
    # ResNet-50, stages 2 and 3 at 28 x 28 cells; the paper has its wide form. A tenth of 30 000 cells is kept, 200 MB
    # of state. Published for MVTec: image AUROC 99.1 %, pixel AUROC 98.1 %.
    "paper": {},
    # SqueezeNet, 1000 of 10 000 cells.
    "small": {
        "settings.backbone": "squeezenet", "settings.stages": (0, 1), "settings.bank": 10000,
        "settings.coreset": 1000, "settings.projection_size": 64,
    },
}  # fmt: skip
