"""How well the order of settings on painted flaws, which needs no defect, agrees with their order on the test."""

from typing import Any

import scipy.stats

PREFIX = "painted."
FEWEST = 3  # settings that an order is told of


def agreements(about: dict[str, Any], cells: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Spearman's rank correlation of each `painted.X` with X over the settings, on each set of images.

    [{figure, images, settings, rho, text}]: figures of sweep.json's `figures` that have both; rho is None where all of
    one are equal.
    """
    groups = {}
    for cell in cells:
        groups.setdefault(cell["at"].get("images", ""), []).append(cell["mean"])
    found = []
    for key in (key.removeprefix(PREFIX) for key in about["figures"] if key.startswith(PREFIX)):
        for images, means in groups.items():
            pairs = [(mean.get(PREFIX + key), mean.get(key)) for mean in means]
            pairs = [pair for pair in pairs if None not in pair]
            if len(pairs) >= FEWEST:
                rho = _spearman(pairs)
                text = f"{key.replace('.', ' ')}{' on ' if images else ''}{images}: " + (
                    f"{rho:.2f} over {len(pairs)} settings" if rho is not None else "undefined, for all are equal"
                )
                found.append({"figure": key, "images": images, "settings": len(pairs), "rho": rho, "text": text})
    return found


def _spearman(pairs: list[tuple[float, float]]) -> float | None:
    painted, test = zip(*pairs, strict=True)
    if len(set(painted)) == 1 or len(set(test)) == 1:
        return None
    return float(scipy.stats.spearmanr(painted, test).statistic)
