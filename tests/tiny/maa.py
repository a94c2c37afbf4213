from tests.tiny import whole

TINY = whole(32) | {
    "settings.width": 2, "settings.critic_width": 4, "settings.blocks": 1, "settings.learning_rate": 2e-3,
    "settings.critic_rate": 1e-4, "settings.window": 5,
    # By the features of a discriminator that learns, the loss need not fall while all is well.
    "settings.feature_loss": False, "settings.adversarial": 0.01,
}  # fmt: skip
