"""Surfaces seen and unseen (two-stage system, Tables 3 to 5): class embeddings and methods, by what is known of the
unseen ones.

    python -m launch.sweep sbad_tables --weights squeezenet.h5
    python -m launch.sweep sbad_tables --dataset dagm2007 --data FOLDER --weights resnet101.safetensors preset=paper

Mode A, which the published figures are read as, is given the annotated attributes of the unseen surfaces after
training; "oracle" (mode A, data.show_unseen) learns them from those surfaces' own images, which leaks, and is there to
explain the published jump between the embeddings. Mode B, which knows nothing of them, is the one that can be deployed:
its `unseen` is the share of unseen images that raise the alarm. The paper does not name its two unseen surfaces; here
they are classes 8 and 10. It augments before it splits (data.split_after_augmentation=True), so that copies of an image
are trained and tested on. "A, ours" is mode A with our two remedies: attributes of unseen surfaces mapped to where
learned embeddings lie (settings.map_attributes), and calibrated stacking (settings.stacking_steps).
"""

TITLE = "Surfaces told apart, two of them unseen"
SOURCE = "two-stage system (Cheng and Yeh 2023), Tables 3 to 5"
DETECTOR, PRESET = "sbad", "small"
AXES = (
    {
        "method": ("TF-VAEGAN", "VAEGAN"),
        "settings.tf_vaegan": (True, False),
        "settings.attribute_weight": (0.01, 3.0),
    },
    {
        "embedding": (
            "Real CE, A", "Learned CE, A", "Real CE, A, ours", "Learned CE, A, ours", "Learned CE, oracle",
            "Real CE, B", "Learned CE, B",
        ),
        "settings.embedding": ("real", "learned", "real", "learned", "learned", "real", "learned"),
        "settings.mode": ("A", "A", "A", "A", "A", "B", "B"),
        "settings.map_attributes": (False, False, False, True, False, False, False),
        "settings.stacking_steps": (0, 0, 30, 30, 0, 0, 0),
        "data.show_unseen": (False, False, False, False, True, False, False),
        # 250 of the VAEGAN, 150 of the CE-VAE and of the classifier, 30 of stacking
        "train.steps": (400, 550, 430, 580, 550, 250, 400),
    },
)  # fmt: skip
SEEDS = (0, 1, 2)
FIGURES = ("surfaces.harmonic", "surfaces.seen", "surfaces.unseen", "surfaces.zero_shot", "image.auroc")
QUICK = {
    "data.options.train": 16, "data.options.train_defective": 16, "data.options.test_good": 8,
    "data.options.test_defective": 8,
}  # fmt: skip
PUBLISHED = {  # S, U, H in per cent
    ("TF-VAEGAN", "Real CE"): (96.56, 65.76, 78.24),
    ("TF-VAEGAN", "Learned CE"): (96.15, 93.94, 95.03),
    ("VAEGAN", "Real CE"): (96.46, 70.61, 81.53),
    ("VAEGAN", "Learned CE"): (98.12, 95.96, 97.03),
}
PAPER = tuple(
    (
        {"method": method, "embedding": f"{embedding}, A"},
        {
            "surfaces.seen": seen / 100, "surfaces.unseen": unseen / 100, "surfaces.harmonic": both / 100,
            "surfaces.zero_shot": 1.0,
        },
    )
    for (method, embedding), (seen, unseen, both) in PUBLISHED.items()
)  # fmt: skip
