from tests.tiny import whole

TINY = whole(16) | {"settings.width": 2, "settings.learning_rate": 5e-3, "settings.box": 3}
