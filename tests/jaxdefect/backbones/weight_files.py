"""Files of weights as torchvision and others write them, made up for the tests that read them."""

import json

import numpy as np

RNG = np.random.default_rng(0)
FIRES = dict(zip((3, 4, 6, 7, 9, 10, 11, 12), (16, 16, 32, 32, 48, 48, 64, 64), strict=True))
CODES = {"float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16", "int64": "I64", "uint8": "U8"}


def save(path, arrays, **metadata):
    """Writes .safetensors by its specification."""
    header, end = {"__metadata__": metadata} if metadata else {}, 0
    for name, array in arrays.items():
        header[name] = {
            "dtype": CODES[array.dtype.name],
            "shape": array.shape,
            "data_offsets": [end, end + array.nbytes],
        }
        end += array.nbytes
    text = json.dumps(header).encode()
    data = (array.tobytes() for array in arrays.values())
    path.write_bytes(b"".join([len(text).to_bytes(8, "little"), text, *data]))
    return path


def draw(*shape):
    return (RNG.normal(size=shape) * np.sqrt(2 / np.prod(shape[1:]))).astype(np.float32)


def normalisation(name, features):
    around = lambda centre: (centre + RNG.uniform(-0.3, 0.3, features)).astype(np.float32)
    made = {"weight": around(1), "bias": around(0), "running_mean": around(0), "running_var": around(1)}
    return {f"{name}.{key}": value for key, value in made.items()} | {f"{name}.num_batches_tracked": np.array(7)}


def resnet(blocks, bottleneck):
    """A random state dict of torchvision's ResNet."""
    made = {"conv1.weight": draw(64, 3, 7, 7)} | normalisation("bn1", 64)
    inputs = 64
    for stage, count in enumerate(blocks):
        inside = 64 * 2**stage
        out = 4 * inside if bottleneck else inside
        for number in range(count):
            block = f"layer{stage + 1}.{number}"
            sizes = [(inside, inputs, 1), (inside, inside, 3), (out, inside, 1)]
            sizes = sizes if bottleneck else [(inside, inputs, 3), (inside, inside, 3)]
            for layer, (o, i, k) in enumerate(sizes, 1):
                made |= {f"{block}.conv{layer}.weight": draw(o, i, k, k)} | normalisation(f"{block}.bn{layer}", o)
            if inputs != out or (stage and not number):
                made |= {f"{block}.downsample.0.weight": draw(out, inputs, 1, 1)}
                made |= normalisation(f"{block}.downsample.1", out)
            inputs = out
    return made | {"fc.weight": draw(10, inputs), "fc.bias": draw(10)}


def squeezenet():
    made, inputs = {"features.0.weight": draw(64, 3, 3, 3), "features.0.bias": draw(64)}, 64
    for index, s in FIRES.items():
        for part, (o, i, k) in {
            "squeeze": (s, inputs, 1),
            "expand1x1": (4 * s, s, 1),
            "expand3x3": (4 * s, s, 3),
        }.items():
            made |= {f"features.{index}.{part}.weight": draw(o, i, k, k), f"features.{index}.{part}.bias": draw(o)}
        inputs = 8 * s
    return made | {"classifier.1.weight": draw(10, 512, 1, 1), "classifier.1.bias": draw(10)}
