"""How many outlined defects flaws made to order are worth: each detector with and without them, and 0, 1, 5 or 20 real
defects.

    python -m launch.sweep outlines --quick
    python -m launch.sweep outlines --dataset magnetic_tile --data FOLDER

Half of the defective images are for training, of which so many are used; the other half is the test of all runs.
Thresholds know no real defect either.
"""

TITLE = "Outlines that flaws are worth"
SOURCE = "No published table"
DETECTOR, PRESET = "segdec", "small"
FLAWS = {"train.corrupt": ("all",), "train.corrupt_most": 4}
REAL = {"0": {"train.supervision": "simulated"}} | {
    str(count): {"train.supervision": "masks", "train.max_defective": count} for count in (1, 5, 20)
}
# At the preset's rate of 0.1 two of four runs with flaws fell to chance on magnetic tile.
SEGDEC = {"data.size": 256, "settings.learning_rate": 0.03}
RUNS = {f"segdec: {count} real and flaws": {**SEGDEC, **fields, **FLAWS} for count, fields in REAL.items()}
RUNS |= {f"segdec: {count} real": {**SEGDEC, **fields} for count, fields in REAL.items() if count != "0"}
RUNS |= {
    f"{detector}: {count} real{' and flaws' * bool(flaws)}": {"detector": detector, **REAL[count], **flaws}
    for detector in ("cnn_classifier", "faster_rcnn")
    for count, flaws in (("0", FLAWS), ("20", FLAWS), ("20", {}))
}
GROUPS = "run"
BASE = {
    "data.train_defective_fraction": 0.5, "threshold.image_rule": "simulated", "threshold.pixel_rule": "simulated",
}  # fmt: skip
SEEDS = (0, 1, 2)
FIGURES = ("image.auroc", "image.ap", "pixel.auroc", "pixel.ap", "pixel.f1", "painted.image.auroc")
QUICK = {"train.steps": 40, "train.log_every": 20, "train.save_every": 40}
