from tests.tiny import FROZEN

TINY = FROZEN | {
    "settings.size": 64, "settings.bank": 200, "settings.coreset": 20, "settings.projection_size": 4,
    "settings.neighbours": 3, "settings.smoothing": 2,
}  # fmt: skip
