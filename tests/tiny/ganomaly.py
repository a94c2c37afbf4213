from tests.tiny import whole

TINY = whole(16) | {"settings.latent": 8, "settings.width": 4, "settings.learning_rate": 2e-3, "settings.box": 3}
