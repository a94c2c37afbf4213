from tests.tiny import CLASSICAL

TINY = CLASSICAL
