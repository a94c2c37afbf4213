from tests.tiny import FEW_STEPS

TINY = FEW_STEPS | {
    "train.corrupt": ("stain", "nsa"),  # Compiling each kind takes a second.
    "train.patch": 32, "settings.widths": (4, 6), "settings.depth": 1, "settings.learning_rate": 1e-2,
    "settings.final_rate": 1e-3, "settings.window": 15, "settings.margin": 8, "settings.frame": 2, "settings.views": 2,
}  # fmt: skip
