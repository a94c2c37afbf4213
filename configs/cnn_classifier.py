"""A plain convolutional network as a classifier: good or defective, or kinds of defect, from labels alone.

python -m launch.train --detector cnn_classifier --preset small
python -m launch.train --detector cnn_classifier --preset small --dataset magnetic_tile
python -m launch.train --detector cnn_classifier ... train.supervision=kinds

Half of the defective images are trained on, or held out for the threshold; their outlines are not used.
"""

from configs import base

SETTINGS = {
    "size": 224,  # pixels a side, as data.size
    "widths": (32, 64, 128, 256, 256),  # channels of each block, which halves the image's side
    "learning_rate": 1e-3,  # of Adam
    "decay": 0.1,  # the learning rate is multiplied by it
    "decay_every": 2000,  # after so many steps
}
BASE = base.LABELLED | {"data.size": 224, "train.steps": 4000, "train.batch": 32}
PRESETS = {
    "paper": {},  # 224 x 224 pixels, a million weights, for an accelerator; the survey names no values.
    # 128 x 128 pixels and half the channels.
    # Magnetic tile, 96 good and 102 defective images: AUROC 0.94, AP 0.99. Three minutes of processor time.
    "small": base.DRAWN_DEFECTS | {
        "data.size": 128, "settings.size": 128, "train.steps": 800, "train.batch": 16, "train.log_every": 40,
        "train.save_every": 400, "settings.widths": (16, 32, 64, 128), "settings.learning_rate": 2e-3,
        "settings.decay_every": 500,
    },
}  # fmt: skip
