from tests.tiny import whole

TINY = whole(16) | {
    "settings.width": 4, "settings.hidden": 16, "settings.latent": 4, "settings.decay": 0.9,
    "settings.learning_rate": 2e-3, "settings.box": 3,
}  # fmt: skip
