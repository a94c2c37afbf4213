"""Time and memory of scoring an image (MAA, Table IV, four at a time on a GTX 1060).

    python -m launch.sweep maa_table4 --quick
    python -m launch.sweep maa_table4 preset=paper

From uint8 image to mask, one at a time, transfer included, once compiled; memory is the compiler's plan for it:
weights, temporaries, results. Ratios between methods say more than the figures: the hardware is another. Training does
not matter here and is short. A known slip: the paper's "33.48 fps" of MAA is milliseconds an image, 29.87 fps.
"""

from configs.sweeps.maa_table2 import QUICK as SMALLER
from configs.sweeps.maa_table2 import RUNS

TITLE = "Time and memory of scoring"
SOURCE = "MAA (Niu et al. 2021), Table IV"
DETECTOR, PRESET = "maa", "small"
BASE = {"train.steps": 10, "train.log_every": 5, "train.save_every": 10, "report.memory": True}
SEEDS = (0,)
FIGURES = ("timings.score_ms_per_image", "timings.images_per_s", "timings.score_mb")
QUICK = {field: value for field, value in SMALLER.items() if field.startswith("data.")}
PUBLISHED = {  # milliseconds and megabytes for so many images at once, images a second as printed
    "MAA": (133.92, 4729, 4, 29.87), "AnoGAN": (47105.79, 1912, 1, 0.02), "DAE": (28.73, 3428, 4, 139.23),
    "Efficient-GAN": (17.29, 1476, 4, 231.35), "GANomaly": (41.61, 5163, 4, 96.13), "ALOCC": (99.86, 4497, 4, 40.06),
}  # fmt: skip
PAPER = tuple(
    (
        {"run": method},
        {
            "timings.score_ms_per_image": ms / count,
            "timings.images_per_s": rate,
            "timings.score_mb": mb / count,
        },
    )
    for method, (ms, mb, count, rate) in PUBLISHED.items()
)
