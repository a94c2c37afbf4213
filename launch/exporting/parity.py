"""How near an exported model comes to the run it was made of, image by image, and where that is not near enough."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from launch.exporting.detect import Model
from launch.run.inference import Found, OpenRun

FLAT = 0.01  # Of values that vary by less than this share of the largest, that share is taken for their range.
MARGIN = 2  # times the greatest difference of scores measured, by which an exported threshold of images lies higher


class Comparison:
    """What is summed up while images are looked at by both."""

    def __init__(self) -> None:
        self.scores: list[tuple[float, float]] = []
        self.differences: list[tuple[float, float]] = []  # of each map: greatest, mean
        self.correlations: list[float] = []
        self.lowest, self.highest = np.inf, -np.inf  # of our maps
        self.pixels = self.flipped_pixels = 0

    def add(self, ours: Found, theirs: Any) -> None:
        """An image that both have looked at."""
        self.scores.append((ours.score, theirs.score))
        if ours.map is None:
            return
        apart = np.abs(ours.map.astype(np.float64) - theirs.map)
        self.differences.append((float(apart.max()), float(apart.mean())))
        self.correlations.append(correlation(ours.map, theirs.map))
        self.lowest, self.highest = min(self.lowest, float(ours.map.min())), max(self.highest, float(ours.map.max()))
        self.pixels += ours.map.size
        self.flipped_pixels += int(np.sum(ours.mask != theirs.mask))

    def margin(self) -> float:
        """By how much a threshold of images is raised: it may be the score of a held-out image to the last bit."""
        return MARGIN * max((abs(a - b) for a, b in self.scores), default=0.0)

    def as_json(self, threshold: float, exported: float) -> dict[str, Any]:
        """The figures, with the decisions at our threshold and at the exported one."""
        ours, theirs = np.array(self.scores, np.float64).T
        apart = np.abs(ours - theirs)
        told = {
            "images": len(ours),
            "score": {"greatest": apart.max(), "mean": apart.mean(), "range": np.ptp(ours),
                      "largest": np.abs(ours).max(), "correlation": correlation(ours, theirs)},
            "flipped_decisions": int(np.sum((ours > threshold) != (theirs > exported))),
        }  # fmt: skip
        if not self.pixels:
            return told
        greatest, means = zip(*self.differences, strict=True)
        return told | {
            "map": {"greatest": max(greatest), "mean": np.mean(means), "range": self.highest - self.lowest,
                    "largest": max(abs(self.lowest), abs(self.highest)),
                    "least_correlation": min(self.correlations)},
            "flipped_pixels": self.flipped_pixels, "pixels": self.pixels,
        }  # fmt: skip


def compare(opened: OpenRun, model: Model, images: Iterable[np.ndarray]) -> Comparison:
    """Looks at images uint8 [H, W, C], of the channels the detector sees, with both."""
    comparison = Comparison()
    for image in images:
        comparison.add(opened(image), model(image))
    return comparison


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Pearson's; 1 where neither varies."""
    one, other = (np.asarray(values, np.float64).ravel() for values in (one, other))
    one, other = one - one.mean(), other - other.mean()
    size = np.sqrt(np.sum(one**2) * np.sum(other**2))
    return float(np.sum(one * other) / size) if size else float(np.array_equal(one, other))


def faults(told: dict[str, Any], tolerance: float) -> list[str]:
    """What of a comparison is beyond the tolerance, a share of the range of scores, of maps and of all pixels."""
    wrong = []
    for what in [name for name in ("score", "map") if name in told]:
        scale = max(told[what]["range"], FLAT * told[what]["largest"])
        if not told[what]["greatest"] <= tolerance * scale:  # NaN is not.
            wrong.append(f"a {what} differs by {told[what]['greatest']:.2g} in a range of {told[what]['range']:.2g}")
    if told["flipped_decisions"]:
        wrong.append(f"{told['flipped_decisions']} of {told['images']} images are decided otherwise")
    if "pixels" in told and told["flipped_pixels"] > tolerance * told["pixels"]:
        wrong.append(f"{told['flipped_pixels']} of {told['pixels']} pixels are decided otherwise")
    return wrong
