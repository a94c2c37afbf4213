"""Five losses on an irregular and a regular texture (ReNet-D, Table 3).

    python -m launch.sweep table3 --quick
    python -m launch.sweep table3 --dataset nanotwice,aitex --data FOLDER,FOLDER    # irregular, regular

Alpha is .15 wherever two losses are weighted (Table 2).
"""

from configs.sweeps import BASE, FIGURES, QUICK, SCORES

TITLE = "Loss functions on irregular and regular textures"
SOURCE = "ReNet-D, Table 3"
DETECTOR, PRESET = "renet_d", "paper"
IMAGES = {"irregular": {"data.options.surfaces": (4,)}, "regular": {"data.options.surfaces": (3,)}}
LOSSES = ("L1", "MSE", "MSE+SSIM", "L1+SSIM", "SSIM")
AXES = ({"loss": LOSSES, "settings.losses": (("l1",), ("mse",), ("mse", "ssim"), ("l1", "ssim"), ("ssim",))}, SCORES)
SEEDS = (0, 1, 2)
PUBLISHED = {  # images: recall, precision, F1 of each loss
    "irregular": ((0.51, 0.38, 0.5, 0.75, 0.59), (0.93, 0.35, 0.52, 0.89, 0.93), (0.66, 0.36, 0.51, 0.82, 0.72)),
    "regular": ((0.76, 0.70, 0.67, 0.71, 0.59), (0.84, 0.65, 0.70, 0.87, 0.96), (0.80, 0.67, 0.69, 0.78, 0.73)),
}
PAPER = tuple(
    (
        {"loss": loss, "images": images, "score": "published"},
        {"pixel.recall": recall, "pixel.precision": precision, "pixel.f1": f1},
    )
    for images, rows in PUBLISHED.items()
    for loss, recall, precision, f1 in zip(LOSSES, *rows, strict=True)
)
