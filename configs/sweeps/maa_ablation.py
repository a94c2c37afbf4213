"""What each part of MAA is worth: the pairing of A and B, the memory, the loss of features, a balance of its players.

    python -m launch.sweep maa_ablation --quick
    python -m launch.sweep maa_ablation --dataset magnetic_tile,mvtec --data FOLDER,FOLDER

As published, an image of set A is redrawn so that its features are those of any image of set B; without pairs an
image is compared with its own reconstruction. With r1 the discriminator's slope at real images costs, so that it cannot
win. The paper has no such table.
"""

from configs.sweeps.maa_table2 import QUICK

TITLE = "Parts of MAA"
SOURCE = "MAA (Niu et al. 2021), Section III (no figures)"
DETECTOR, PRESET = "maa", "small"
NO_PAIRS = {"train.paired_images": False}
RUNS = {
    "as published": {},
    "no memory": {"settings.memory": False},
    "no pairs": NO_PAIRS,
    "no pairs, loss of pixels": NO_PAIRS | {"settings.feature_loss": False},
    "no pairs, bounded memory": NO_PAIRS | {"settings.cell_clip": 1},
    "no pairs, augmented": NO_PAIRS | {"settings.critic_balance": ("brightness", "contrast", "translation")},
    "no pairs, r1 of 1": NO_PAIRS | {"settings.critic_balance": ("r1",)},
    "no pairs, r1 of .3": NO_PAIRS | {"settings.critic_balance": ("r1",), "settings.r1": 0.3},
    "no pairs, r1 of .03": NO_PAIRS | {"settings.critic_balance": ("r1",), "settings.r1": 0.03},
    "no pairs, spectral": NO_PAIRS | {"settings.critic_balance": ("spectral",)},
}
SEEDS = (0, 1)
FIGURES = ("image.auroc", "image.gamma0.accuracy", "image.gamma0.recall", "pixel.auroc", "pixel.pro")
