"""Maps of scores and masks of defects, drawn in every awkward way."""

import numpy as np


def images(make, *, seed=0, defects=True):
    """Maps and masks of varying sizes; `make(rng, mask)` draws the scores."""
    rng = np.random.default_rng(seed)
    maps, masks = [], []
    for height, width in ((31, 40), (17, 23), (40, 31), (1, 5)):
        mask = np.zeros((height, width), np.uint8)
        if defects and height > 1:
            mask[3:9, 4:7] = mask[9, 7] = mask[12:14, 10:20] = 1  # the pixel (9, 7) touches by a corner only
        masks.append(mask)
        with np.errstate(over="ignore"):
            maps.append(np.asarray(make(rng, mask)).astype(np.float32))
    return maps, masks


def some_infinite(rng, mask):
    return rng.choice([-np.inf, -1.0, 0.0, 1.0, np.inf], mask.shape, p=[0.2, 0.2, 0.2, 0.2, 0.2]) + mask


DRAWS = {
    "continuous": lambda rng, mask: rng.normal(size=mask.shape) + mask,
    "worse than chance": lambda rng, mask: rng.normal(size=mask.shape) - mask,
    "heavily tied": lambda rng, mask: rng.integers(0, 4, mask.shape) + mask,
    "constant": lambda rng, mask: np.full(mask.shape, 0.1),
    "separated": lambda rng, mask: rng.random(mask.shape) + 2 * mask,
    "inverted": lambda rng, mask: rng.random(mask.shape) - 2 * mask,
    "huge": lambda rng, mask: (rng.normal(size=mask.shape) + mask) * 7e37,
    "subnormal": lambda rng, mask: (rng.normal(size=mask.shape) + mask) * 1e-43,
    "both zeros": lambda rng, mask: rng.choice([-0.0, 0.0, 1e-45, -1e-45], mask.shape),
    "one unit in the last place": lambda rng, mask: 1 + (rng.integers(0, 3, mask.shape) + mask) * 2.0**-23,
    "infinite": some_infinite,
}


def flat(maps, masks):
    """All scores in float64, infinities as numbers beyond float32 (scikit-learn refuses them), and all truths."""
    scores = np.concatenate([m.ravel() for m in maps]).astype(np.float64)
    return np.nan_to_num(scores, posinf=1e300, neginf=-1e300), np.concatenate([m.ravel() for m in masks])
