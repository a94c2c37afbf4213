"""Mode A over all 45 pairs of the ten classes: unseen surfaces named from their attributes.

    python -m launch.sweep named_pairs --weights squeezenet.h5
    python -m launch.sweep named_pairs --weights squeezenet.h5 --axis "data.unseen=('Class8','Class10')" --seeds 0,1,2

With our two remedies, calibrated stacking (settings.stacking_steps) and, for learned embeddings, the map of attributes
(settings.map_attributes); what each of them does is in sbad_tables. One seed: 90 runs.
"""

from configs.sweeps import sbad_tables, unseen_pairs

TITLE = "Every pair of surfaces named from attributes once"
SOURCE, DETECTOR, PRESET = unseen_pairs.SOURCE, "sbad", "small"
AXES = (
    {
        "embedding": ("Real CE", "Learned CE"),
        "settings.embedding": ("real", "learned"),
        "settings.mode": ("A", "A"),
        "settings.map_attributes": (False, True),
        "settings.stacking_steps": (30, 30),
        "train.steps": (430, 580),  # as in sbad_tables
    },
    unseen_pairs.AXES[1],
)
SEEDS = (0,)
FIGURES, QUICK = sbad_tables.FIGURES, sbad_tables.QUICK
