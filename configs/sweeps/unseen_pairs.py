"""The alarm for unseen surfaces over all 45 pairs of the ten classes, beside plain distances to class means.

    python -m launch.sweep unseen_pairs --weights squeezenet.h5
    python -m launch.sweep unseen_pairs --weights squeezenet.h5 --axis "data.unseen=('Class8','Class10')"

The two-stage paper does not say which two surfaces it left out, and it matters: every pair is left out once. Features
of the images are computed once for all runs. Mode B: nothing of the unseen surfaces is known.
"""

import itertools

from configs.sweeps.sbad_tables import QUICK

TITLE = "Every pair of surfaces unseen once"
SOURCE = "our protocol for the two-stage system (Cheng and Yeh 2023)"
DETECTOR, PRESET = "sbad", "small"
PAIRS = tuple(itertools.combinations(range(1, 11), 2))
AXES = (
    {"method": ("SBAD", "nearest mean"), "detector": ("sbad", "nearest_mean")},
    {
        "unseen": tuple(f"{first} and {second}" for first, second in PAIRS),
        "data.unseen": tuple((f"Class{first}", f"Class{second}") for first, second in PAIRS),
    },
)
SEEDS = (0, 1, 2)
FIGURES = ("surfaces.harmonic", "surfaces.seen", "surfaces.unseen", "image.auroc")
