from tests.tiny import SEGMENTS

TINY = SEGMENTS | {
    "settings.widths": (2, 4, 4, 8), "settings.decision": (2, 4, 4), "settings.dilate": 3, "settings.w_pos": 3.0,
    "settings.p": 2.0, "settings.learning_rate": 0.3,
}  # fmt: skip
