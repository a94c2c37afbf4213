"""Every kind of image file becomes the right pixels, or one clear error."""

import numpy as np
import pytest
from PIL import Image

from data_pipeline import images

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (20, 30), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (20, 30, 3), dtype=np.uint8)


def save(folder, name, image, **how):
    path = folder / name
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(path, **how)
    return path


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif"])
def test_8_bit_images_come_back_as_they_were_written(tmp_path, suffix):
    assert np.array_equal(images.read_image(save(tmp_path, f"grey.{suffix}", GREY))[..., 0], GREY)
    assert np.array_equal(images.read_image(save(tmp_path, f"colour.{suffix}", COLOUR)), COLOUR)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bit_images_use_their_whole_range(tmp_path, suffix):
    wide = np.array([[0, 257, 65535, 128, 129, 32896]], np.uint16)
    assert images.read_image(save(tmp_path, f"wide.{suffix}", wide)).tolist() == [[[0], [1], [255], [0], [1], [128]]]


def test_palette_images_become_their_colours(tmp_path):
    palette = Image.fromarray(COLOUR).quantize(16)
    read = images.read_image(save(tmp_path, "palette.png", palette))
    assert np.array_equal(read, np.asarray(palette.convert("RGB")))


def test_1_bit_images_become_black_and_white(tmp_path):
    read = images.read_image(save(tmp_path, "bit.png", Image.fromarray(GREY > 127)))
    assert np.array_equal(read[..., 0], np.where(GREY > 127, 255, 0))


def test_cmyk_images_become_rgb(tmp_path):
    inks = np.zeros((4, 4, 4), np.uint8)
    inks[..., 0] = 255  # Full cyan is no red.
    read = images.read_image(save(tmp_path, "inks.tif", Image.fromarray(inks, "CMYK")))
    assert read.shape == (4, 4, 3)
    assert read[0, 0].tolist() == [0, 255, 255]


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_images_are_laid_on_black(tmp_path, mode):
    depth = len(mode)
    image = np.full((2, 3, depth), 200, np.uint8)
    image[..., -1] = [255, 128, 0]
    read = images.read_image(save(tmp_path, "clear.png", Image.fromarray(image, mode)))
    assert read.shape == (2, 3, 3 if mode == "RGBA" else 1)
    assert read[0, :, 0].tolist() == [200, 100, 0]


def test_a_transparent_palette_colour_is_laid_on_black(tmp_path):
    image = Image.fromarray(np.array([[0, 1]], np.uint8), "P")
    image.putpalette([250, 10, 20, 30, 40, 50])
    path = save(tmp_path, "palette.png", image, transparency=0)
    assert images.read_image(path).tolist() == [[[0, 0, 0], [30, 40, 50]]]


def test_grey_is_the_luma_of_colour_and_colour_repeats_grey(tmp_path):
    path = save(tmp_path, "colour.png", COLOUR)
    luma = COLOUR @ np.array([0.299, 0.587, 0.114])
    assert np.abs(images.read_image(path, channels=1)[..., 0] - luma).max() <= 1
    grey = images.read_image(save(tmp_path, "grey.png", GREY), channels=3)
    assert np.array_equal(grey, np.repeat(GREY[..., None], 3, -1))


def broken(folder, kind):
    path = folder / f"{kind}.png"
    whole = save(folder, "whole.png", RNG.integers(0, 256, (64, 64), dtype=np.uint8)).read_bytes()
    if kind == "truncated":
        path.write_bytes(whole[: len(whole) // 2])
    elif kind == "header only":
        path.write_bytes(whole[:20])
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "text":
        path.write_text("this is a list of images")
    return path


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("truncated", "damaged"),
        ("header only", "not an image|damaged"),
        ("empty", "0 bytes"),
        ("text", "not an image"),
    ],
)
@pytest.mark.parametrize("read", [images.read_image, images.read_mask])
def test_broken_files_are_refused_by_name(tmp_path, kind, says, read):
    with pytest.raises(ValueError, match=says) as caught:
        read(broken(tmp_path, kind))
    assert str(caught.value).startswith(str(tmp_path / f"{kind}.png"))
    assert ";" in str(caught.value)  # What is wrong; what to do.


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere.png"):
        images.read_image(tmp_path / "nowhere.png")


