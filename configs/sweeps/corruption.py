"""What structured corruption is worth: each autoencoder as it was, and taught to repair flaws made to order.

    python -m launch.sweep corruption --quick
    python -m launch.sweep corruption --dataset magnetic_tile --data FOLDER

Everything else is equal: network, loss, steps, images. Below, one autoencoder with each kind of flaw alone, and the
networks that outline flaws instead of repairing them.
"""

from configs.sweeps import FIGURES

TITLE = "Autoencoders that repair"
SOURCE = "Collin and De Vleeschouwer 2020; Zavrtanik et al. 2021; Schlueter et al. 2022; Bauer and Mueller 2025"
DETECTOR, PRESET = "dae", "small"
REDRAWING = {
    "renet_d": {"preset": "tuned"}, "dae": {}, "dae_skip": {"detector": "dae", "settings.skip": True}, "cae": {},
    "ae_ssim": {"data.size": 256}, "ssim_ae": {}, "memae": {}, "ganomaly": {},
}  # fmt: skip
FLAWS = ("stain", "spot", "line", "perlin", "nsa", "cutpaste", "scar", "smear", "fold", "slip")
RUNS = {
    f"{name}: {label}": {"detector": name, **fields, "train.corrupt": flaws}
    for name, fields in REDRAWING.items()
    for label, flaws in (("as it was", ()), ("repairs", ("all",)))
}
RUNS |= {
    f"dae_skip: {flaw} alone": {"detector": "dae", "settings.skip": True, "train.corrupt": (flaw,)} for flaw in FLAWS
}
RUNS |= {f"{name}: outlines": {"detector": name} for name in ("nsa", "draem")} | {"fae: repairs": {"detector": "fae"}}
GROUPS = "run"
BASE = {"threshold.image_rule": "simulated", "threshold.pixel_rule": "simulated"}
SEEDS = (0, 1, 2)
FIGURES = (
    "image.auroc", "pixel.auroc", "pixel.ap", *(name for name in FIGURES if name.split(".")[1] != "auroc"),
    "painted.image.auroc", "painted.pixel.auroc", "painted.pixel.ap",
)  # fmt: skip
QUICK = {
    "train.steps": 20, "train.log_every": 10, "train.save_every": 20, "data.options.train": 20,
    "data.options.test_good": 6, "data.options.test_defective": 12,
}  # fmt: skip
