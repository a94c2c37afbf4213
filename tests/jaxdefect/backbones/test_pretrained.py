"""Which file of weights is taken, and what is said where there is none."""

import pytest

from jaxdefect.backbones import pretrained


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("JAXDEFECT_WEIGHTS", str(tmp_path))
    for name in ("resnet18.a1_in1k.safetensors", "resnet101.safetensors", "vgg16_bn.safetensors", "vgg16.txt"):
        (tmp_path / name).touch()
    keras = tmp_path / "deeper" / "squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5"
    keras.parent.mkdir()
    keras.touch()
    return tmp_path


@pytest.mark.parametrize("backbone, name", [
    ("resnet18", "resnet18.a1_in1k.safetensors"), ("resnet101", "resnet101.safetensors"),
    ("squeezenet", "deeper/squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5"),
])  # fmt: skip
def test_a_file_named_as_the_backbone_is_found(folder, backbone, name):
    assert pretrained.choose("padim", {"backbone": backbone}, "") == str(folder / name)


@pytest.mark.parametrize("backbone", ["vgg16", "resnet50"])
def test_without_a_file_nothing_random_is_taken_for_it(folder, backbone):
    with pytest.raises(ValueError, match=f"padim looks through {backbone} .*--weights FILE.*--weights random"):
        pretrained.choose("padim", {"backbone": backbone}, "")


def test_of_several_files_none_is_guessed(folder):
    (folder / "resnet18.safetensors").touch()
    with pytest.raises(
        ValueError, match="several files for resnet18: .*resnet18.a1_in1k.safetensors.*give one by --weights"
    ):
        pretrained.choose("padim", {"backbone": "resnet18"}, "")


def test_a_pickle_is_taken_for_no_weights_and_told_of_where_it_lies_alone(folder):
    (folder / "resnet18-f37072fd.pth").touch()
    (folder / "resnet50-0676ba61.pth").touch()
    assert pretrained.choose("padim", {"backbone": "resnet18"}, "") == str(folder / "resnet18.a1_in1k.safetensors")
    with pytest.raises(ValueError, match="resnet50-0676ba61.pth: .pth files are pickles.*docs/weights.md"):
        pretrained.choose("padim", {"backbone": "resnet50"}, "")


def test_what_is_given_is_taken(folder, monkeypatch):
    assert pretrained.choose("padim", {"backbone": "resnet18"}, "other.safetensors") == "other.safetensors"
    assert pretrained.choose("padim", {"backbone": "resnet18"}, "random") == "random"
    monkeypatch.delenv("JAXDEFECT_WEIGHTS")
    assert pretrained.choose("padim", {"backbone": "small"}, "") == ""
    with pytest.raises(ValueError, match="no file of its weights is given"):
        pretrained.choose("padim", {"backbone": "resnet18"}, "")
