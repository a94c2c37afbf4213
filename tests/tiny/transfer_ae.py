from tests.tiny import whole

TINY = whole(32) | {
    "settings.backbone": "small", "settings.backbone_width": 2, "settings.width": 4, "settings.learning_rate": 5e-3,
}  # fmt: skip
