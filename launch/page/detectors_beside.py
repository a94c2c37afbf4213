"""Different detectors side by side: every figure of each in one table, and what guessing would give.

Figures of unlike detectors may be compared where they were tested on the same images; their losses never.
"""

from collections import Counter
from typing import Any

from jaxdefect.metrics.ranking import PRO_LIMIT
from launch.page.comparison import label
from launch.page.render import is_number


def differ(results: dict[str, Any]) -> bool:
    """Whether the runs are of different detectors, or brought together by hand."""
    return bool(results.get("compared")) or len({row["detector"] for row in results["rows"] if row.get("detector")}) > 1


def beside(results: dict[str, Any], names: list[str], group: dict[str, str]) -> dict[str, Any]:
    """The table of one set of images. names: the axes in which settings differ.

    Returns title, rows {at, label, detector, run, runs, values, other}, guess and usual, the test of most, in words.
    values: {mean, std, best} of each figure; other: on which other images than most here it was tested, in words, or
    None. Only of rows with the same test one is best.
    """
    names = [name for name in names if name not in group]
    named = lambda at: at[names[0]] if len(names) == 1 else label(at, names)
    cells = [cell for cell in results["cells"] if group.items() <= cell["at"].items()]
    runs = [[row for row in results["rows"] if row["at"] == cell["at"]] for cell in cells]
    tests = [next((row["test"] for row in rows if row.get("test")), None) for rows in runs]
    most = Counter(test["images"] for test in tests if test).most_common(1)
    usual = next((test for test in tests if test and test["images"] == most[0][0]), None)
    same = [test is None or test["images"] == most[0][0] for test in tests]
    columns = [values_of(cells, same, figure) for figure in results["figures"]]
    return {
        "title": label(group, list(group)) if group else "",
        "rows": [
            {"at": cell["at"], "label": named(cell["at"]), "runs": cell["finished"],
             "run": rows[0]["name"] if rows else None, "detector": rows[0].get("detector") if rows else None,
             "values": [column[place] for column in columns], "other": None if alike else described(test)}
            for place, (cell, rows, test, alike) in enumerate(zip(cells, runs, tests, same, strict=True))
        ],
        "guess": [guess(figure["key"], usual) for figure in results["figures"]],
        "usual": described(usual) if usual else None,
    }  # fmt: skip


def values_of(cells: list[dict], comparable: list[bool], figure: dict[str, str]) -> list[dict[str, Any]]:
    """{mean, std, best} of a figure for each cell; equals are best together."""
    of = lambda cell, what: value if is_number(value := (cell.get(what) or {}).get(figure["key"])) else None
    means = [of(cell, "mean") for cell in cells]
    rivals = [mean for mean, alike in zip(means, comparable, strict=True) if alike and mean is not None]
    choose = min if figure["better"] == "low" else max
    top = choose(rivals) if len(rivals) > 1 else None
    return [
        {"mean": mean, "std": of(cell, "std"), "best": alike and mean is not None and mean == top}
        for cell, mean, alike in zip(cells, means, comparable, strict=True)
    ]


def described(test: dict[str, Any]) -> str:
    """ "12 defective and 6 good images"."""
    return f"{test['defective']} defective and {test['good']} good images"


def guess(key: str, test: dict[str, Any] | None) -> float | None:
    """A figure of scores drawn at random, at the threshold that suits it best; None where nobody can say.

    test: {"defective", "good"}, numbers of images, and "pixels", the share of the defective ones, or None.
    """
    section, last = key.split(".")[0], key.split(".")[-1]
    if test is None or section not in ("image", "pixel") or "gamma" in key or "report" in key:
        return None
    images = test["defective"] + test["good"]
    share = {"image": test["defective"] / images if images else None, "pixel": test.get("pixels")}[section]
    if last in ("auroc", "pro"):
        return 0.5 if last == "auroc" else PRO_LIMIT / 2
    if share is None:
        return None
    # All called defective have the share as their precision, and all of the defects among them.
    shares = {"ap": share, "precision": share, "f1": 2 * share / (1 + share), "accuracy": max(share, 1 - share)}
    return shares.get(last)
