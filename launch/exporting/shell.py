"""The ONNX graph around a detector's: what a run does on the host, before and after its compiled call.

An image is brought to what the detector sees, whole or in tiles, and the map back to the image's own size.
"""

import operator
from typing import Any, NamedTuple

import numpy as np

from jaxdefect.maps.tiling import Tiles, feather
from launch.exporting import texts

OPSET = 21
IR_VERSION = 10  # of ONNX files: that of this opset, so that runtimes since 2024 read it
CORE, SCORED = "core_", "scored_"  # before all names of the detector's graph, and of that of a map's score
FIELDS = {  # what a graph may give beside its score; level: Otsu's of the map
    "map": "float[1, H, W]", "level": "float[1]", "kinds": "float[1, K]", "surface": "int32[1]",
    "classes": "float[1, S]", "embedding": "float[1, A]",
}  # fmt: skip


class Sight(NamedTuple):
    """How a detector sees images [1, H, W, channels].

    size: to which they are brought, (height, width); None: by `scale`, a factor. tiles: of what came of it. image: the
    only (H, W) it takes; None: any, of at most the height and width of `largest`, if given.
    """

    channels: int
    size: tuple[int, int] | None
    scale: float
    tiles: Tiles | None
    image: tuple[int, int] | None
    largest: tuple[int, int] | None = None

    @property
    def resized(self) -> bool:
        """Whether the detector may see another size than the image's."""
        return self.size != self.image if self.size else self.scale != 1

    def takes(self, size: tuple[int, int]) -> bool:
        """Whether it takes images of this (H, W)."""
        return self.image in (None, size) and (not self.largest or all(map(operator.le, size, self.largest)))


def wrapped(core: Any, fields: list[str], sight: Sight, scored: Any = None) -> Any:
    """The ModelProto from an image to what `core` gives: score, and `fields`. core: of an image as large as it sees.

    scored: from the map [1, Y, X] of an image in tiles, larger ones not taken, and the sides int32 [2] of what of it
    counts, to the image's score; None: that of its worst tile.
    """
    import onnx

    height, width = sight.image or ("H", "W")
    shapes = [f"{FIELDS[name]} {name}".replace("H, W", f"{height}, {width}") for name in fields]
    body = [
        *_shown(sight),
        *(_tiled(sight.tiles, fields, scored) if sight.tiles else _whole(fields)),
        *_back(sight, fields),
    ]
    text = f"""<ir_version: {IR_VERSION}, opset_import: ["": {OPSET}, "pillow": 1, "tiles": 1]>
defects (uint8[1, {height}, {width}, {sight.channels}] image) => ({", ".join(["float[1] score", *shapes])})
{{
{chr(10).join(body)}
}}
{texts.RESIZE}{texts.GRID}"""
    model = onnx.parser.parse_model(text)
    if sight.tiles:
        model.graph.initializer.append(onnx.numpy_helper.from_array(_ramps(sight.tiles), "ramp"))
    for name, prefix, inner in (("Core", CORE, core), ("Scored", SCORED, scored)):
        if inner is not None:
            _splice(model, name, onnx.compose.add_prefix(inner, prefix))
    return model


def _shown(sight: Sight) -> list[str]:
    """`shown` [1, h, w, C], what the detector sees, and its sides h and w."""
    sides = [f"{name} = Shape <start = {axis}, end = {axis + 1}> (image)" for axis, name in ((1, "Hs"), (2, "Ws"))]
    sides += ["H = Squeeze (Hs)", "W = Squeeze (Ws)"]
    if not sight.resized:
        return [*sides, "h = Identity (H)", "w = Identity (W)", "shown = Identity (image)"]
    if sight.size:
        small = [
            f"{name} = Constant <value = int64 {{{side}}}> ()" for name, side in zip("hw", sight.size, strict=True)
        ]
    else:
        small = [f"factor = Constant <value = double {{{sight.scale!r}}}> ()", "least = Constant <value_int = 1> ()"]
        for large, side in (("H", "h"), ("W", "w")):
            small += [f"{side}_of = Cast <to = 11> ({large})", f"{side}_scaled = Mul ({side}_of, factor)",
                      f"{side}_even = Round ({side}_scaled)", f"{side}_long = Cast <to = 7> ({side}_even)",
                      f"{side} = Max ({side}_long, least)"]  # fmt: skip
    return [*sides, *small, "shown = pillow.resize (image, h, w)"]


def _whole(fields: list[str]) -> list[str]:
    given = [f"{CORE}{name}" for name in ("score", *fields)]
    small = [f"small = Identity ({CORE}map)"] if "map" in fields else []
    beside = [f"{name} = Identity ({CORE}{name})" for name in ("score", *fields) if name != "map"]
    return [f"{', '.join(given)} = Core (shown)", *small, *beside]


def _tiled(tiles: Tiles, fields: list[str], scored: Any) -> list[str]:
    if fields != ["map"]:
        beside = ", ".join(name for name in fields if name != "map") or "no map"
        raise ValueError(f"it was evaluated in tiles and gives {beside}, which is not put together from tiles here; "
                         "evaluate the run on whole images: launch.train ... score.mode=whole")  # fmt: skip
    text = texts.TILED.format(size=tiles.size, overlap=tiles.overlap, stride=tiles.size - tiles.overlap)
    if scored is None:
        return [text, "score = Identity (worst)"]
    tall, wide = [dim.dim_value for dim in scored.graph.input[0].type.tensor_type.shape.dim][1:]
    return [text, texts.SCORED.format(tall=tall, wide=wide)]


def _back(sight: Sight, fields: list[str]) -> list[str]:
    if "map" not in fields:
        return []
    return ["map = pillow.enlarge (small, H, W)" if sight.resized else "map = Identity (small)"]


def _ramps(tiles: Tiles) -> np.ndarray:
    """[3, size]: weights of a tile with a tile before it, with one after it, with neither, along one side."""
    first, last = feather(2, tiles)
    return np.stack([last, first, np.ones(tiles.size, np.float32)])


def _splice(model: Any, name: str, inner: Any) -> None:
    """Puts the graph of a model where another, or a graph inside of it, has a node of this name."""
    _replace(model.graph, name, inner.graph)
    model.graph.initializer.extend(inner.graph.initializer)
    model.functions.extend(inner.functions)
    known = {opset.domain for opset in model.opset_import}
    model.opset_import.extend(opset for opset in inner.opset_import if opset.domain not in known)


def _replace(graph: Any, name: str, inner: Any) -> None:
    """The nodes of `inner` for each node of this name."""
    import onnx

    nodes = []
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _replace(attribute.g, name, inner)
        if node.op_type != name:
            nodes.append(node)
            continue
        pairs = zip(node.input, inner.input, strict=True)
        nodes.extend(onnx.helper.make_node("Identity", [given], [taken.name]) for given, taken in pairs)
        nodes.extend(inner.node)
    del graph.node[:]
    graph.node.extend(nodes)
