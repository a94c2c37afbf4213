"""NSA: a network that outlines flaws made to order on normal images.

python -m launch.train --detector nsa
python -m launch.train --detector nsa --dataset mvtec --data FOLDER
python -m launch.train --detector nsa --preset paper --dataset mvtec --data FOLDER

The flaws are those of train.corrupt; `python -m launch.flaws` draws them on one's own images.
"""

# Simple marks are learned soonest; pieces of other images, which take longer, are what fibres need, and threads out of
# place what cloth needs.
MARKS, SLIPS = ("stain", "spot", "line"), ("slip", "slip")
SETTINGS = {
    "widths": (16, 32, 64, 128),  # channels at each scale, the finest first
    "depth": 2,  # convolutions at each scale
    "skip": True,  # the decoder sees the encoder's features at every scale
    "blocks": True,  # the network sees blocks of 2 x 2 pixels
    "window": 31,  # side of the square whose contrast a pixel is seen in; 0: grey levels
    "target": "mask",  # whether a pixel was changed; severity: how much
    "weight": 4.0,  # of a flawed pixel's error; that of a good one is 1
    "learning_rate": 5e-3,
    "final_rate": 1e-6,  # that it falls to, by a cosine
    "clip": 1.0,  # norm that greater gradients are scaled down to
    "box": 3,  # side of the mean filter over the map, pixels
    "one_of": 500,  # an image scores as the mean of its worst pixels, one of so many
    "margin": 32,  # pixels by which an image is mirrored all around before it is scored
    "frame": 4,  # pixels at the border that have no part in an image's score
    "views": 4,  # 1: the image, 2: also mirrored, 4: and both upside down; the map is their mean, the time their sum
}
BASE = {
    "train.supervision": "simulated", "train.patch": 128, "train.batch": 8, "train.flips": True,
    # Many flaws to a patch cost little more than one: with one each, 1500 steps hardly taught anything.
    "train.corrupt_share": 0.8, "train.corrupt_most": 4,
    "train.corrupt": (*MARKS, *MARKS, "perlin", "nsa", "cutpaste", "scar", "smear", "fold", *SLIPS),  # some twice
    "score.tile": 512,
    "train.steps": 1500, "threshold.image_rule": "simulated", "threshold.pixel_rule": "simulated",
}  # fmt: skip
PRESETS = {
    "small": {},  # three and a half minutes on two cores
    # Half the images' size, for surfaces that differ from image to image, as tiles do: the network sees twice as far,
    # and four times as much surface in equal time. Eleven minutes of magnetic tile on a core of two, both busy.
    "half": {"data.scale": 0.5, "train.patch": 96, "train.steps": 6000},
    "large": {"train.batch": 16, "train.steps": 5000, "settings.widths": (32, 64, 128, 256)},
    # As published: seamless patches alone, an encoder-decoder of the size of a ResNet-18, 320 epochs of 64 images.
    "paper": {
        "train.corrupt": ("nsa",), "train.corrupt_share": 0.5, "train.patch": 256, "train.batch": 64,
        "train.steps": 1500, "settings.widths": (64, 64, 128, 256, 512), "settings.skip": False,
        "settings.blocks": False, "settings.window": 0, "settings.target": "severity", "settings.weight": 1.0,
        "settings.learning_rate": 1e-3, "settings.clip": 1e9, "settings.box": 1, "settings.one_of": 1,
        "settings.margin": 0, "settings.frame": 0, "settings.views": 1,
    },
}  # fmt: skip
