"""How images are converted, and what a dataset tells a detector."""

import numpy as np
import pytest
from PIL import Image

from launch.command import configuration
from launch.run.data import colours_of, conversion, convert, facts_of, grey_warning, open_data, settle
from tests.tiny import config as tiny_config


def small(**fields):
    config = tiny_config("renet_d")
    config.data.options.update(surfaces=(3,), size=64, train=4, test_good=2, test_defective=2, train_defective=4)
    configuration.assign(config, {field.replace("__", "."): value for field, value in fields.items()})
    return config


def test_a_size_and_a_scale_at_once_are_refused():
    config = tiny_config("maa")
    config.data.scale = 0.5
    with pytest.raises(ValueError, match="data.size = 32 with data.scale = 0.5"):
        conversion(config)


def test_a_width_without_a_size_is_refused():
    with pytest.raises(ValueError, match="data.width = 40 without data.size"):
        conversion(small(data__width=40))


def test_test_images_come_as_the_detector_sees_them_and_at_original_resolution():
    data = open_data(small(data__size=32, data__width=40, data__channels=3))
    assert data.converted.test[0].image.shape == (32, 40, 3) and data.original.test[0].image.shape == (64, 64, 3)
    assert [r.id for r in data.converted.test.records] == [r.id for r in data.original.test.records]
    same = open_data(small())
    assert same.original is same.converted


def test_an_image_from_elsewhere_is_converted_as_the_dataset_is():
    config = small(data__scale=0.5)
    data = open_data(config)
    np.testing.assert_array_equal(convert(config, data.original.test[0].image), data.converted.test[0].image)


def test_kinds_of_defect_are_found_where_they_are_to_be_told_apart():
    assert facts_of(small(), open_data(small())) == {"kinds": ()}
    config = small(train__supervision="kinds")
    data = open_data(config)
    kinds = {record.kind for record in data.converted.defective.records}
    assert facts_of(config, data) == {"kinds": tuple(sorted(kinds))} and kinds


def test_unseen_surfaces_need_surfaces_told_apart():
    with pytest.raises(ValueError, match=r"data.unseen = \('Class3',\) needs data.surfaces_as_classes=True"):
        open_data(small(data__unseen=("Class3",)))


def folder(root, *, coloured: set[str], stored="RGB"):
    """A set in MVTec layout, of which some images are in colour, and its config."""
    for place in ("train/good/a", "train/good/b", "train/good/c", "test/good/d", "test/spot/e"):
        pixels = np.random.default_rng(0).integers(100, 140, (40, 40, 1), np.uint8) + np.zeros((1, 1, 3), np.uint8)
        pixels[:8, :8, 0] += 80 * (place[-1] in coloured)
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).convert(stored).save((root / place).with_suffix(".png"))
    config = configuration.get("renet_d", "tuned")
    config.data.update(name="mvtec", root=str(root))
    return config


@pytest.mark.parametrize(
    "coloured, stored, channels, told",
    [
        ("abcde", "RGB", 3, "3 of 3 looked at are in colour"), ("b", "RGB", 3, "1 of 3 looked at are in colour"),
        ("", "RGB", 1, "3 RGB files looked at hold none"), ("abcde", "L", 1, "its files are grey"),
        ("de", "RGB", 1, "3 RGB files looked at hold none"),  # The test decides nothing.
    ],
)  # fmt: skip
def test_channels_follow_the_normal_training_images(tmp_path, coloured, stored, channels, told):
    config = folder(tmp_path, coloured={*coloured}, stored=stored)
    assert config.data.channels == "auto" and colours_of(config) == (channels, told)
    assert settle(config).data.channels == channels
    assert open_data(config).converted.train[0].image.shape[-1] == channels


def test_a_set_without_files_is_grey_and_a_number_stays():
    config = configuration.get("renet_d")
    config.data.options = small().data.options
    assert settle(config).data.channels == 1
    configuration.assign(config, {"data.channels": 3})
    assert settle(config).data.channels == 3


@pytest.mark.parametrize(
    "coloured, channels, warned", [("abcde", 1, True), ("abcde", 3, False), ("", 1, False), ("e", 1, True)]
)
def test_colours_are_not_made_grey_in_silence(tmp_path, coloured, channels, warned):
    config = folder(tmp_path, coloured={*coloured})
    configuration.assign(config, {"data.channels": channels})
    assert (grey_warning(config) or "").endswith("data.channels=3 keeps their colours" * warned)
    assert bool(grey_warning(config)) == warned
    assert grey_warning(small()) is None


@pytest.mark.parametrize("name", ["name", "root"])
def test_an_option_that_is_a_field_of_the_data_is_refused(name):
    with pytest.raises(ValueError, match=f"data.options.{name}=x is no option of a dataset; give data.{name}=x"):
        open_data(small(**{f"data__options__{name}": "x"}))
