"""What is swept: one file per table or curve. See `launch/sweeping/spec.py` for what a file may say.

This module holds what several of them share.
"""

FIGURES = ("pixel.f1", "pixel.recall", "pixel.precision", "pixel.auroc", "pixel.pro", "pixel.oracle.f1", "image.auroc")
QUICK = {  # minutes on two cores; what is under data.options is of the synthetic images only
    "train.steps": 60, "train.batch": 64, "train.log_every": 20, "train.save_every": 20, "data.options.train": 20,
    "data.options.test_good": 6, "data.options.test_defective": 12,
}  # fmt: skip

# The published score of a pixel beside the one that finds most on real images (docs/quality.md). Both are taken of
# the same trained weights, which needs room for the bank of normal features in either.
SCORES = {
    "score": ("published", "tuned"), "settings.residual": ("squared", "ssim*nearest"), "settings.box": (5, 15),
}  # fmt: skip
BASE = {"settings.bank": 2000}
