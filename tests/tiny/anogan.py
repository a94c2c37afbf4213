from tests.tiny import whole

TINY = whole(16) | {
    "settings.width": 4, "settings.critic_width": 4, "settings.latent": 4, "settings.learning_rate": 2e-3,
    "settings.search_steps": 10, "settings.search_rate": 0.1, "settings.box": 3,
}  # fmt: skip
