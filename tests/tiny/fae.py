from tests.tiny import FEW_STEPS

TINY = FEW_STEPS | {
    "train.corrupt": ("stain", "line"),  # Compiling each kind takes a second.
    "data.size": 0, "data.channels": 1, "train.patch": 16, "settings.widths": (2, 4, 4), "settings.learning_rate": 1e-2,
    "settings.box": 3,
}  # fmt: skip
