"""Tables of attributes of surfaces (class embeddings): CSV files with a row for each class.

The first line names the columns: class, then each attribute in words. attributes.csv beside this file is our own
annotation of the ten classes of DAGM 2007 with the 29 attributes of DAGM_MIX (Table 1): 1 is wholly so, 0 not at all.
"""

import csv
import math
from pathlib import Path
from typing import Any

DAGM = Path(__file__).with_name("attributes.csv")


def read_attributes(path: str | Path) -> tuple[tuple[str, ...], dict[str, tuple[float, ...]]]:
    """(names of the attributes, {class: its attributes}), both in the order of the file.

    Raises ValueError naming the file, the line and what to do, where a class is missing, twice or cannot be a field's
    name, where a row is too short or too long, and where a value is no finite number.
    """
    with Path(path).open(newline="", encoding="utf-8-sig") as file:
        lines = [(number, row) for number, row in enumerate(csv.reader(file), 1) if any(cell.strip() for cell in row)]
    header = [cell.strip() for cell in lines[0][1]] if lines else []
    names = tuple(header[1:])
    if header[:1] != ["class"] or not names or not all(names) or len(set(names)) < len(names):
        raise ValueError(f"{path} starts with the columns {header}; name them 'class' and then each attribute, each "
                         "once")  # fmt: skip
    rows: dict[str, tuple[float, ...]] = {}
    for number, row in lines[1:]:
        where, name = f"{path}, line {number}", row[0].strip()
        if not name:
            raise ValueError(f"{where} has no class in column 'class'; name the class that the row describes")
        if "." in name:
            raise ValueError(f"{where}: class {name!r} has a dot, which parts the names of fields; write it without")
        if name in rows:
            raise ValueError(f"{where}: class {name!r} is there twice; keep one of its rows")
        if len(row) != len(header):
            raise ValueError(f"{where}: class {name!r} has {len(row)} columns where the header has {len(header)}; give "
                             "a value for each attribute")  # fmt: skip
        rows[name] = tuple(
            _number(f"{where}, column {column!r}", cell) for column, cell in zip(names, row[1:], strict=True)
        )
    if not rows:
        raise ValueError(f"{path} has a header and no classes; give a row for each class")
    return names, rows


def attribute_fields(path: str | Path = DAGM) -> dict[str, Any]:
    """The fields of a config that hold a table: data.attributes {class: numbers} and data.attribute_names."""
    names, rows = read_attributes(path)
    return {"data.attributes": rows, "data.attribute_names": names}


def _number(where: str, cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{where} is {cell.strip()!r}, which is no finite number; give one, 0 for not at all and 1 "
                         "for wholly so")  # fmt: skip
    return value
