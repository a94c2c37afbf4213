"""How two graphs become one. That a system decides as before: tests/contract/test_export.py."""

import importlib.util

import numpy as np
import pytest

from data_pipeline.images import to_channels
from launch.exporting import convert, joined

LACKING = [name for name in convert.NEEDED if not importlib.util.find_spec(name)]
pytestmark = pytest.mark.skipif(bool(LACKING), reason=f"{', '.join(LACKING)} not installed")
HEAD = '<ir_version: 10, opset_import: ["": 21]>'
# The first pixel's level is the surface, the highest one the score.
FIRST = """g (uint8[1, H, W, {channels}] image) => (float[1] score, int32[1] surface) {{
  axes = Constant <value_ints = [1, 2, 3]> ()
  corner = Constant <value_ints = [0, 0, 0]> ()
  end = Constant <value_ints = [1, 1, 1]> ()
  pixel = Slice (image, corner, end, axes)
  number = Cast <to = 6> (pixel)
  surface = Squeeze (number, axes)
  levels = Cast <to = 1> (image)
  score = ReduceMax <keepdims = 0> (levels, axes)
}}"""
SECOND = """g (uint8[1, H, W, {channels}] image) => (float[1] score, float[1, H, W] map) {{
  last = Constant <value_ints = [3]> ()
  sides = Constant <value_ints = [1, 2]> ()
  levels = Cast <to = 1> (image)
  mean = ReduceMean <keepdims = 0> (levels, last)
  map = Mul (mean, weight)
  score = ReduceMax <keepdims = 0> (map, sides)
}}"""


def first(channels):
    import onnx

    return onnx.parser.parse_model(HEAD + FIRST.format(channels=channels))


def second(channels, weight, name="map"):
    import onnx

    text = SECOND.format(channels=channels).replace("map", name)
    made = onnx.parser.parse_model(HEAD + text)
    made.graph.initializer.append(onnx.numpy_helper.from_array(np.float32(weight), "weight"))
    return made


def answers(model, image):
    import onnxruntime

    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    values = session.run(None, {"image": image[None]})
    return {output.name: value[0] for output, value in zip(session.get_outputs(), values, strict=True)}


@pytest.mark.parametrize(("one", "other"), [(1, 1), (3, 3), (1, 3), (3, 1)])
def test_each_stage_sees_its_channels_as_pillow_makes_them(one, other):
    taken = max(one, other)
    model = joined.joined(first(one), {n: second(other, n + 2) for n in (4, 5, 7)}, None, taken)
    for number, weight in ((4, 6), (5, 7), (7, 9), (200, None)):
        image = np.random.default_rng(number).integers(0, 256, (9, 13, taken), np.uint8)
        image[0, 0] = number
        found = answers(model, image)
        assert found["surface"] == number and found["distance"] == to_channels(image, one).max()
        if weight:  # Of a surface without a detector any one's answer comes.
            seen = weight * to_channels(image, other).astype(np.float32).mean(-1)
            assert np.allclose(found["map"], seen, rtol=1e-6) and found["score"] == found["map"].max()


def test_one_surface_needs_no_choice_and_detectors_that_give_other_things_are_refused():
    model = joined.joined(first(1), {3: second(1, 2)}, (4, 6), 1)
    assert [node.op_type for node in model.graph.node].count("If") == 0
    assert answers(model, np.full((4, 6, 1), 3, np.uint8))["score"] == 6
    with pytest.raises(ValueError, match="do not give the same"):
        joined.joined(first(1), {3: second(1, 2), 4: second(1, 2, "level")}, None, 1)
