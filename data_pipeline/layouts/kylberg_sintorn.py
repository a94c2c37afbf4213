"""Kylberg Sintorn rotation set: 25 textures photographed at nine rotations; there are no defective images in it.

    ...NAME-rRRR-sSSS.png or ...NAME-rRRR.png anywhere below the folder, for example canesugar01-r000-s001.png

All images are normal. Put images of your own defects into a folder in MVTec layout to test on them.
Source: Kylberg and Sintorn, On the influence of interpolation method on rotation invariance in texture recognition,
EURASIP Journal on Image and Video Processing, 2016.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from data_pipeline.folders import wrong
from data_pipeline.images import is_image
from data_pipeline.record import Record

NAME = re.compile(r"(?P<texture>[A-Za-z]+\d*)-r(?P<rotation>\d{3})")


def records(
    root: Path, *, textures: Sequence[str] | None = None, rotations: Sequence[int] | None = (0,)
) -> Iterator[Record]:
    """The records of some textures ("canesugar01", ...; None: all) at some rotations in degrees (None: all)."""
    paths = [(path, NAME.match(path.stem)) for path in sorted(root.rglob("*")) if is_image(path)]
    named = [(path, match["texture"], int(match["rotation"])) for path, match in paths if match]
    if not named:
        wrong(root, "images named TEXTURE-rRRR-sSSS.png, such as canesugar01-r000-s001.png")
    for field, chosen, there in (
        ("textures", textures, {texture for _, texture, _ in named}),
        ("rotations", rotations, {rotation for _, _, rotation in named}),
    ):
        absent = sorted(set(chosen or ()) - there)
        if absent:
            raise ValueError(f"{field}: {absent[0]!r} is not in {root}; found {', '.join(map(str, sorted(there)))}")
    for path, texture, rotation in named:
        if (textures is None or texture in textures) and (rotations is None or rotation in rotations):
            name = path.relative_to(root).with_suffix("").as_posix()
            yield Record(name, path, None, 0, "good", texture, "")
