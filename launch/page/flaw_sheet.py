"""A contact sheet of flaws made to order on the good images of a dataset: what a detector would learn from.

Each kind has a row of flawed images and, below it, one of how severe each pixel's change is, from black to white, with
what the mask marks outlined. Randomness is that of config.seed.
"""

from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np
from ml_collections import ConfigDict
from PIL import Image, ImageDraw, ImageFont

from data_pipeline import images
from jaxdefect.detector import Batch
from jaxdefect.flaws import corruption
from jaxdefect.flaws.kinds import KINDS
from jaxdefect.training import feed, loop
from launch.command import files
from launch.run.data import open_data, patch_of
from launch.run.detection import with_outline

SAMPLES = 8  # of each kind
DRAWN_FROM = 16  # images of the training split, at most: they are held in memory
SHOWN = 128  # pixels a side, at least: smaller patches are enlarged
MARGIN = 4  # pixels about each patch
NAMES = 136  # pixels, of the column of names
PAPER, INK = 255, 0


def write_sheet(config: ConfigDict, path: Path, *, kinds: Sequence[str] = ()) -> None:
    """Draws flaws of these kinds, by default of all, on patches of a config's training images (train.patch), as a PNG.

    Raises ValueError for an unknown kind and for an image smaller than half the patch.
    """
    files.write_png(path, draw(samples(config, kinds or tuple(KINDS))))


def samples(config: ConfigDict, kinds: Sequence[str]) -> dict[str, Batch]:
    """SAMPLES patches with a flaw of each kind; the patches of all kinds are the same."""
    corruption.check(kinds, 1.0)
    split = open_data(config).converted.train
    patch = patch_of(config, split)
    corruption.check_size(patch, patch)
    chosen = np.random.default_rng(config.seed).permutation(len(split))[:DRAWN_FROM]
    shown = [split[index] for index in chosen]
    # Mirrored beyond their borders as they are in training: an image may be smaller than a patch.
    margin = config.train.patch // 2
    source = feed.in_memory([s.image for s in shown], patch=patch, ids=[s.id for s in shown], margin=margin)
    keys = jax.random.split(jax.random.key(config.seed), SAMPLES)
    flawed = [feed.corrupted(source, kinds=(kind,), share=1.0) for kind in kinds]
    every = loop.jit_once(lambda inputs, keys: [part.make_batch(inputs, keys) for part in flawed])
    return dict(zip(kinds, jax.device_get(every(source.inputs(0), keys)), strict=True))


def draw(made: dict[str, Batch]) -> np.ndarray:
    """The sheet, uint8 [H, W, 3], of batches {name: batch} of equally many images of one size."""
    rows = {name: (_flawed(batch), _changed(batch)) for name, batch in made.items()}
    height, width = next(iter(rows.values()))[0][0].shape[:2]
    zoom = -(-SHOWN // min(height, width))
    height, width = height * zoom + MARGIN, width * zoom + MARGIN
    count = len(next(iter(rows.values()))[0])
    pair = 2 * height + 2 * MARGIN  # A little more room between kinds than within.
    sheet = Image.new("RGB", (NAMES + count * width + MARGIN, len(rows) * pair + MARGIN), (PAPER,) * 3)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(24)
    for place, (name, pair_of_rows) in enumerate(rows.items()):
        top = MARGIN + place * pair
        pen.text((NAMES - 2 * MARGIN, top + height), name, (INK,) * 3, font, anchor="rm")
        for row, patches in enumerate(pair_of_rows):
            for column, patch in enumerate(patches):
                enlarged = Image.fromarray(patch.repeat(zoom, 0).repeat(zoom, 1))
                sheet.paste(enlarged, (NAMES + column * width, top + row * height))
    return np.asarray(sheet)


def _flawed(batch: Batch) -> list[np.ndarray]:
    return [_as_colour(image) for image in batch.image]


def _changed(batch: Batch) -> list[np.ndarray]:
    pairs = zip(batch.severity, batch.mask, strict=True)
    return [with_outline(_as_colour(severity[..., None]), mask > 0) for severity, mask in pairs]


def _as_colour(values: np.ndarray) -> np.ndarray:
    """Values [H, W, 1 or 3] in [0, 1] as uint8 [H, W, 3]."""
    return images.to_channels(np.round(np.clip(values, 0, 1) * 255).astype(np.uint8), 3)
