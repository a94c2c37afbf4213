"""Typical techniques beside deep learning, on the applications at hand (the survey's Table I).

    python -m launch.sweep survey --quick --weights squeezenet.h5
    python -m launch.sweep survey --dataset "metal surface=magnetic_tile" --data FOLDER --weights squeezenet.h5
    python -m launch.sweep survey --dataset fabric=aitex --data FOLDER --weights squeezenet.h5 data.options.tile=256

The survey puts one published "precision" beside another, most of which their sources call accuracy; each is of its
own images, split and rule. Here all techniques are tested on the same images, at thresholds fitted without them.
Typical techniques are filters and statistics; deep ones that learn from labels train on half of the defective images,
which are left out of everyone's test. Yardsticks, from beyond the survey, see normal images through a pretrained
network that learns no more. Published figures stand beside a row of the same application and kind of network.
"""

TITLE = "Typical techniques and deep learning"
SOURCE = "Gong et al. 2020, Table I"
DETECTOR, PRESET = "phot", "paper"
IMAGES = {
    "metal surface": {"data.options.surfaces": (9,)},
    "fabric": {"data.options.surfaces": (3,)},
    "industrial optical": {"data.options.surfaces": (4,)},
}
BASE = {"data.train_defective_fraction": 0.5, "data.options.train_defective": 40}
TYPICAL = {"phot": "phase-only transform", "lca": "low-pass filter", "dct": "cosine transform"}
DEEP = {
    "ssim_ae": "autoencoder", "renet_d": "reconstruction network", "cnn_classifier": "convolutional network",
    "resnet_classifier": "pretrained network", "faster_rcnn": "region-based network",
}  # fmt: skip
YARDSTICKS = {"feature_gaussian": "Gaussian of features", "padim": "Gaussian for each position",
              "patchcore": "nearest features"}  # fmt: skip
TECHNIQUES = {
    detector: f"{kind}: {name}"
    for kind, group in (("typical", TYPICAL), ("deep", DEEP), ("yardstick", YARDSTICKS))
    for detector, name in group.items()
}
AXES = (
    {
        "technique": tuple(TECHNIQUES.values()),
        "detector": tuple(TECHNIQUES),
        "preset": tuple({"renet_d": "tuned"}.get(name, "paper" if name in TYPICAL else "small") for name in TECHNIQUES),
    },
)
GROUPS = "technique"
SEEDS = (0, 1, 2)
FIGURES = ("image.accuracy", "image.precision", "image.recall", "image.auroc", "boxes.ap50")
QUICK = {
    "train.steps": 20, "train.log_every": 10, "train.save_every": 20, "data.options.train": 20,
    "data.options.test_good": 6, "data.options.test_defective": 12, "data.options.train_defective": 12,
}  # fmt: skip
PUBLISHED = (  # application, technique, precision
    ("industrial optical", "typical: automatic optical detection", 0.982),
    ("industrial optical", "deep: convolutional network", 0.992),
    ("metal surface", "typical: optical detection by several algorithms", 0.6976),
    ("metal surface", "deep: convolutional network", 0.8906),
    ("fabric", "deep: autoencoder", 0.9325),
    ("composite materials", "deep: convolutional network", 0.921),
    ("rail", "deep: convolutional network", 0.92),
    ("concrete", "typical: optical detection, two algorithms", 0.95),
    ("concrete", "deep: convolutional network", 0.9822),
    ("wafer", "deep: convolutional network", 0.982),
    ("road", "deep: convolutional network", 0.87),
    ("canned container", "typical: optical detection, one algorithm", 0.6583),
    ("canned container", "typical: optical detection, another algorithm", 0.8083),
    ("canned container", "deep: region-based network", 0.95),
    ("mobile phone screen", "deep: region-based network", 0.9923),
    ("rail fastener", "deep: convolutional network", 0.999),
)
PAPER = tuple(
    ({"images": images, "technique": technique}, {"image.accuracy": value}) for images, technique, value in PUBLISHED
)
WHY = "no such images are at hand, or no such program"
