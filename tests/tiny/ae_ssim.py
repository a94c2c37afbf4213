from tests.tiny import FEW_STEPS

TINY = FEW_STEPS | {
    "train.patch": 32, "settings.size": 32, "settings.overlap": 8, "settings.width": 4, "settings.latent": 8,
    "settings.learning_rate": 5e-3, "settings.box": 3,
}  # fmt: skip
