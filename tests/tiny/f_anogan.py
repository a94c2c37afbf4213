"""The first phase only."""

from tests.tiny import whole

TINY = whole(8) | {
    "train.batch": 32, "settings.width": 4, "settings.latent": 4, "settings.gan_steps": 40, "settings.critic_steps": 4,
    "settings.penalty": 1.0, "settings.learning_rate": 1e-2, "settings.encoder_rate": 2e-3, "settings.box": 3,
}  # fmt: skip
