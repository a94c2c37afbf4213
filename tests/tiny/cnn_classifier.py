from tests.tiny import CLASSIFIER

TINY = CLASSIFIER | {"settings.widths": (4, 8)}
