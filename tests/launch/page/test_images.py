"""Maps and masks as they travel in a page: without loss, one colour scale for all images."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from launch.page import images as report_images
from tests.launch.page.run_pages import fabricate_run


def decode(uri):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",", 1)[1]))))


@pytest.mark.parametrize("channels", [1, 3])
def test_maps_and_masks_travel_without_loss(tmp_path, channels):
    fabricate_run(tmp_path / "run", shown=2, channels=channels)
    images, scales, notes = report_images.read_images(tmp_path / "run" / "images", pixel_threshold=0.7)
    assert notes == []
    for number, image in enumerate(images):
        views = {name: decode(uri) for name, _, uri in image.views}
        arrays = np.load(tmp_path / "run" / "images" / f"{number:03d}.npz")
        np.testing.assert_array_equal(views["map"][..., 0], scales["map"].quantise(arrays["map"]))
        np.testing.assert_array_equal(views["truth"], arrays["truth"].astype(bool))
        np.testing.assert_array_equal(views["predicted"], arrays["mask"].astype(bool))
        assert views["input"].shape[:2] == arrays["image"].shape[:2]


def test_a_colour_means_the_same_value_in_every_image():
    dark, bright = np.full((4, 4), 0.25, np.float16), np.linspace(0, 1, 16, dtype=np.float16).reshape(4, 4)
    scale = report_images.shared_scale([report_images.extent(dark), report_images.extent(bright)])
    for values in (dark, bright):
        restored = scale.low + scale.quantise(values) / 255 * (scale.high - scale.low)
        inside = values <= scale.high
        np.testing.assert_allclose(restored[inside], values[inside], atol=(scale.high - scale.low) / 510 + 1e-6)


def test_the_pixel_threshold_stays_visible_on_the_colour_scale():
    for largest in (0.1, 1.0, 1e4):
        low, high = report_images.shared_scale([(0.0, largest)], threshold=0.5)
        assert 0.25 <= (0.5 - low) / (high - low) <= 1.0


def test_values_that_are_not_finite_do_not_spoil_the_scale():
    values = np.array([[0.0, 1.0], [np.nan, np.inf]], np.float16)
    scale = report_images.shared_scale([report_images.extent(values), report_images.extent(values * np.nan)])
    np.testing.assert_array_equal(scale.quantise(values), [[0, 255], [0, 255]])
    assert report_images.shared_scale([None]).quantise(np.zeros((2, 2))).max() == 0


def test_images_longer_than_webp_allows_are_still_written():
    strip = np.zeros((2, report_images.WEBP_LIMIT + 1), np.uint8)
    strip[:, ::2] = 200
    np.testing.assert_array_equal(decode(report_images.data_uri(strip, quality=None)), strip)
    assert decode(report_images.data_uri(strip, quality=90)).shape == strip.shape


@pytest.mark.parametrize("shape, size", [("wide", (256, 4096)), ("tall", (400, 255)), ("even", (512, 512))])
def test_views_are_laid_out_by_the_shape_of_the_image(shape, size):
    assert report_images.ShownImage("id", *size, []).shape == shape
