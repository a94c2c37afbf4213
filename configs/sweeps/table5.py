"""Kinds of defect on the tile of MVTec AD (ReNet-D, Table 5).

    python -m launch.sweep table5 --quick
    python -m launch.sweep table5 --dataset mvtec --data FOLDER/tile

The paper's names are matched to MVTec's by the counts of its test images: dirt is oil (18), damaged is crack (17),
crack (in its Figure 8: abrasion) is rough (15), smear is gray_stroke (16), tape is glue_strip (18). The printed F1 of
crack, smear and tape do not follow from the printed precision and recall.
"""

from configs.sweeps import QUICK

TITLE = "Kinds of defect"
SOURCE = "ReNet-D, Table 5"
DETECTOR, PRESET = "renet_d", "paper"
PICTURES = {"irregular": {"data.options.surfaces": (4, 9)}}
AXES = ()
BY_KIND = True  # a row for each kind of defect, judged on its own images and all good ones
SEEDS = (0, 1, 2)
FIGURES = ("pixel.f1", "pixel.recall", "pixel.precision", "pixel.auroc", "image.auroc", "image.recall")
PAPER = tuple(
    ({"kind": kind}, {"pixel.recall": recall, "pixel.precision": precision, "pixel.f1": f1})
    for kind, recall, precision, f1 in (
        ("oil", 0.71, 0.94, 0.80), ("crack", 0.66, 0.48, 0.55), ("rough", 0.63, 0.89, 0.70),
        ("gray_stroke", 0.27, 0.47, 0.32), ("glue_strip", 0.16, 0.35, 0.20),
    )
)  # fmt: skip
