"""The parts of the graph around a detector's, in ONNX's own notation.

`pillow` resizes as Pillow 13 does, bilinear and antialiased: uint8 to the same bits (its sums are integers below 2^53,
exact in float64), float32 but for the last digit. `tiles` cuts and blends as `jaxdefect.maps.tiling` does.
"""

RESIZE = """
<domain: "pillow", opset_import: ["": 21]>
weights (before, after) => (matrix)
{
  zero = Constant <value = int64 {0}> ()
  one = Constant <value = int64 {1}> ()
  half = Constant <value = double {0.5}> ()
  least = Constant <value = double {0}> ()
  whole = Constant <value = double {1}> ()
  across = Constant <value_ints = [1]> ()
  many = Cast <to = 11> (before)
  few = Cast <to = 11> (after)
  scale = Div (many, few)
  support = Max (scale, whole)
  narrow = Div (whole, support)
  outputs = Range (zero, after, one)
  outputs_double = Cast <to = 11> (outputs)
  middles = Add (outputs_double, half)
  centres = Mul (middles, scale)
  centres_down = Unsqueeze (centres, across)
  inputs = Range (zero, before, one)
  inputs_double = Cast <to = 11> (inputs)
  apart = Sub (inputs_double, centres_down)
  apart_middle = Add (apart, half)
  shares = Mul (apart_middle, narrow)
  distances = Abs (shares)
  heights = Sub (whole, distances)
  triangle = Max (heights, least)
  sums = ReduceSum <keepdims = 1> (triangle, across)
  matrix = Div (triangle, sums)
}
<domain: "pillow", opset_import: ["": 21]>
rounded (sums) => (levels)
{
  half = Constant <value = double {2097152}> ()
  unit = Constant <value = double {4194304}> ()
  black = Constant <value = double {0}> ()
  white = Constant <value = double {255}> ()
  more = Add (sums, half)
  exact = Div (more, unit)
  down = Floor (exact)
  levels = Clip (down, black, white)
}
<domain: "pillow", opset_import: ["": 21, "pillow": 1]>
integers (before, after) => (matrix)
{
  unit = Constant <value = double {4194304}> ()
  half = Constant <value = double {0.5}> ()
  shares = pillow.weights (before, after)
  large = Mul (shares, unit)
  more = Add (large, half)
  matrix = Floor (more)
}
<domain: "pillow", opset_import: ["": 21]>
sides (image) => (height, width)
{
  rows = Shape <start = 1, end = 2> (image)
  columns = Shape <start = 2, end = 3> (image)
  height = Squeeze (rows)
  width = Squeeze (columns)
}
<domain: "pillow", opset_import: ["": 21, "pillow": 1]>
resize (image, height, width) => (resized)
{
  none = Constant <value = int64 {0}> ()
  rows_scalar, columns_scalar = pillow.sides (image)
  across = pillow.integers (columns_scalar, width)
  down = pillow.integers (rows_scalar, height)
  across_turned = Transpose <perm = [1, 0]> (across)
  planes = Transpose <perm = [0, 3, 1, 2]> (image)
  planes_double = Cast <to = 11> (planes)
  saved_rows = Sub (rows_scalar, height)
  saved_columns = Sub (columns_scalar, width)
  columns_twice = Add (saved_columns, saved_columns)
  at_least = Max (columns_twice, none)
  rows_first = Greater (saved_rows, at_least)
  both = If (rows_first) <
    then_branch = rows_before_columns () => (double[1, C, h, w] one) {
      one_sums = MatMul (down, planes_double)
      one_levels = pillow.rounded (one_sums)
      one_wide = MatMul (one_levels, across_turned)
      one = pillow.rounded (one_wide)
    },
    else_branch = columns_before_rows () => (double[1, C, h, w] other) {
      other_sums = MatMul (planes_double, across_turned)
      other_levels = pillow.rounded (other_sums)
      other_tall = MatMul (down, other_levels)
      other = pillow.rounded (other_tall)
    }
  >
  levels = Cast <to = 2> (both)
  resized = Transpose <perm = [0, 2, 3, 1]> (levels)
}
<domain: "pillow", opset_import: ["": 21, "pillow": 1]>
enlarge (small, height, width) => (large)
{
  rows_scalar, columns_scalar = pillow.sides (small)
  across = pillow.weights (columns_scalar, width)
  down = pillow.weights (rows_scalar, height)
  across_turned = Transpose <perm = [1, 0]> (across)
  small_double = Cast <to = 11> (small)
  wide = Einsum <equation = "bhw,wx->bhx"> (small_double, across_turned)
  wide_float = Cast <to = 1> (wide)
  wide_double = Cast <to = 11> (wide_float)
  tall = MatMul (down, wide_double)
  large = Cast <to = 1> (tall)
}
"""

# The Einsum above is a matrix product. As MatMul, behind Cast and a Transpose such as a classifier's map ends in,
# it makes onnxruntime (1.24.4, 1.25.1, 1.31.1) crash on x86-64 while it reads the file (microsoft/onnxruntime #28392).

