from tests.tiny import FEW_STEPS

TINY = FEW_STEPS | {
    "train.patch": 16, "settings.stem": 2, "settings.widths": (4, 6, 8), "settings.kernels": (5, 5, 3),
    "settings.learning_rate": 1e-2, "settings.block": 16, "settings.overlap": 4, "settings.bank": 64, "settings.box": 5,
}  # fmt: skip
