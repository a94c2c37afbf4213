"""Weights of backbones from a user's file: of torchvision or timm (.safetensors) or of Keras (.h5, .hdf5).

Nothing in a file is ever executed: PyTorch's .pth and .pt are pickles, and are refused. A file reaches no other file,
and holds no more than its own bytes: what is linked, stored elsewhere or compressed is refused before it is read, so
that a small file can't fill the memory.
"""

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from jaxdefect import backbones
from jaxdefect.backbones import Backbone, Variables

KERAS = (".h5", ".hdf5")
KERAS_NETS = ("squeezenet", "vgg16", "vgg19")  # Keras' ResNets are built differently: biases, other strides
DTYPES = {
    "F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": jnp.bfloat16, "I64": np.int64, "I32": np.int32,
    "I16": np.int16, "I8": np.int8, "U64": np.uint64, "U32": np.uint32, "U16": np.uint16, "U8": np.uint8,
    "BOOL": np.bool_,
}  # fmt: skip
LEAVES = {"kernel": "weight", "scale": "weight", "bias": "bias", "mean": "running_mean", "var": "running_var"}
HEADS = ("fc.", "head.", "classifier.", "pre_logits.", "fc1/", "fc2/", "predictions/", "conv10/")
CAFFE_MEAN = (123.68, 116.779, 103.939)  # of red, green and blue, 0 to 255
PICKLES = (".pth", ".pt", ".bin", ".ckpt", ".pkl")
SHOWN = 8  # names of each kind in an error
LARGEST = 2**31  # bytes of a file, twice those of the largest backbone here


class _Refused(Exception):
    """What a sound file may do, and one of weights has no reason to."""


