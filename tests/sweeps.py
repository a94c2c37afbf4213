"""A sweep of seconds, for the tests of everything that runs one; `python -m tests.sweeps` serves as its command."""

from pathlib import Path

SMALL = '''"""A sweep for tests.

Some words about it.
"""

TITLE, SOURCE = "A small sweep", "nowhere"
DETECTOR, PRESET = "renet_d", "tiny"
BASE = {"train.steps": 10, "train.log_every": 5, "train.save_every": 5, "train.batch": 8}
QUICK = {"train.steps": 5}
IMAGES = {"plain": {"data.options.surfaces": (3,), "data.options.size": 64, "data.options.train": 5,
                      "data.options.test_good": 2, "data.options.test_defective": 3}}
AXES = ({"settings.alpha": (0.0, 0.5)},)
SEEDS = (0, 1)
FIGURES = ("pixel.f1", "pixel.auroc", "image.auroc")
PAPER = (({"alpha": 0.5}, {"pixel.f1": 0.6}), ({"alpha": 0.9}, {"pixel.f1": 0.7}))
'''


def write(folder: Path, *changes: tuple[str, str]) -> str:
    """The path of a sweep file with the changes made to it."""
    text = SMALL
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    path = folder / "small.py"
    path.write_text(text)
    return str(path)
