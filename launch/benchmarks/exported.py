"""An exported model in onnxruntime beside our compiled call, from a uint8 image to score and map.

`launch.bench --exported` runs it, where what exporting needs is installed. Weights are random: times do not depend on
them. Both may use all cores. What int8 costs in quality is measured on trained runs (`--trained RUN`).
"""

import functools
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_pipeline import images
from jaxdefect.metrics import ranking
from launch.benchmarks.folder import surface, untrained
from launch.command import configuration, markdown
from launch.command.timing import in_turn
from launch.exporting import convert, export
from launch.run.data import open_data, settle, sizes_of
from launch.run.inference import open_run

DETECTORS = (("nsa", "small"), ("segdec", "small"), ("dae", "small"), ("padim", "small"),
             ("cnn_classifier", "small"), ("resnet_classifier", "small"))  # fmt: skip
SIZE = (512, 512)  # pixels, of the image
WAYS = ("ours", "float32", "channels first", "int8")
JUDGED = ("ours", "float32", "int8")
COMPARED = 40  # test images of a trained run, at most


def bench_exported(
    *,
    turns: int,
    size: tuple[int, int] = SIZE,
    detectors: Sequence[tuple[str, str]] = DETECTORS,
    trained: Sequence[Path] = (),
) -> dict[str, Any]:
    """Milliseconds an image of each detector: compiled, exported in float32, exported with weights in int8.

    And the pixel AP of trained runs in these ways.
    """
    convert.check_installed()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for number in range(2):
            (place / f"{number}.png").write_bytes(images.png(surface(number, size)))
        timed = {" ".join(which): _timed(*which, place, turns) for which in detectors}
        judged = [_judged(run, place) for run in trained]
    return {"size": list(size), "ms": timed, "ap": judged}


def _timed(name: str, preset: str, place: Path, turns: int) -> dict[str, Any]:
    """ms of each way, and the size of both files in MB."""
    opened = untrained(settle(configuration.get(name, preset)), place)
    image = images.read_image(place / "0.png", channels=opened.predictor.run.config.data.channels)
    model = export.as_onnx(opened, export.sight_of(opened, image.shape[:2], []))
    files = written(model, place)
    calls = {"ours": lambda: opened.predict(image)}
    planes = np.ascontiguousarray(image.transpose(2, 0, 1))
    for way, file in files.items():
        calls[way] = functools.partial(session(file), planes if way == "channels first" else image)
    for call in calls.values():
        call()
    row = {way: 1e3 * seconds for way, seconds in in_turn(calls, turns).items()}
    return row | {f"{way}_mb": file.stat().st_size / 1e6 for way, file in files.items()}


def _judged(run: Path, place: Path) -> dict[str, Any]:
    """Pixel AP of each way on test images of a trained run.

    An exported model may take images of one size alone: that is the middle of images at least as large as the median.
    """
    opened = open_run(run)
    config = opened.predictor.run.config
    test = open_data(config).original.test
    window = np.median(sizes_of(test), 0).astype(int)
    large = [number for number, size in enumerate(sizes_of(test)) if (window <= size).all()]
    chosen = [test[large[place]] for place in np.unique(np.linspace(0, len(large) - 1, COMPARED).astype(int))]
    shown = [images.to_channels(middle(sample.image, window), config.data.channels) for sample in chosen]
    masks = [middle(sample.mask, window) for sample in chosen]
    model = export.as_onnx(opened, export.sight_of(opened, tuple(window.tolist()), []))
    files = written(model, place)
    maps = {"ours": [opened.predict(image).map for image in shown]}
    for way in JUDGED[1:]:
        answer = session(files[way])
        maps[way] = [answer(image)["map"] for image in shown]
    ap = {way: ranking.average_precision(ranking.pixel_counts(found, masks)) for way, found in maps.items()}
    about = {"run": run.resolve().name, "detector": config.detector, "dataset": config.data.name}
    return about | {"images": len(shown), "size": window.tolist()} | ap


