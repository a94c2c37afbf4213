"""The terms of the pages in a few words each, for readers who meet them for the first time."""

TERMS = {
    "Score": "how unlike normal an image is for the detector; higher is worse. Its unit is the detector's own.",
    "Image threshold": "an image with a higher score is called defective. Fitted without looking at the test.",
    "Pixel threshold": "a pixel of the anomaly map above it is marked as defective.",
    "Missed": "defective images that were called good.",
    "False alarm": "a good image that was called defective.",
    "Precision": "of what was called defective, the share that is: 1 means no false alarm.",
    "Recall": "of what is defective, the share that was called so: 1 means nothing missed.",
    "F1": "precision and recall in one number, their harmonic mean: low where either is.",
    "AP": "average precision, over all thresholds: 1 is perfect, and guessing gives the share of defective ones.",
    "AUROC": "the chance that a defective one scores higher than a good one: 1 is perfect, and guessing gives 0.5. "
    "Of pixels it looks good even where outlines are far too large, since most pixels are good.",
    "PRO": "per-region overlap: how much of each defect, small or large, is covered while at most 30 % of the good "
    "pixels are marked; guessing gives 0.15.",
    "Oracle": "the best threshold in hindsight, chosen on the test itself: what another threshold could reach at most.",
    "Anomaly map": "a score for each pixel.",
    "μ, σ, γ": "mean and standard deviation of the scores of normal images, and how many of these a threshold lies "
    "above that mean.",
}  # fmt: skip

# Of a run that tells surfaces apart.
SURFACE_TERMS = {
    "Score": "how far an image is from the nearest surface that was learnt; higher is less like any of them.",
    "Threshold τ": "an image with a higher score raises the alarm: its surface was never learnt.",
    "Seen, unseen": "surfaces that were learnt, and those that were kept from training.",
    "Harmonic mean": "of two shares in one number: low where either is.",
    "AUROC": "the chance that an unseen surface scores higher than a seen one: 1 is perfect, guessing gives 0.5.",
    "Average precision": "over all thresholds, the share of alarms that are right: 1 is perfect.",
}  # fmt: skip
