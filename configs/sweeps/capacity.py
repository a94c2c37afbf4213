"""How wide the network must be (ReNet-D promises less than 1 MB of weights; 0.27 MB with the default widths).

python -m launch.sweep capacity --quick
python -m launch.sweep capacity --dataset nanotwice --data FOLDER
"""

from configs.sweeps import QUICK

TITLE = "Width of the network"
SOURCE = "ReNet-D, Section 3 (a lightweight network; no figures)"
DETECTOR, PRESET = "renet_d", "paper"
IMAGES = {"irregular": {"data.options.surfaces": (4,)}}
AXES = (
    {
        "network": ("19 k", "67 k", "225 k"),  # weights
        "settings.stem": (2, 3, 8),
        "settings.widths": ((5, 10, 15, 20), (10, 20, 30, 40), (16, 32, 64, 64)),
    },
)
SEEDS = (0, 1, 2)
FIGURES = ("pixel.f1", "pixel.auroc", "pixel.pro", "pixel.oracle.f1", "image.auroc", "timings.score_ms_per_image")
PAPER = ()
