"""Three distances between an image and its reconstruction by MAA (MAA, Table III), and both readings of its features.

    python -m launch.sweep maa_table3 --quick
    python -m launch.sweep maa_table3 --dataset rsdds,kolektor_sdd --data FOLDER,FOLDER

The distances are taken of the same trained weights: L1 of the pixels, L1 of the Markov encoder's features, and the
Frechet Markov distance, of the features as [positions, channels] and literally, of the rows of the map of one channel.
"""

from configs.sweeps.maa_table2 import QUICK

TITLE = "Distances between an image and its reconstruction"
SOURCE = "MAA (Niu et al. 2021), Table III"
DETECTOR, PRESET = "maa", "small"
DISTANCES = ("L1", "Markov+L1", "FMD")
AXES = (
    {
        "distance": (*DISTANCES, "FMD, map of one channel"),
        "settings.distance": ("l1", "markov_l1", "fmd", "fmd"),
        "settings.tap": ("features", "features", "features", "patch30"),
    },
)
SEEDS = (0, 1)
FIGURES = ("image.auroc", "image.gamma0.accuracy", "image.gamma0.recall")
PUBLISHED = {  # images: AUC of each of DISTANCES
    "MCSD-g": (0.649, 0.986, 0.980),
    "MCSD-c": (0.732, 0.982, 0.977),
    "MCSD-h": (0.623, 0.843, 0.844),
    "rsdds": (0.603, 0.909, 0.941),
    "kolektor_sdd": (0.606, 0.779, 0.857),
}
PAPER = tuple(
    ({"distance": distance, "images": images}, {"image.auroc": auc})
    for images, row in PUBLISHED.items()
    for distance, auc in zip(DISTANCES, row, strict=True)
)
WHY = "the MCSD images are private, and rsdds and kolektor_sdd need their images"