def middle(image: np.ndarray, window: np.ndarray) -> np.ndarray:
    """The window in the middle of an image [H, W, ...]."""
    top, left = (np.array(image.shape[:2]) - window) // 2
    return image[top : top + window[0], left : left + window[1]]


def written(model: Any, place: Path) -> dict[str, Path]:
    """The files of an exported model in each way."""
    files = {way: place / f"{way}.onnx" for way in WAYS[1:]}
    files["float32"].write_bytes(model.SerializeToString())
    quantised(files["float32"], files["int8"])
    files["channels first"].write_bytes(channels_first(model).SerializeToString())
    return files


def channels_first(model: Any) -> Any:
    """The same model of an image [1, C, H, W]; its convolutions are channels first in any case, as ONNX has them."""
    from onnx import ModelProto, helper

    other = ModelProto()
    other.CopyFrom(model)
    given = other.graph.input[0]
    lengths = [dim.dim_value or dim.dim_param for dim in given.type.tensor_type.shape.dim]
    first = helper.make_tensor_value_info(
        "planes", given.type.tensor_type.elem_type, [lengths[i] for i in (0, 3, 1, 2)]
    )
    nodes = [helper.make_node("Transpose", ["planes"], [given.name], perm=[0, 2, 3, 1]), *other.graph.node]
    del other.graph.input[:], other.graph.node[:]
    other.graph.input.append(first)
    other.graph.node.extend(nodes)
    return other


def session(file: Path) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    """The model in a file: an image to its outputs by name."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    model = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    given, names = model.get_inputs()[0].name, [output.name for output in model.get_outputs()]
    return lambda image: {
        name: value[0] for name, value in zip(names, model.run(None, {given: image[None]}), strict=True)
    }


def quantised(source: Path, target: Path) -> None:
    """The model with weights of convolutions and products in int8, activations quantised as they come.

    Constants are folded first: only a weight that stands in the file itself is quantised.
    """
    import onnxruntime.quantization

    folded = source.with_suffix(".folded.onnx")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(folded)
    onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    onnxruntime.quantization.quantize_dynamic(folded, target)


def as_section(result: dict[str, Any], *, machine: str, command: str) -> str:
    """The figures as Markdown."""
    rows = [
        [name, *(f"{row[way]:.1f} ms" for way in WAYS), f"**{row['ours'] / row['float32']:.2f}**",
         f"**{row['ours'] / row['int8']:.2f}**", f"{row['float32_mb']:.1f} / {row['int8_mb']:.1f}"]
        for name, row in result["ms"].items()
    ]  # fmt: skip
    head = ["detector", "ours", "onnxruntime, float32", "the same, channels first", "int8", "ours / float32",
            "ours / int8", "MB, float32 / int8"]  # fmt: skip
    height, width = result["size"]
    return f"""## Exported models

One uint8 image of {height} x {width} to its score and its map of that size, medians of several turns in which all
alternate. Ours is the compiled call, between Pillow's resize of the image and that of the map, which the exported
model does itself. An exported model takes images [1, H, W, C] as they are decoded; channels first: [1, C, H, W].
int8: dynamic quantisation by onnxruntime, which `launch.export` never does.

    {command}

{markdown.table(head, rows)}
{_quality(result["ap"])}
{machine}
"""


def _quality(judged: list[dict[str, Any]]) -> str:
    if not judged:
        return ""
    rows = [
        [f"{row['detector']} on {row['dataset']}", f"{row['images']} of {row['size'][0]} x {row['size'][1]}",
         *(f"{row[way]:.4f}" for way in JUDGED), f"**{row['ours'] - row['int8']:+.4f}**"]
        for row in judged
    ]  # fmt: skip
    head = ["run", "test images", "ours", "onnxruntime, float32", "int8", "lost by int8"]
    return f"""
What int8 costs: pixel AP of trained runs (`--trained`) on test images at least as large as the median, cut to it:

{markdown.table(head, rows)}
"""
