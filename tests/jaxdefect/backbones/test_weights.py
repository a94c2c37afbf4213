"""Files of weights are read bit for bit; a file that is damaged, or of something else, is refused with a reason."""

import hashlib
import json
import sys
from functools import partial
from pathlib import Path

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


def elsewhere(kind, path):
    """An HDF5 file that is sound but for one thing; what of it is called so."""
    h5py = pytest.importorskip("h5py")
    other, secret = path.with_name("other.h5"), path.with_name("secret.txt")
    secret.write_bytes(b"TOP SECRET " * 100)
    with h5py.File(other, "w") as file:
        file["layer/kernel"] = draw(5, 5)
        file["layer/model_weights/kernel"] = draw(5, 5)
    with h5py.File(path, "w") as file:
        file["conv1/kernel"] = draw(3, 3, 3, 64)
        if kind == "external storage":
            file.create_dataset("conv1/bias", (64,), "f4", external=[(str(secret), 0, 256)])
        elif kind == "virtual dataset":
            layout = h5py.VirtualLayout((5, 5), "f4")
            layout[:] = h5py.VirtualSource(str(other), "layer/kernel", (5, 5))
            file.create_virtual_dataset("conv1/bias", layout)
        elif kind == "external link":
            file["conv1/bias"] = h5py.ExternalLink(str(other), "layer/kernel")
        elif kind == "external link to all":
            file["model_weights"] = h5py.ExternalLink(str(other), "layer/model_weights")
        elif kind == "soft link":
            file["conv1/bias"] = h5py.SoftLink("/conv1/kernel")
        elif kind == "soft circle":
            file["conv1/bias"], file["conv1/again"] = h5py.SoftLink("/conv1/again"), h5py.SoftLink("/conv1/bias")
        elif kind == "hard circle":
            file["conv1/bias"] = file["conv1"]
        elif kind == "claim":
            file.create_dataset("conv1/bias", (3 * 10**9,), "f4")
        elif kind == "claims":
            file.create_dataset("conv1/bias", (10**12,), "f4", chunks=(2**20,))
        elif kind == "bomb":
            file.create_dataset("conv1/bias", data=np.zeros(2 * 10**6, "f4"), compression="gzip")
    return path


REFUSED = {
    "external storage": "conv1/bias does not lie in one piece", "virtual dataset": "conv1/bias does not lie in one",
    "external link": "conv1/bias is a link", "external link to all": "model_weights is a link",
    "soft link": "conv1/bias is a link", "soft circle": "conv1/(again|bias) is a link",
    "claim": "12000006912 bytes of weights in a file of .*conv1/bias claims 12000000000",
    "claims": "conv1/bias does not lie in one piece and uncompressed",
    "bomb": "conv1/bias does not lie in one piece and uncompressed",
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_an_hdf5_file_that_reaches_further_than_its_own_bytes_is_refused(tmp_path, kind, monkeypatch):
    path = elsewhere(kind, tmp_path / "net.h5")
    h5py = sys.modules["h5py"]
    monkeypatch.setattr(h5py.Dataset, "__getitem__", lambda *_: pytest.fail("it was read"))
    with pytest.raises(ValueError, match=rf"net.h5: {REFUSED[kind]}.*; fetch the original file, or save"):
        weights.read(path)


def test_groups_in_a_circle_are_read_once(tmp_path):
    assert list(weights.read(elsewhere("hard circle", tmp_path / "net.h5"))) == ["conv1/kernel"]


def test_a_file_larger_than_any_backbone_is_not_read(tmp_path):
    path = tmp_path / "net.safetensors"
    with path.open("wb") as file:
        file.truncate(weights.LARGEST + 1)
    with pytest.raises(ValueError, match="net.safetensors: 2147483649 bytes are more than any backbone's weights"):
        weights.read(path)


def test_other_files_and_missing_ones_say_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file of weights at .*none.safetensors"):
        weights.load(tmp_path / "none.safetensors", "resnet18")
    path = tmp_path / "net.npz"
    path.write_bytes(b"PK")
    with pytest.raises(ValueError, match=r"net.npz: weights are read from .safetensors, .h5, .*convert"):
        weights.read(path)


@pytest.mark.parametrize("name", ["net.pth", "net.PT", "pytorch_model.bin"])
def test_a_pickle_is_refused_before_it_is_opened(tmp_path, name, monkeypatch):
    path = tmp_path / "a folder" / name
    path.parent.mkdir()
    path.write_bytes(b"PK")
    monkeypatch.setattr(Path, "read_bytes", lambda *_: pytest.fail("it was read"))
    with pytest.raises(ValueError, match="are pickles, which can run code, and are not read; give a .safetensors"):
        weights.read(path)


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
