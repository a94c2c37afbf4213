from tests.tiny import FROZEN

TINY = FROZEN | {"settings.size": 64, "settings.channels": 6, "settings.smoothing": 2}