def digest(path: str | Path) -> str:
    """SHA-256 of a file, in hex: says which weights a result was made with."""
    with _existing(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_kind(path: Path) -> None:
    """Raises ValueError for a file of a kind that is not read."""
    kind = path.suffix.lower()
    if kind in PICKLES:
        raise ValueError(f"{path}: {kind} files are pickles, which can run code, and are not read; give a .safetensors "
                         "of the same network by --weights FILE (docs/weights.md tells where to get one)")  # fmt: skip
    if kind not in READERS:
        raise ValueError(f"{path}: weights are read from {', '.join(READERS)} files; convert it to .safetensors")


def read(path: str | Path) -> dict[str, np.ndarray]:
    """The arrays of a file by the names they have in it; of Keras the paths of the datasets.

    Raises FileNotFoundError where there is no such file, ValueError where it cannot be read.
    """
    path = _existing(path)
    check_kind(path)
    try:
        if (size := path.stat().st_size) > LARGEST:
            raise _Refused(f"{size} bytes are more than any backbone's weights take ({LARGEST})")
        return READERS[path.suffix.lower()](path)
    except _Refused as refused:
        raise ValueError(f"{path}: {refused}; fetch the original file, or save the weights again as .safetensors, "
                         "whole and uncompressed") from None  # fmt: skip
    except ImportError as error:
        raise ValueError(f"{path}: reading {path.suffix} files takes the package {error.name!r}: install it, or "
                         "convert the file to .safetensors where it is installed") from error  # fmt: skip
    except Exception as error:  # HDF5 raises many errors for a damaged file.
        raise ValueError(f"{path} is no sound {path.suffix} file of weights ({error}); compare its size and checksum "
                         "with the original's, and fetch it again") from error  # fmt: skip


def load(path: str | Path, name: str) -> Variables:
    """The variables of the backbone `name` from a file of its weights; a classifier in the file is left out.

    Kernels become [k, k, in, out] float32. Torch files expect images normalised as ImageNet's. Keras' nets were
    trained on blue, green, red in [0, 255] less a mean; here their first kernel is turned round, and `input` given in
    [0, 1]. Raises FileNotFoundError, or ValueError where names, shapes or values are not what this backbone needs.
    """
    backbone, path = backbones.load(name), Path(path)
    keras = path.suffix.lower() in KERAS
    arrays = {key: value for key, value in read(path).items() if not _ignored(key)}
    if keras and name not in KERAS_NETS:
        raise ValueError(f"{path}: {path.suffix} files hold the weights of {', '.join(KERAS_NETS)}, not of {name}; "
                         "take a .safetensors file of torchvision or timm")  # fmt: skip
    wanted, named = _wanted(backbone, keras), _named(arrays, backbone, keras)
    if problems := _problems(wanted, named):
        raise ValueError(f"{path} does not hold the weights of {name}: {'; '.join(problems)}. {_remedy(arrays, keras)}")
    if broken := [key for key in wanted if not np.isfinite(named[key].astype(np.float32)).all()]:
        raise ValueError(f"{path}: {_some(broken)} hold NaN or infinities; fetch the file again")
    filled = {}
    for key, (place, _) in wanted.items():
        value = named[key].astype(np.float32)
        value = value.transpose(2, 3, 1, 0) if value.ndim == 4 and not keras else value
        first = value.ndim == 4 and value.shape[2] == 3  # Only the first kernel looks at three channels.
        filled[place] = np.ascontiguousarray(value[:, :, ::-1] if keras and first else value)
    normal = backbones.IMAGENET
    if keras:
        normal = {"mean": np.divide(CAFFE_MEAN, 255), "std": np.full(3, 1 / 255)}
    whole = unflatten_dict(filled)
    return {
        "params": whole["params"],
        "batch_stats": whole.get("batch_stats", {}),
        "input": {key: np.array(value, np.float32) for key, value in normal.items()},
    }


def _existing(path: str | Path) -> Path:
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file of weights at {path}; correct the path")
    return path


def _safetensors(path: Path) -> dict[str, np.ndarray]:
    """8 bytes of header length, a JSON header {name: dtype, shape, data_offsets}, the data; all little-endian."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > len(data) - 8:
        raise ValueError(f"a header of {length} bytes in a file of {len(data)}")
    header, body, arrays = json.loads(data[8 : 8 + length]), memoryview(data)[8 + length :], {}
    header.pop("__metadata__", None)
    for name, about in header.items():
        if about["dtype"] not in DTYPES:
            raise ValueError(f"{name} has the unknown type {about['dtype']}")
        dtype, shape, (start, end) = np.dtype(DTYPES[about["dtype"]]), about["shape"], about["data_offsets"]
        if not 0 <= start <= end <= len(body):
            raise ValueError(f"{name} ends at byte {end} of {len(body)}")
        if end - start != math.prod(shape) * dtype.itemsize:
            raise ValueError(f"{name} has {end - start} bytes for a shape of {shape}")
        arrays[name] = np.frombuffer(body[start:end], dtype.newbyteorder("<")).reshape(shape)
    return arrays


def _hdf5(path: Path) -> dict[str, np.ndarray]:
    import h5py  # Slow to import, and needed for such files only.

    datasets = {}

    def elsewhere(name, link):
        return None if isinstance(link, h5py.HardLink) else name

    def keep(name, item):
        if isinstance(item, h5py.Dataset) and item.dtype.kind in "fiu":
            datasets[name] = item

    with h5py.File(path) as file:
        if name := file.visititems_links(elsewhere):
            raise _Refused(f"{name} is a link to another place or file")
        file.get("model_weights", file).visititems(keep)
        for name, item in datasets.items():
            stored = item.id.get_create_plist()
            if stored.get_external_count() or stored.get_layout() not in (h5py.h5d.CONTIGUOUS, h5py.h5d.COMPACT):
                raise _Refused(f"{name} does not lie in one piece and uncompressed in this file, as Keras saves it")
        _check_bytes(path, {name: item.nbytes for name, item in datasets.items()})
        return {name: np.asarray(item[()]) for name, item in datasets.items()}


def _check_bytes(path: Path, sizes: dict[str, int]) -> None:
    """Refuses a file that holds more bytes, by name, than it has itself."""
    if sum(sizes.values()) > path.stat().st_size:
        largest = max(sizes, key=sizes.get)
        raise _Refused(f"{sum(sizes.values())} bytes of weights in a file of {path.stat().st_size} ({largest} claims "
                       f"{sizes[largest]})")  # fmt: skip


READERS = {".safetensors": _safetensors, **dict.fromkeys(KERAS, _hdf5)}


def _ignored(name: str) -> bool:
    return name.startswith(HEADS) or name.endswith("num_batches_tracked")


def _wanted(backbone: Backbone, keras: bool) -> dict[str, tuple[tuple[str, ...], tuple[int, ...]]]:
    """{name in a file: (path in the variables, shape in the file)}. Keras' names are those of `_named`."""
    shapes = jax.eval_shape(lambda key: backbones.init(backbone, key), jax.random.key(0))
    wanted = {}
    for path, leaf in flatten_dict({kind: shapes[kind] for kind in ("params", "batch_stats")}).items():
        layer, shape = "/".join(path[1:-1]), leaf.shape
        name = f"{layer}/{path[-1]}" if keras else f"{backbone.torch_name(layer)}.{LEAVES[path[-1]]}"
        shape = tuple(shape[axis] for axis in (3, 2, 0, 1)) if len(shape) == 4 and not keras else shape
        wanted[name] = path, shape
    return wanted


def _named(arrays: dict[str, np.ndarray], backbone: Backbone, keras: bool) -> dict[str, np.ndarray]:
    """The arrays by the names of `_wanted`. What Keras calls a layer is sure, what it calls its kernel and bias not."""
    if not keras:
        return arrays
    layers = {name.rpartition("/")[0] for name in _wanted(backbone, keras)}
    named = {}
    for name, value in arrays.items():
        parts = name.split("/")
        layer = next((x for x in ("/".join(parts[:n]) for n in range(1, len(parts))) if x in layers), None)
        usual = f"{layer}/{'kernel' if value.ndim > 1 else 'bias'}"
        named[usual if layer and usual not in named else name] = value
    return named


def _problems(wanted: dict[str, Any], named: dict[str, np.ndarray]) -> list[str]:
    missing = [name for name in wanted if name not in named]
    extra = [name for name in named if name not in wanted]
    shape = lambda sides: " x ".join(map(str, sides)) or "scalar"
    differ = [
        f"{name} is {shape(named[name].shape)} in place of {shape(wanted[name][1])}"
        for name in wanted
        if name in named and named[name].shape != wanted[name][1]
    ]
    kinds = (("missing", missing), ("left over", extra), ("of another shape", differ))
    return [f"{len(which)} {kind} ({_some(which)})" for kind, which in kinds if which]


def _some(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def _remedy(arrays: dict[str, np.ndarray], keras: bool) -> str:
    """What a file is that does not fit the backbone asked for."""
    for name in KERAS_NETS if keras else backbones.names():
        backbone = backbones.load(name)
        if not _problems(_wanted(backbone, keras), _named(arrays, backbone, keras)):
            return f"It fits the backbone {name!r}: name that one"
    source = "of Keras (notop)" if keras else "of torchvision or timm"
    return f"It fits no other backbone either ({', '.join(backbones.names())}): take a file {source}"
