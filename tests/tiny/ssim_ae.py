from tests.tiny import whole

TINY = whole(24) | {
    "settings.widths": (4, 8), "settings.code": 4, "settings.scales": 2, "settings.learning_rate": 5e-3,
    "settings.box": 3,
}  # fmt: skip
