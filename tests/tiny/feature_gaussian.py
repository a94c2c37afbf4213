from tests.tiny import FROZEN

TINY = FROZEN | {"settings.margin": 8, "settings.smoothing": 2}
