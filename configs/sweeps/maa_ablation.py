"""What each part of MAA is worth: the pairing of A and B, the memory, the loss of features.

    python -m launch.sweep maa_ablation --quick
    python -m launch.sweep maa_ablation --dataset magnetic_tile,mvtec --data FOLDER,FOLDER

As published, an image of set A is redrawn so that its features are those of any image of set B; without pairs an
image is compared with its own reconstruction. The paper has no such table.
"""

from configs.sweeps.maa_table2 import QUICK

TITLE = "Parts of MAA"
SOURCE = "MAA (Niu et al. 2021), Section III (no figures)"
DETECTOR, PRESET = "maa", "small"
RUNS = {
    "as published": {},
    "no memory": {"settings.memory": False},
    "no pairs": {"train.paired_images": False},
    "no pairs, loss of pixels": {"train.paired_images": False, "settings.feature_loss": False},
}
SEEDS = (0, 1)
FIGURES = ("image.auroc", "image.gamma0.accuracy", "image.gamma0.recall", "pixel.auroc", "pixel.pro")
