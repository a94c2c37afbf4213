"""What is asked of the images of a dataset together. `load` stops at the first breach, `checking` lists them all."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from data_pipeline.record import Record


class Problem(NamedTuple):
    """What is wrong with a file, by which rule, and what to do."""

    file: str
    rule: str
    remedy: str

    def __str__(self) -> str:
        return "; ".join(filter(None, (f"{self.file}: {self.rule}" if self.file else self.rule, self.remedy)))


def breaches(records: Sequence[Record], *, allow_unmasked: bool) -> Iterator[Problem]:
    """Images of one name, and defective images without a mask beside outlined ones."""
    named = Counter(record.id for record in records)
    for record in records:
        if named[record.id] > 1:
            rule = f"{named[record.id]} images are called {record.id}"
            yield Problem(place(record), rule, "rename all but one of them, not by the file type alone")
    defective = [record for record in records if record.label]
    bare = [record for record in defective if not record.has_mask]
    if len(bare) < len(defective) and not allow_unmasked:  # Labels alone are enough for figures of images.
        rule = f"a defective image without a mask, as are {len(bare)} of the {len(defective)} defective images"
        remedy = "outline the defect, or leave such images out of the pixel figures by data.options.allow_unmasked=True"
        yield from (Problem(place(record), rule, remedy) for record in bare)


def place(record: Record) -> str:
    """The file of an image, or its id where it has none."""
    return str(record.image or record.id)