def test_an_unreadable_file_is_not_called_a_broken_one(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    path = save(tmp_path, "locked.png", GREY)
    monkeypatch.setattr(Image, "open", refuse)
    with pytest.raises(PermissionError, match=r"locked\.png: this user may not read"):
        images.read_image(path)


@pytest.mark.parametrize("edge", [40, 60])  # Over the limit, and over twice the limit, where Pillow itself refuses.
def test_giant_images_are_refused_before_they_are_decoded(tmp_path, monkeypatch, edge):
    path = save(tmp_path, "giant.png", np.zeros((edge, edge), np.uint8))
    content = bytearray(path.read_bytes())
    content[60:] = b""  # Nothing left to decode: only a check of the header can tell.
    path.write_bytes(content)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1500)
    with pytest.raises(ValueError, match=r"giant\.png: .*limit.*tiles"):
        images.read_image(path)


def test_floating_point_images_are_refused(tmp_path):
    path = save(tmp_path, "float.tif", RNG.random((4, 4)).astype(np.float32))
    with pytest.raises(ValueError, match="floating-point"):
        images.read_image(path)


@pytest.mark.parametrize(
    "written",
    [
        np.array([[0, 1], [1, 0]], np.uint8),
        np.array([[0, 255], [255, 0]], np.uint8),
        np.array([[False, True], [True, False]]),
        np.array([[0, 65535], [65535, 0]], np.uint16),
        np.array([[0, 1], [1, 0]], np.uint16),
        np.array([[0, 80], [80, 0]], np.uint8),
    ],
    ids=["0/1", "0/255", "1 bit", "16 bit", "16 bit 0/1", "0/80"],
)
def test_a_mask_of_two_values_is_taken_as_written(tmp_path, written):
    mask = images.read_mask(save(tmp_path, "mask.png", written))
    assert mask.dtype == np.uint8
    assert mask.tolist() == [[0, 1], [1, 0]]


def test_a_palette_mask_is_read_by_its_colours(tmp_path):
    image = Image.fromarray(np.array([[0, 1]], np.uint8), "P")
    image.putpalette([255, 255, 255, 0, 0, 0])  # Index 0 is the defect here.
    assert images.read_mask(save(tmp_path, "mask.png", image)).tolist() == [[1, 0]]
    image.putpalette([0, 0, 0, 60, 0, 0])  # Dark, but the only other colour.
    assert images.read_mask(save(tmp_path, "mask.png", image)).tolist() == [[0, 1]]


def test_a_smoothed_mask_is_thresholded_at_127(tmp_path):
    mask = images.read_mask(save(tmp_path, "mask.png", np.array([[0, 127, 128, 255]], np.uint8)))
    assert mask.tolist() == [[0, 0, 1, 1]]


def test_a_mask_of_numbered_classes_is_refused(tmp_path):
    with pytest.raises(ValueError, match="write the defect as 255"):
        images.read_mask(save(tmp_path, "mask.png", np.array([[0, 1, 2]], np.uint8)))


def test_empty_masks_stay_empty(tmp_path):
    assert not images.read_mask(save(tmp_path, "mask.png", np.zeros((3, 3), np.uint8))).any()


def test_shrinking_averages_images_and_keeps_masks_where_half_is_defective():
    image = np.kron(GREY, np.ones((4, 4), np.uint8))[..., None]
    assert np.abs(images.resize_image(image, height=20, width=30)[8, 8].astype(int) - GREY[8, 8]).max() < 80
    flat = np.full((40, 40, 3), 77, np.uint8)
    assert (images.resize_image(flat, height=7, width=11) == 77).all()
    mask = np.zeros((4, 8), np.uint8)
    mask[:2, :4] = 1  # Half of the first block of 4 x 4.
    mask[0, 4:] = 1  # A quarter of the second.
    assert images.resize_mask(mask, height=1, width=2).tolist() == [[1, 0]]


def test_sizes_follow_the_scale_or_the_given_size():
    assert images.target_size(101, 50, scale=0.5) == (50, 25)
    assert images.target_size(3, 3, scale=0.01) == (1, 1)
    assert images.target_size(101, 50, size=(7, 9)) == (7, 9)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_stored_images_are_lossless(channels):
    image = RNG.integers(0, 256, (9, 7, channels), dtype=np.uint8)
    assert np.array_equal(images.from_png(images.png(image)), image)


@pytest.mark.parametrize("how", [{"size": (100000, 100000)}, {"scale": 16.0}])
def test_sizes_beyond_the_limit_are_refused_with_the_figure(how):
    field = f"data.{next(iter(how))}"
    with pytest.raises(ValueError, match=rf"pixels, .* GB a channel, are larger than the limit .*; .* {field}"):
        images.target_size(8000, 8000, **how)
