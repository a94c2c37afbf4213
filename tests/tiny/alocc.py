from tests.tiny import whole

TINY = whole(16) | {
    "train.batch": 16,
    "settings.width": 4, "settings.critic_width": 2, "settings.levels": 2, "settings.learning_rate": 2e-3,
    "settings.box": 3,
}  # fmt: skip
