"""How many outlined defects Seg-Dec-Net needs: from labels alone (0 masks) over a few to all (-1).

    python -m launch.sweep segdec_masks --quick
    python -m launch.sweep segdec_masks --dataset kolektor_sdd2 --data FOLDER preset=ksdd2 \\
        --axis train.max_masks=0,16,246
    python -m launch.sweep segdec_masks --axis settings.gradient_stop=True,False train.max_masks=0 \\
        settings.balance=False

The last command asks whether the decision should change the segmentation where nothing else teaches it.
"""

TITLE = "Mixed supervision"
SOURCE = "Mixed supervision for surface-defect detection (Bozic et al. 2021), its figures over N"
DETECTOR, PRESET = "segdec", "small"
AXES = ({"masks": ("0", "2", "5", "10", "all"), "train.max_masks": (0, 2, 5, 10, -1)},)
SEEDS = (0, 1, 2)
FIGURES = ("image.ap", "image.auroc", "image.f1", "image.oracle.f1", "image.false_alarms", "image.misses", "pixel.ap")
QUICK = {"train.steps": 60, "train.save_every": 60}
PUBLISHED = {  # average precision in per cent by the number of masks
    "dagm2007": {"0": 74.0, "5": 91.5, "all": 100.0},
    "kolektor_sdd": {"0": 93.4, "5": 99.1},
    "kolektor_sdd2": {"0": 73.3, "all": 95.4},
}
PAPER = tuple(
    ({"images": images, "masks": masks}, {"image.ap": value / 100})
    for images, row in PUBLISHED.items()
    for masks, value in row.items()
)
WHY = "these sets need their images"
