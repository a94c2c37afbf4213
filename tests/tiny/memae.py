from tests.tiny import whole

TINY = whole(16) | {
    "settings.width": 2, "settings.items": 20, "settings.shrink": 0.05, "settings.sharpness": 6.0,
    "settings.learning_rate": 5e-3, "settings.box": 3,
}  # fmt: skip