# One tile after the other: {fields} are filled in by `shell`.
TILED = """
  size = Constant <value = int64 {{{size}}}> ()
  sizes = Constant <value_ints = [{size}, {size}]> ()
  overlap = Constant <value = int64 {{{overlap}}}> ()
  stride = Constant <value = int64 {{{stride}}}> ()
  strides = Constant <value_ints = [{stride}, {stride}]> ()
  sides = Constant <value_ints = [1, 2]> ()
  rows, tall, ys = tiles.grid (h, size, overlap, stride)
  columns, wide, xs = tiles.grid (w, size, overlap, stride)
  rows_seen = Gather <axis = 1> (shown, ys)
  canvas = Gather <axis = 2> (rows_seen, xs)
  trips = Mul (rows, columns)
  going = Constant <value = bool {{1}}> ()
  batch = Constant <value_ints = [1]> ()
  flat = Constant <value_ints = [0]> ()
  tall_one = Unsqueeze (tall, flat)
  wide_one = Unsqueeze (wide, flat)
  canvas_sides = Concat <axis = 0> (tall_one, wide_one)
  canvas_shape = Concat <axis = 0> (batch, canvas_sides)
  blank = ConstantOfShape <value = float[1] {{0}}> (canvas_shape)
  lowest = Constant <value = float[1] {{-3.4028235e38}}> ()
  worst, total = Loop (trips, going, lowest, blank) <body = tile
    (int64 place, bool before, float[1] worst_before, float[1, Y, X] total_before)
    => (bool on, float[1] worst_after, float[1, Y, X] total_after)
  {{
    on = Identity (before)
    row = Div (place, columns)
    column = Mod (place, columns)
    row_one = Unsqueeze (row, flat)
    column_one = Unsqueeze (column, flat)
    corner = Concat <axis = 0> (row_one, column_one)
    start = Mul (corner, strides)
    end = Add (start, sizes)
    piece = Slice (canvas, start, end, sides)
    core_score, core_map = Core (piece)
    down = tiles.blend (row, rows, ramp)
    across = tiles.blend (column, columns, ramp)
    down_column = Unsqueeze (down, batch)
    weights = Mul (down_column, across)
    weighted = Mul (core_map, weights)
    left = Sub (canvas_sides, end)
    pads = Concat <axis = 0> (start, left)
    around = Pad (weighted, pads, , sides)
    total_after = Add (total_before, around)
    worst_after = Max (worst_before, core_score)
  }}>
  origin = Constant <value_ints = [0, 0]> ()
  h_one = Unsqueeze (h, flat)
  w_one = Unsqueeze (w, flat)
  shown_sides = Concat <axis = 0> (h_one, w_one)
  small = Slice (total, origin, shown_sides, sides)
"""
# An image's score by its whole map, of {tall} x {wide} at most: no shape is negative, so that larger images are errors.
SCORED = """
  most = Constant <value_ints = [{tall}, {wide}]> ()
  rest = Sub (most, shown_sides)
  rest_tall, rest_wide = Split <num_outputs = 2> (rest)
  most_tall, most_wide = Split <num_outputs = 2> (most)
  below_shape = Concat <axis = 0> (batch, rest_tall, w_one)
  beside_shape = Concat <axis = 0> (batch, most_tall, rest_wide)
  below = ConstantOfShape <value = float[1] {{0}}> (below_shape)
  beside = ConstantOfShape <value = float[1] {{0}}> (beside_shape)
  taller = Concat <axis = 1> (small, below)
  filled_map = Concat <axis = 2> (taller, beside)
  counted = Cast <to = 6> (shown_sides)
  scored_score = Scored (filled_map, counted)
  score = Identity (scored_score)
"""
GRID = """
<domain: "tiles", opset_import: ["": 21]>
grid (side, size, overlap, stride) => (count, long, places)
{
  zero = Constant <value = int64 {0}> ()
  one = Constant <value = int64 {1}> ()
  two = Constant <value = int64 {2}> ()
  beyond = Sub (side, overlap)
  filled = Add (beyond, stride)
  last = Sub (filled, one)
  needed = Div (last, stride)
  count = Max (needed, one)
  steps = Sub (count, one)
  way = Mul (steps, stride)
  long = Add (way, size)
  line = Range (zero, long, one)
  period = Mul (side, two)
  turned = Mod (line, period)
  mirror = Sub (period, one)
  back = Sub (mirror, turned)
  places = Min (turned, back)
}
<domain: "tiles", opset_import: ["": 21]>
blend (place, count, ramp) => (weights)
{
  zero = Constant <value = int64 {0}> ()
  one = Constant <value = int64 {1}> ()
  two = Constant <value = int64 {2}> ()
  axis = Constant <value_ints = [0]> ()
  last = Sub (count, one)
  is_later = Greater (place, zero)
  is_earlier = Less (place, last)
  first = Gather <axis = 0> (ramp, zero)
  final = Gather <axis = 0> (ramp, one)
  none = Gather <axis = 0> (ramp, two)
  rising = Where (is_later, first, none)
  falling = Where (is_earlier, final, none)
  weights = Mul (rising, falling)
}
"""
