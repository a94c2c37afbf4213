"""The graphs of two stages as one: a surface first, then the defects of that surface.

Of the second stage only the graph of the surface that an image shows is run (ONNX's If, one inside the other).
"""

from collections.abc import Mapping
from typing import Any

from launch.exporting import shell

FIRST = "surfaces_"  # before all names of the first stage's graph
LUMA = (19595, 38470, 7471)  # of red, green, blue, in shares of 2^16: Pillow's


def joined(first: Any, second: Mapping[int, Any], size: tuple[int, int] | None, channels: int) -> Any:
    """The ModelProto of an image uint8 [1, H, W, channels] through both stages.

    first: the ModelProto of the surfaces; its score is called `distance` here. second: that of the defects of each
    surface, by its number; score and map are those of the surface found, and of any one where that has none. size: the
    only (H, W) taken; None: any. Raises ValueError where the second's graphs do not give the same.
    """
    from onnx import TensorProto, helper

    fields = [output.name for output in next(iter(second.values())).graph.output]
    if any([output.name for output in model.graph.output] != fields for model in second.values()):
        raise ValueError("the detectors of its surfaces do not give the same; train all with the same defects.* fields")
    beside = [output.name for output in first.graph.output if output.name != "score"]
    functions = _functions([first, *second.values()])
    stage = _stage(first, FIRST, channels)
    nodes = [*stage.node, _renamed(FIRST + "score", "distance")]
    nodes += [_renamed(FIRST + name, name) for name in beside]
    rest = None
    for number, model in second.items():
        branch = _stage(model, f"defects{number}_", channels)
        rest = branch if rest is None else _chosen(number, branch, rest, fields)
    nodes += [*rest.node, *(_renamed(output.name, name) for output, name in zip(rest.output, fields, strict=True))]
    height, width = size or ("H", "W")
    shapes = {"distance": [1], "score": [1], "map": [1, height, width], "surface": [1]}
    outputs = [
        helper.make_tensor_value_info(
            name, TensorProto.INT32 if name == "surface" else TensorProto.FLOAT, shapes.get(name)
        )
        for name in ("distance", *beside, *fields)
    ]
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, [1, height, width, channels])
    initializers = [*stage.initializer, *rest.initializer]
    graph = helper.make_graph(nodes, "defects", [image], outputs, initializer=initializers)
    opsets = {opset.domain: opset for model in (first, *second.values()) for opset in model.opset_import}
    return helper.make_model(
        graph, functions=functions, ir_version=shell.IR_VERSION, opset_imports=list(opsets.values())
    )


def _stage(model: Any, prefix: str, channels: int) -> Any:
    """The graph of a stage without inputs: it takes the `image` around it. All its names begin with the prefix."""
    from onnx import helper

    own = model.graph.input[0].type.tensor_type.shape.dim[3].dim_value
    _prefix(model.graph, prefix)
    nodes = [*_of_channels(channels, own, prefix), *model.graph.node]
    outputs = [
        helper.make_tensor_value_info(out.name, out.type.tensor_type.elem_type, None) for out in model.graph.output
    ]
    return helper.make_graph(nodes, prefix, [], outputs, initializer=model.graph.initializer)


def _chosen(number: int, branch: Any, rest: Any, fields: list[str]) -> Any:
    """A graph that gives what `branch` does where the surface is of this number, and else what `rest` does."""
    from onnx import TensorProto, helper

    own = f"or{number}_"
    which = helper.make_tensor(own + "number", TensorProto.INT32, [1], [number])
    nodes = [
        helper.make_node("Constant", [], [own + "number"], value=which),
        helper.make_node("Equal", [FIRST + "surface", own + "number"], [own + "equal"]),
        helper.make_node("Squeeze", [own + "equal"], [own + "is"]),
        helper.make_node("If", [own + "is"], [own + name for name in fields], then_branch=branch, else_branch=rest),
    ]
    outputs = [helper.make_tensor_value_info(own + name, TensorProto.FLOAT, None) for name in fields]
    return helper.make_graph(nodes, own, [], outputs)


def _of_channels(given: int, own: int, prefix: str) -> list[Any]:
    """Nodes from `image` to a stage's own, grey or RGB, as Pillow makes one of the other."""
    from onnx import TensorProto, helper

    image, name = prefix + "image", lambda text: f"{prefix}luma_{text}"
    if given == own:
        return [_renamed("image", image)]
    if given == 1:
        return [helper.make_node("Concat", ["image"] * 3, [image], axis=3)]
    constant = lambda text, values: helper.make_node(
        "Constant", [], [name(text)], value=helper.make_tensor(name(text), TensorProto.INT32, [len(values)], values)
    )
    last = helper.make_tensor(name("last"), TensorProto.INT64, [1], [3])
    return [
        constant("shares", LUMA), constant("half", [2**15]), constant("whole", [2**16]),
        helper.make_node("Constant", [], [name("last")], value=last),
        helper.make_node("Cast", ["image"], [name("levels")], to=TensorProto.INT32),
        helper.make_node("Mul", [name("levels"), name("shares")], [name("parts")]),
        helper.make_node("ReduceSum", [name("parts"), name("last")], [name("sum")], keepdims=1),
        helper.make_node("Add", [name("sum"), name("half")], [name("more")]),
        helper.make_node("Div", [name("more"), name("whole")], [name("grey")]),
        helper.make_node("Cast", [name("grey")], [image], to=TensorProto.UINT8),
    ]  # fmt: skip


def _renamed(old: str, new: str) -> Any:
    from onnx import helper

    return helper.make_node("Identity", [old], [new])


def _prefix(graph: Any, prefix: str) -> None:
    """Puts a prefix before every name in a graph, and in those inside of it, which see its names."""
    for node in graph.node:
        node.input[:] = [name and prefix + name for name in node.input]
        node.output[:] = [name and prefix + name for name in node.output]
        for attribute in node.attribute:
            for inner in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                _prefix(inner, prefix)
    del graph.value_info[:]
    for value in (*graph.input, *graph.output, *graph.initializer):
        value.name = prefix + value.name


def _functions(models: list[Any]) -> list[Any]:
    """The functions of all models, each once. Raises ValueError where two of a name differ."""
    found: dict[tuple[str, str], Any] = {}
    for function in (function for model in models for function in model.functions):
        if found.setdefault((function.domain, function.name), function) != function:
            raise ValueError(f"its stages have different functions called {function.domain}.{function.name}")
    return list(found.values())
