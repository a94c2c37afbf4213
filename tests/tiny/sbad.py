from tests.tiny import SURFACES

TINY = SURFACES | {
    "settings.hidden": 16, "settings.ce_hidden": 16, "settings.ce_steps": 3, "settings.average_steps": 2,
    "settings.gan_steps": 10, "settings.critic_steps": 2, "settings.ce_rate": 1e-2, "settings.learning_rate": 1e-2,
    "settings.attribute_rate": 1e-2, "settings.feedback_rate": 1e-5,
}  # fmt: skip
