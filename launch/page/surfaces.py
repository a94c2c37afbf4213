"""How surfaces were told apart, from a result.json for its page: the matrix of routing and attributes of surfaces.

`surfaces` holds names [K], unseen (those never learnt), confusion [K][K + 1] (counts of images: rows are true
surfaces, columns those taken for, the alarm last) and, where attributes were predicted, attributes: names [A] and, by
surface, the vectors [A] assigned and predicted.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from launch.page.render import is_number


def read_surfaces(result: dict[str, Any], *, named: bool = False) -> tuple[dict | None, dict | None, list[str]]:
    """(routing, attributes, notes) of result["surfaces"] for the template; None where there is none or it is damaged.

    named: unseen surfaces are right where they are named, as by methods that know their attributes; else by the alarm.
    """
    surfaces, notes = result.get("surfaces"), []

    def tried(read: Callable, what: str) -> dict | None:
        try:
            return read()
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            notes.append(f"{what} of result.json is damaged and not shown: {error!r}")
            return None

    if not surfaces:
        return None, None, notes
    matrix = tried(lambda: routing(surfaces, named=named), "surfaces.confusion")
    bars = tried(lambda: attributes(surfaces), "surfaces.attributes") if surfaces.get("attributes") else None
    return matrix, bars, notes


def read_kinds(result: dict[str, Any]) -> dict | None:
    """The matrix of kinds of defect named, from result["kinds"]: names [K], good first, and confusion [K][K] (rows are
    true kinds, columns those named). None where there is none or it is damaged."""
    try:
        kinds = result["kinds"]
        counts = [[*row, 0] for row in kinds["confusion"]]  # Nothing raises an alarm.
        return routing({"names": kinds["names"], "confusion": counts}, named=True)
    except (ValueError, KeyError, TypeError):
        return None


def routing(surfaces: dict[str, Any], *, named: bool) -> dict[str, Any] | None:
    """Rows and columns of the matrix; None where there are no images.

    Surfaces without images have no row; what no image was taken for has a column only where it would be right.
    Raises ValueError where the counts do not fit the names.
    """
    names, unseen = [str(name) for name in surfaces["names"]], set(surfaces.get("unseen") or [])
    counts = np.array(surfaces["confusion"], int).reshape(-1, len(names) + 1)
    if len(counts) != len(names) or (counts < 0).any():
        raise ValueError(f"{len(counts)} rows of counts for {len(names)} surfaces; they must agree")
    alarm = len(names)
    right = [alarm if name in unseen and not named else place for place, name in enumerate(names)]
    wanted = {right[place] for place in np.flatnonzero(counts.any(1))} | ({alarm} if not named else set())
    taken = [place for place in range(alarm + 1) if place in wanted or counts[:, place].any()]

    def row_of(place: int, row: list[int]) -> dict[str, Any]:
        total, hits = sum(row), row[right[place]]
        cells = [{"count": row[at], "share": row[at] / total, "right": at == right[place]} for at in taken]
        return {
            "name": names[place],
            "unseen": names[place] in unseen,
            "images": total,
            "right": hits,
            "cells": cells,
        }

    rows = [row_of(place, row) for place, row in enumerate(counts.tolist()) if any(row)]
    columns = [{"name": [*names, "alarm"][at], "alarm": at == alarm} for at in taken]
    return {"rows": rows, "columns": columns} if rows else None


def attributes(surfaces: dict[str, Any]) -> dict[str, Any] | None:
    """Attributes grouped by their words before the colon, and for each surface both vectors at unit length.

    domain is the one range of all bars, with 0; likeness the cosine of the two vectors. None without any vector.
    Raises ValueError where a vector has not as many finite numbers as there are attributes.
    """
    table, unseen = surfaces["attributes"], set(surfaces.get("unseen") or [])
    words = [str(name) for name in table["names"]]
    vectors = {
        name: {kind: unit((table.get(kind) or {}).get(name), len(words)) for kind in ("assigned", "predicted")}
        for name in dict.fromkeys([*(table.get("assigned") or {}), *(table.get("predicted") or {})])
    }
    values = [value for pair in vectors.values() for vector in pair.values() for value in vector or []]
    if not words or not values:
        return None
    grouped: dict[str, list[tuple[int, str]]] = {}
    for place, word in enumerate(words):
        title, colon, rest = word.partition(":")
        grouped.setdefault(title.strip() if colon else "", []).append((place, rest.strip() if colon else word))
    for pair in vectors.values():
        both = pair["assigned"] and pair["predicted"]
        pair["likeness"] = float(np.dot(pair["assigned"], pair["predicted"])) if both else None
    order = [(name, name in unseen) for name in vectors]
    return {
        "surfaces": order, "first": next((name for name, new in order if new), order[0][0]),
        "groups": list(grouped.items()),
        "data": {"domain": [min([0.0, *values]), max([0.0, *values]) or 1.0], "surfaces": vectors},
    }  # fmt: skip


def unit(vector: list[float] | None, length: int) -> list[float] | None:
    """The vector [A] at unit length; zeros stay zeros. None where there is none."""
    if vector is None:
        return None
    if len(vector) != length or not all(map(is_number, vector)):
        raise ValueError(f"a vector of {len(vector)} values for {length} attributes, or one that is not finite")
    return (np.array(vector, float) / (np.linalg.norm(vector) or 1.0)).tolist()
