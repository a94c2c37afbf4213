from tests.tiny import CLASSIFIER

TINY = CLASSIFIER | {"settings.backbone": "small", "settings.backbone_width": 2}
