"""Names of files and folders as they are shown: on terminals, in tables, on pages.

A file may be called anything but "/" and a null byte: escape sequences, line breaks, marks that turn the reading
direction, bytes that are no UTF-8. None of these leaves the names that are read from a folder.
"""

LONGEST = 240  # bytes of a file's name: of 255, which masks and temporary files add to
FORMULA = tuple("=+-@")  # With these spreadsheets begin what they compute.


def printable(text: str) -> str:
    """The text with all that is no sign or space written as Python writes it: "\\x1b", "\\n", "\\u202e", "\\udcff"."""
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def plain(name: str) -> str:
    """A name, or a path, that is printable and no formula: "./=1" is the same path as "=1"."""
    return f"./{printable(name)}" if name.startswith(FORMULA) else printable(name)


def cells(row: dict[str, object]) -> dict[str, object]:
    """A row of a CSV file with its texts made plain."""
    return {column: plain(value) if isinstance(value, str) else value for column, value in row.items()}
