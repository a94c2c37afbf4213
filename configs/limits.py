"""What each field of a config may be: the one place where ranges and choices stand. The type is that of its default.

A range is written as an interval: "[0, inf)" is any number from 0 up, "(0, 1]" leaves 0 out. It holds for each part of
a tuple. A tuple here is a list of choices. Settings are those of all detectors, by their names; what only one detector
knows of its own (which must be odd, or go with which) its `make` checks.
"""

COUNT, ANY_COUNT, POSITIVE, NOT_NEGATIVE, SHARE = "[1, inf)", "[0, inf)", "(0, inf)", "[0, inf)", "[0, 1]"
ON_NORMAL = ("pauta", "quantile", "false_alarm_rate")

LIMITS: dict[str, str | tuple] = {
    "seed": "[0, 4294967295]",  # JAX takes a seed modulo 2^32
    "data.seed": ANY_COUNT, "data.channels": ("auto", 1, 3), "data.scale": "(0, 16]", "data.size": ANY_COUNT,
    "data.width": ANY_COUNT, "data.calibration_fraction": "[0, 1)", "data.test_good_fraction": "[0, 1)",
    "data.train_defective_fraction": SHARE, "data.join": COUNT, "data.per_surface": ANY_COUNT,
    "train.steps": ANY_COUNT, "train.batch": COUNT, "train.patch": ANY_COUNT,
    "train.feed": ("auto", "in_memory", "stream"), "train.memory_limit": ANY_COUNT,
    "train.supervision": ("none", "simulated", "masks", "kinds", "surfaces"), "train.corrupt_share": SHARE,
    "train.corrupt_most": COUNT, "train.corrupt_noise": NOT_NEGATIVE, "train.max_masks": "[-1, inf)",
    "train.max_defective": "[-1, inf)", "train.zoom": "[0, 1)", "train.log_every": COUNT, "train.save_every": COUNT,
    "train.validate_on": ("normal", "simulated"), "train.patience": ANY_COUNT, "train.restore": ("last", "best"),
    "score.mode": ("auto", "whole", "tiled"), "score.tile": COUNT, "score.overlap": ANY_COUNT,
    "threshold.image_rule": (*ON_NORMAL, "simulated", "f1"),
    "threshold.pixel_rule": (*ON_NORMAL, "simulated", "f1", "otsu"), "threshold.fitted_on": ("calibration", "train"),
    "threshold.gammas": "(-inf, inf)", "threshold.sigma": NOT_NEGATIVE, "threshold.quantile": SHARE,
    "threshold.false_alarm_rate": "(0, 1)", "threshold.min_area": ANY_COUNT, "report.images": ANY_COUNT,
}  # fmt: skip

SETTINGS = {
    POSITIVE: ("clip", "dominant", "epsilon", "pixel_range", "ratios", "sharpness", "sizes", "w_pos"),
    NOT_NEGATIVE: (
        "adversarial", "attribute_weight", "box_weight", "contextual", "delta", "divergence", "encoding", "feature",
        "feedback", "final_rate", "gamma", "kappa", "l1", "matching", "negative", "noise", "p", "penalty",
        "r1", "reconstruction", "ridge", "shrink", "sigma", "sparsity", "ssim", "ssim_weight", "weight", "weight_decay",
        # Rates; at 0 nothing is learned.
        "attribute_rate", "backbone_rate", "ce_rate", "classifier_rate", "critic_rate", "encoder_rate",
        "feedback_rate", "learning_rate", "search_rate",
        # Counts, of which 0 means none.
        "average_steps", "backbone_steps", "bank", "block", "ce_steps", "channels", "dense", "gan_steps", "min_area",
        "blocks", "cell_clip", "overlap", "projection_size", "size", "stacking_steps", "stages", "stem",
    ),
    COUNT: (
        "backbone_size", "backbone_width", "bins", "candidates", "cap", "ce_hidden", "code", "coreset",
        "critic_steps", "critic_width", "decay_every", "decision", "depth", "hidden", "items", "kernels",
        "latent", "levels", "max_boxes", "max_detections", "neighbours", "one_of", "patches", "proposals", "scales",
        "search_steps", "segmentation", "stride", "width", "widths",
    ),
    SHARE: ("alpha", "decay", "detection_overlap", "min_score", "negative_overlap", "positive_overlap",
            "proposal_overlap", "stacking_share"),
    "[0, 1)": ("dropout",),
    "[0, 100]": ("percentile",),
    "[1, 4095]": ("box", "dilate"),  # pixels, by which an image grows before it is filtered
    "[0, 4095]": ("frame", "margin", "opening", "smoothing", "window"),
    (1, 2, 4): ("views",),
    ("brightness", "contrast", "translation", "cutout", "r1", "spectral"): ("critic_balance",),
}  # fmt: skip
LIMITS |= {f"settings.{name}": interval for interval, names in SETTINGS.items() for name in names}
