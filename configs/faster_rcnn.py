"""Faster R-CNN, which learns boxes around defects from outlined ones and good images.

python -m launch.train --detector faster_rcnn
python -m launch.train --detector faster_rcnn --dataset magnetic_tile --data FOLDER data.train_defective_fraction=0.5
python -m launch.train --detector faster_rcnn --preset paper --dataset mvtec --data FOLDER \\
    data.train_defective_fraction=0.5

An epoch shows every defective training image once, and as many good ones. Sizes in pixels are those of the images as
trained on (data.size rows). Windows of large images are trained on by train.patch; images scored in tiles keep their
map but no boxes.
"""

from configs import base

SETTINGS = {
    "widths": (64, 128, 256, 512),  # channels at 1/2, 1/4, 1/8 and 1/16 of the image's size
    "sizes": (128.0, 256.0, 512.0),  # roots of the anchors' areas, pixels
    "ratios": (0.5, 1.0, 2.0),  # of their heights over their widths
    "hidden": 4096,  # units of the layer that judges a region
    "bins": 7,  # features a side of a region
    "candidates": 6000,  # anchors of the highest objectness
    "proposals": 300,  # regions of these that are judged
    "proposal_overlap": 0.7,  # of two proposals that overlap more, the worse is left out
    "positive_overlap": 0.7,  # an anchor that overlaps a defect so much is one
    "negative_overlap": 0.3,  # an anchor that overlaps less is none
    "max_boxes": 32,  # defects of an image that are learned from, the largest
    "min_area": 8,  # pixels; smaller pieces of a mask are left out
    "max_detections": 100,  # boxes of an image at most
    "detection_overlap": 0.3,  # of two boxes that overlap more, the worse is left out
    "min_score": 0.05,  # of the boxes given
    "box_weight": 1.0,  # of the losses of the boxes' places beside those of their scores
    "learning_rate": 1e-4,  # Adam's
    "decay": 0.1,  # the learning rate is multiplied by it
    "decay_every": 60000,  # after so many steps
}
BASE = {
    "train.supervision": "masks", "train.patch": 0, "train.flips": True, "threshold.image_rule": "f1",
    "threshold.pixel_rule": "f1",
}  # fmt: skip
PRESETS = {
    # Images of 256 x 256 pixels.
    "small": base.DRAWN_DEFECTS | {
        "data.size": 256, "train.batch": 4, "train.steps": 2000,
        "settings.widths": (16, 32, 64, 64), "settings.sizes": (12.0, 24.0, 48.0, 96.0, 192.0), "settings.hidden": 128,
        "settings.candidates": 256, "settings.proposals": 32, "settings.positive_overlap": 0.5,
        "settings.max_boxes": 8, "settings.max_detections": 16, "settings.learning_rate": 1e-3,
        "settings.decay_every": 1500,
    },
    # As published: 600 rows, 3 sizes and 3 ratios of anchors, 300 proposals; for an accelerator. The backbone has
    # VGG-16's widths but a third of its layers and a finer stride, and is not pretrained; Adam takes the place of 60000
    # and 20000 steps of gradient descent at rates 0.001 and 0.0001.
    "paper": {
        "data.size": 600, "data.channels": 3, "train.batch": 2, "train.steps": 80000, "train.save_every": 2000,
    },
}  # fmt: skip
