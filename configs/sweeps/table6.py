"""Processing time of an image of 1024 x 1024 pixels (ReNet-D, Table 6, on a GTX 1080 Ti).

    python -m launch.sweep table6 --quick --weights squeezenet.h5
    python -m launch.sweep table6 --weights squeezenet.h5

From uint8 image to mask, the image's transfer included, once everything is compiled. The ratio between methods says
more than the times: the hardware is another. Training matters little here and is short. ReNet-D stands twice: redrawn
whole, as the paper times it, and in overlapping blocks, as it finds more. So does MSCDAE: with every patch of 8 x 8
pixels redrawn, and with every fourth down and across. The last three are yardsticks from beyond the paper, on
SqueezeNet; PaDiM and PatchCore bring images to 224 x 224 pixels first.
"""

TITLE = "Processing time"
SOURCE = "ReNet-D, Table 6"
DETECTOR, PRESET = "renet_d", "paper"
IMAGES = {
    "1024 x 1024": {
        "data.options.surfaces": (4,), "data.options.size": 1024, "data.options.train": 8, "data.options.test_good": 3,
        "data.options.test_defective": 9,
    }
}  # fmt: skip
SHORT = {"train.steps": 20, "train.log_every": 10, "train.save_every": 20}
RUNS = {
    "renet_d": {"settings.block": 0, **SHORT},
    "renet_d in blocks": {"settings.block": 32, **SHORT},
    "phot": {"detector": "phot"},
    "lca": {"detector": "lca"},
    "dct": {"detector": "dct"},
    "mscdae": {"detector": "mscdae", **SHORT},
    "mscdae, every 4th": {"detector": "mscdae", "settings.stride": 4, **SHORT},
    "feature_gaussian": {"detector": "feature_gaussian", "preset": "small"},
    "padim": {"detector": "padim", "preset": "small"},
    "patchcore": {"detector": "patchcore", "preset": "small"},
}
SEEDS = (0,)
FIGURES = ("timings.score_ms_per_image", "pixel.f1", "pixel.auroc")
MULTIPLE_OF = {"run": "renet_d"}
QUICK = {"data.options.train": 4, "data.options.test_good": 1, "data.options.test_defective": 4}
PAPER = tuple(
    ({"run": method}, {"timings.score_ms_per_image": milliseconds})
    for method, milliseconds in (("phot", 450.0), ("lca", 430.0), ("mscdae", 9746.59), ("renet_d", 2.82))
)
