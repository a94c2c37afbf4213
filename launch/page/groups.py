"""A survey's table: what was looked at runs down, groups of techniques stand side by side, each with its techniques."""

from typing import Any

from launch.page.render import is_number


def groups(results: dict[str, Any], figure: dict[str, str]) -> dict[str, Any] | None:
    """One figure by groups of settings; None for a sweep that has none (GROUPS in its file).

    results["groups"] names the axis whose labels are "group: name". Returns heads, the groups in their order, and rows:
    (label, for each group its settings {name, mean, std, paper, best}). Published values of images that are not at
    hand have rows of their own, last; settings that were not run have mean None.
    """
    axis = results.get("groups")
    if not axis:
        return None
    key, sign, fixed = figure["key"], -1 if figure["better"] == "low" else 1, results["fixed"]
    entries = [(fixed | cell["at"], *(cell[w].get(key) for w in ("mean", "std", "paper"))) for cell in results["cells"]]
    settings_run = [at for at, *_ in entries]
    missing = [entry for entry in results["unfilled"] if entry["figure"] == key]
    missing = [entry for entry in missing if not any(entry["at"].items() <= at.items() for at in settings_run)]
    entries += [(fixed | entry["at"], None, None, entry["value"]) for entry in missing]
    rows: dict[str, dict[str, list[dict]]] = {}
    for at, mean, std, paper in entries:
        head, _, name = at[axis].rpartition(": ")
        row = rows.setdefault(", ".join(value for other, value in at.items() if other != axis), {})
        row.setdefault(head, []).append({"name": name, "mean": mean, "std": std, "paper": paper})
    for settings in (settings for row in rows.values() for settings in row.values()):
        means = [sign * entry["mean"] for entry in settings if is_number(entry["mean"])]
        for entry in settings:
            entry["best"] = is_number(entry["mean"]) and len(means) > 1 and sign * entry["mean"] == max(means)
    heads = list(dict.fromkeys(head for row in rows.values() for head in row))
    return {
        "figure": figure, "heads": heads, "paper": any(paper is not None for *_, paper in entries),
        "rows": [(label, [row.get(head, []) for head in heads]) for label, row in rows.items()],
    }  # fmt: skip
