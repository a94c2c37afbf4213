from tests.tiny import SURFACES

TINY = SURFACES
