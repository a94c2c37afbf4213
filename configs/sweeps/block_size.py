"""The side of the training patches and of the blocks an image is redrawn in (ReNet-D, Table 2: 32).

    python -m launch.sweep block_size --quick
    python -m launch.sweep block_size --dataset nanotwice --data FOLDER

Every size trains on as many patches, so a step with 64 x 64 costs sixteen times one with 16 x 16.
"""

from configs.sweeps import BASE, FIGURES, QUICK, SCORES

TITLE = "Block size"
SOURCE = "ReNet-D, Table 2 (the choice of 32 without figures)"
DETECTOR, PRESET = "renet_d", "paper"
PICTURES = {"irregular": {"data.options.surfaces": (4,)}}
AXES = ({"train.patch": (16, 32, 64), "settings.block": (16, 32, 64), "settings.overlap": (8, 16, 32)}, SCORES)
SEEDS = (0, 1, 2)
PAPER = ()
