from tests.tiny import whole

TINY = whole(16) | {
    "train.batch": 16,  # Eight devices divide it, and each its part into the critic's updates.
    "settings.width": 4, "settings.critic_width": 4, "settings.latent": 4, "settings.critic_steps": 2,
    "settings.learning_rate": 2e-3, "settings.box": 3,
}  # fmt: skip
