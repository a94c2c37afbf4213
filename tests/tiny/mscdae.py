from tests.tiny import FEW_STEPS

TINY = FEW_STEPS | {
    "train.patch": 32, "settings.widths": (4, 6, 8), "settings.patches": 2, "settings.learning_rate": 1e-2,
    "settings.stride": 4, "settings.opening": 3,
}  # fmt: skip
