"""Files of weights are read bit for bit; a file that is damaged, or of something else, is refused with a reason."""

import hashlib
import json
import sys
from functools import partial
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdefect import backbones
from jaxdefect.backbones import weights
from tests.jaxdefect.backbones.weight_files import RNG, draw, resnet, save, squeezenet


def test_all_number_types_arrive_bit_for_bit(tmp_path):
    arrays = {
        "half": draw(3, 4).astype(np.float16),
        "brain": draw(5, 2).astype(jnp.bfloat16),
        "double": RNG.normal(size=(2, 3)),
        "count": np.array(2**40),
        "bytes": np.arange(3, dtype=np.uint8),  # leaves what follows at an odd place
        "none": np.zeros((0, 4), np.float32),
        "single": draw(7),
    }
    found = weights.read(save(tmp_path / "all.safetensors", arrays, format="pt"))
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype and found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes()


def damaged(change):
    """A .safetensors file of one array of 12 bytes, its header changed."""
    header = {"a": {"dtype": "F32", "shape": [3], "data_offsets": [0, 12]}}
    header["a"].update(change)
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + bytes(12)


DAMAGE = {
    "empty": b"",
    "seven bytes": bytes(7),
    "no header": (1000).to_bytes(8, "little") + b"{}",
    "header of 2^63": b"\xff" * 8 + b"{}",
    "no JSON": (4).to_bytes(8, "little") + b"\x80\x02}q",
    "a list": (2).to_bytes(8, "little") + b"[]",
    "cut": damaged({})[:-1],
    "unknown type": damaged({"dtype": "F4"}),
    "before the data": damaged({"data_offsets": [-4, 8]}),
    "backwards": damaged({"data_offsets": [12, 0]}),
    "beyond the end": damaged({"data_offsets": [4, 16]}),
    "too few": damaged({"shape": [4]}),
    "negative sides": damaged({"shape": [-1, -3]}),
    "no offsets": damaged({"data_offsets": None}),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_safetensors_file_is_refused(tmp_path, damage):
    path = tmp_path / "broken.safetensors"
    path.write_bytes(DAMAGE[damage])
    with pytest.raises(ValueError, match="broken.safetensors is no sound .safetensors file .*fetch it again"):
        weights.read(path)


def test_a_damaged_hdf5_file_is_refused(tmp_path):
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "broken.h5"
    with h5py.File(path, "w") as file:
        file["conv1/kernel"] = draw(3, 3, 3, 64)
    data = path.read_bytes()
    for sick in (data[: len(data) // 2], data[:-1], b"", b"\x80\x02}q\x00."):
        path.write_bytes(sick)
        with pytest.raises(ValueError, match="broken.h5 is no sound .h5 file"):
            weights.read(path)


def test_other_files_and_missing_ones_say_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file of weights at .*none.safetensors"):
        weights.load(tmp_path / "none.safetensors", "resnet18")
    path = tmp_path / "net.npz"
    path.write_bytes(b"PK")
    with pytest.raises(ValueError, match=r"net.npz: weights are read from .safetensors, .h5, .*convert"):
        weights.read(path)


def test_pytorch_reads_its_files_without_running_what_is_in_them(tmp_path, monkeypatch):
    path = tmp_path / "net.pth"
    path.write_bytes(b"PK")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(
        ValueError, match="net.pth: reading .pth files takes the package 'torch': install it, or convert"
    ):
        weights.read(path)
    array = draw(2, 3)
    tensor = SimpleNamespace(detach=lambda: SimpleNamespace(float=lambda: SimpleNamespace(numpy=lambda: array)))
    calls = []

    def load(file, **how):
        calls.append((file, how))
        return {"state_dict": {"fc.weight": tensor}, "epoch": 3}

    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(load=load, __version__="2.5.1+cpu"))
    with pytest.raises(ValueError, match="takes the package 'torch>=2.6': install it, or convert"):
        weights.read(path)
    assert not calls
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(load=load, __version__="2.10.0a0+git"))
    assert weights.read(path)["fc.weight"] is array
    assert calls == [(path, {"map_location": "cpu", "weights_only": True})]


def test_what_does_not_fit_is_listed(tmp_path):
    state = squeezenet()
    state["features.3.squeeze.weight"] = draw(17, 64, 1, 1)
    del state["features.0.bias"]
    state |= {f"neck.{number}.weight": draw(1) for number in range(12)}
    with pytest.raises(ValueError) as caught:
        weights.load(save(tmp_path / "net.safetensors", state), "squeezenet")
    message = str(caught.value)
    assert (
        "net.safetensors does not hold the weights of squeezenet: 1 missing (features.0.bias); 12 left over ("
        in message
    )
    assert "neck.7.weight and 4 more)" in message and "neck.8" not in message
    assert "1 of another shape (features.3.squeeze.weight is 17 x 64 x 1 x 1 in place of 16 x 64 x 1 x 1)" in message
    assert "fits no other backbone either" in message


def test_a_file_of_another_backbone_is_recognised(tmp_path):
    path = save(tmp_path / "net.safetensors", squeezenet())
    with pytest.raises(ValueError, match=r"weights of resnet50: 265 missing \(.*It fits the backbone 'squeezenet'"):
        weights.load(path, "resnet50")


def test_values_that_are_no_numbers_are_refused(tmp_path):
    state = squeezenet()
    state["features.0.bias"][5] = np.nan
    with pytest.raises(ValueError, match="features.0.bias hold NaN"):
        weights.load(save(tmp_path / "net.safetensors", state), "squeezenet")


@pytest.mark.parametrize("name, made", [("resnet18", lambda: resnet((2, 2, 2, 2), False)), ("squeezenet", squeezenet)])
def test_a_state_is_the_same_tree_with_weights_of_a_file_and_with_random_ones(tmp_path, name, made):
    loaded = weights.load(save(tmp_path / "net.safetensors", made()), name)
    drawn = jax.eval_shape(partial(backbones.init, backbones.load(name)), jax.random.key(0))
    jax.tree.map(lambda ours, theirs: np.testing.assert_equal((ours.shape, ours.dtype), (theirs.shape, theirs.dtype)),
                 loaded, drawn)  # fmt: skip


def test_the_digest_is_that_of_the_bytes(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"weights")
    assert weights.digest(path) == hashlib.sha256(b"weights").hexdigest()
