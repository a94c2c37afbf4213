"""Seg-Dec-Net on four sets (two-stage system, Table 6).

    python -m launch.sweep segdec_table6 --quick
    python -m launch.sweep segdec_table6 --dataset kolektor_sdd2 --data FOLDER preset=ksdd2
    python -m launch.sweep segdec_table6 --dataset dagm2007 --data FOLDER preset=dagm --axis data.surface=Class1,Class2

The published F, FP and FN are at the threshold that is best on the test images (of Severstal: on the validation
part): beside them stand ours at a threshold from held-out training images, and `oracle`, chosen in the published way.
"""

TITLE = "Defects by segmentation and decision"
SOURCE = "two-stage system (Cheng and Yeh 2023), Table 6"
DETECTOR, PRESET = "segdec", "small"
AXES = ()
RUNS = {"all masks": {}}
SEEDS = (0, 1, 2)
FIGURES = (
    "image.ap", "image.auroc", "image.f1", "image.oracle.f1", "image.false_alarms", "image.misses", "pixel.auroc",
    "timings.score_ms_per_image",
)  # fmt: skip
QUICK = {"train.steps": 60, "train.save_every": 60}
PUBLISHED = {  # AUC, AP, F, FP, FN
    "dagm2007": (0.99, 0.99, 0.99, 0.0, 0.0),
    "kolektor_sdd": (0.99, 0.99, 0.99, 0.0, 0.0),
    "kolektor_sdd2": (0.97, 0.94, 0.91, 2.0, 17.0),
    "severstal": (0.99, 0.99, 0.96, 35.0, 9.0),
}
PAPER = tuple(
    (
        {"pictures": name},
        {"image.auroc": auc, "image.ap": ap, "image.oracle.f1": f1, "image.false_alarms": fp, "image.misses": fn},
    )
    for name, (auc, ap, f1, fp, fn) in PUBLISHED.items()
)
WHY = "these sets need their images"
