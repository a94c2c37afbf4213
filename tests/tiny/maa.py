from tests.tiny import whole

TINY = whole(32) | {
    "settings.width": 2, "settings.critic_width": 4, "settings.blocks": 1, "settings.learning_rate": 2e-3,
    "settings.critic_rate": 2e-3, "settings.window": 5,
}  # fmt: skip
