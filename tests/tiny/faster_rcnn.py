from tests.tiny import SEGMENTS

TINY = SEGMENTS | {
    "data.size": 0, "score.mode": "whole", "settings.widths": (2, 4, 8, 8), "settings.sizes": (12.0, 24.0),
    "settings.hidden": 16, "settings.bins": 4, "settings.candidates": 32, "settings.proposals": 24,
    "settings.max_boxes": 3, "settings.max_detections": 4, "settings.learning_rate": 3e-3,
}  # fmt: skip
