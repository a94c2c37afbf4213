"""DRAEM, two U-Nets that redraw and outline flaws made to order; only normal images are needed.

python -m launch.train --detector draem --preset small
python -m launch.train --detector draem --preset paper --dataset mvtec --data FOLDER

Published on MVTec AD: image AUROC .980, pixel AUROC .973, pixel AP .684. There a flaw's texture is a photograph of
another set (DTD) and three images of ten are turned; here it is another image of the surface, or noise.
"""

SETTINGS = {
    "widths": (128, 256, 512, 1024, 1024),  # channels of the network that redraws, at each scale, the finest first
    "segmentation": (64, 128, 256, 512, 512, 512),  # of the one that outlines
    "gamma": 2.0,  # of the focal loss
    "learning_rate": 1e-4,
    "decay": 0.2,  # factor of the learning rate at 80 % and at 90 % of the steps
    "box": 21,  # an image scores as the worst mean over so many pixels a side; 1 for single pixels
}
BASE = {
    "train.supervision": "simulated", "train.corrupt": ("perlin",), "train.batch": 8, "train.patch": 256,
    "train.steps": 21000, "train.save_every": 1000,
}  # fmt: skip
PRESETS = {
    # 700 epochs of 240 images at 256 x 256 pixels, RGB.
    "paper": {"data.size": 256, "data.channels": 3},
    # Patches of 96 x 96 pixels, an eighth of the channels: minutes on two cores.
    "small": {
        "train.patch": 96, "train.steps": 1200, "train.save_every": 200, "settings.widths": (16, 32, 64, 64),
        "settings.segmentation": (8, 16, 32, 32), "settings.learning_rate": 1e-3, "settings.box": 7,
    },
}  # fmt: skip
