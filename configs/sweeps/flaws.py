"""Which flaws to train on, chosen on flaws painted on held-out normal images: no defect is looked at.

    python -m launch.sweep flaws --quick
    python -m launch.sweep flaws --dataset magnetic_tile --data FOLDER

Simple marks are learned soonest; pieces of other images take longer, and are what woven textures need. Local contrast
takes uneven light away, and with it what is only dark. Half size sees twice as far at a quarter of the cost.
"""

from configs.nsa import BASE as MIXED
from configs.nsa import MARKS
from configs.sweeps import QUICK as SMALLER

TITLE = "Which flaws to train on"
SOURCE = "The methods of docs/quality.md; no published table"
DETECTOR, PRESET = "nsa", "small"
FLAWS = {"marks": MARKS, "all": ("all",), "all, marks and slips twice as often": MIXED["train.corrupt"]}
RUNS = {
    f"{name}; {seen}": {"train.corrupt": flaws, "settings.window": window}
    for name, flaws in FLAWS.items()
    for seen, window in (("local contrast", 31), ("grey levels", 0))
}
RUNS |= {
    f"{name}; local contrast, half size": {"train.corrupt": FLAWS[name], "data.scale": 0.5, "train.patch": 96}
    for name in ("marks", "all, marks and slips twice as often")
}
SEEDS = (0, 1, 2)
FIGURES = (
    "painted.image.auroc", "painted.pixel.auroc", "painted.pixel.ap", "image.auroc", "pixel.auroc", "pixel.ap",
    "pixel.pro", "pixel.f1",
)  # fmt: skip
QUICK = SMALLER | {"train.batch": 8}
