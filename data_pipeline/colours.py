"""Whether the images of a set are in colour, told from a few of them."""

from collections.abc import Sequence
from typing import NamedTuple

from data_pipeline import images
from data_pipeline.record import Record

HEADERS, DECODED = 200, 8  # files looked at, of each kind, evenly spread over the set
GREY = ("L", "LA", "1", *images.WIDE)  # Pillow's modes without colour


class Colours(NamedTuple):
    """channels: 3 where the images are in colour, 1 where they are grey. told: by what, in words."""

    channels: int
    told: str


def of(records: Sequence[Record]) -> Colours:
    """Looks at normal images that are not of the set's test: at the kind of their files and, where these hold colour,
    at the pixels of a few. Grey images that are stored as RGB are grey; one in colour makes all colour.
    """
    files = [record.image for record in records if record.image and not record.label and record.split != "test"]
    stored = [file for file in _spread(files, HEADERS) if images.about(file).mode not in GREY]
    if not stored:
        return Colours(1, "its files are grey" if files else "it is drawn in grey")
    decoded = _spread(stored, DECODED)
    coloured = sum(images.is_coloured(images.read_image(file)) for file in decoded)
    told = (
        f"{coloured} of {len(decoded)} looked at are in colour"
        if coloured
        else f"{len(decoded)} RGB files looked at hold none"
    )
    return Colours(3 if coloured else 1, told)


def _spread(files: Sequence, count: int) -> Sequence:
    """At most so many, evenly spread."""
    return files[:: -(-len(files) // count)] if files else files
