"""The weight alpha of L1 against SSIM (ReNet-D, Table 4 and Figure 7).

    python -m launch.sweep table4 --quick
    python -m launch.sweep table4 --dataset nanotwice --data FOLDER

The published figures are of one irregular sample; those of alpha 0, .15 and 1 disagree with Table 3, which shows the
same sample under the same losses.
"""

from configs.sweeps import BASE, FIGURES, QUICK, SCORES

TITLE = "Weight of L1 against SSIM"
SOURCE = "ReNet-D, Table 4 and Figure 7"
DETECTOR, PRESET = "renet_d", "paper"
IMAGES = {"irregular": {"data.options.surfaces": (4,)}}
ALPHAS = (0.0, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 1.0)
AXES = ({"settings.alpha": ALPHAS}, SCORES)
SEEDS = (0, 1, 2)
RECALL = (0.72, 0.79, 0.62, 0.73, 0.65, 0.67, 0.52, 0.55, 0.72, 0.45)
PRECISION = (0.71, 0.69, 0.58, 0.28, 0.46, 0.53, 0.23, 0.89, 0.54, 0.62)
F1 = (0.71, 0.73, 0.60, 0.41, 0.54, 0.60, 0.32, 0.68, 0.62, 0.52)
PAPER = tuple(
    ({"alpha": alpha, "score": "published"}, {"pixel.recall": recall, "pixel.precision": precision, "pixel.f1": f1})
    for alpha, recall, precision, f1 in zip(ALPHAS, RECALL, PRECISION, F1, strict=True)
)
