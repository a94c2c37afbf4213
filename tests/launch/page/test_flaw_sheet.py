"""Every sample of every kind is on the sheet, where it belongs and as it is."""

import numpy as np
import pytest

from jaxdefect.detector import Batch
from launch.page import flaw_sheet
from launch.run.detection import OUTLINE
from tests.tiny import config as tiny_config


def batch(size, channels, *, seed=0, count=3):
    rng = np.random.default_rng(seed)
    image = rng.uniform(0, 1, (count, *size, channels)).astype(np.float32)
    mask = np.zeros((count, *size), np.float32)
    mask[:, 4:9, 5:11] = 1
    return Batch(image, mask=mask, severity=mask * 0.6)


def places(sheet, size, count, row):
    """The patches of a row of the sheet, at their own size."""
    zoom = -(-flaw_sheet.SHOWN // min(size))
    height, width = (side * zoom for side in size)
    pair, above = divmod(row, 2)
    top = flaw_sheet.MARGIN + pair * (2 * height + 4 * flaw_sheet.MARGIN) + above * (height + flaw_sheet.MARGIN)
    for column in range(count):
        left = flaw_sheet.NAMES + column * (width + flaw_sheet.MARGIN)
        patch = sheet[top : top + height, left : left + width]
        assert (patch.reshape(size[0], zoom, size[1], zoom, 3) == patch[::zoom, ::zoom][:, None, :, None]).all()
        yield patch[::zoom, ::zoom]


@pytest.mark.parametrize("size, channels", [((24, 40), 1), ((150, 130), 3)])
def test_every_patch_is_drawn_pixel_by_pixel(size, channels):
    made = {"stain": batch(size, channels), "a longer name": batch(size, channels, seed=1)}
    sheet = flaw_sheet.draw(made)
    assert sheet.dtype == np.uint8 and (sheet[:, -1] == flaw_sheet.PAPER).all()
    for pair, part in enumerate(made.values()):
        for patch, image in zip(places(sheet, size, 3, 2 * pair), part.image, strict=True):
            np.testing.assert_array_equal(patch, np.broadcast_to(np.round(image * 255), (*size, 3)))
        for patch, severity in zip(places(sheet, size, 3, 2 * pair + 1), part.severity, strict=True):
            assert (patch[4:9, 5:11] == round(0.6 * 255)).all()
            edge = (patch == OUTLINE).all(-1)
            assert edge[3, 5] and edge[2, 5] and not edge[1, 5] and not edge[4:9, 5:11].any()
            assert not patch[~edge & (severity == 0)].any()


def test_each_kind_has_its_name_beside_it():
    sheet = flaw_sheet.draw({"stain": batch((32, 32), 1), "": batch((32, 32), 1)})
    names = sheet[:, : flaw_sheet.NAMES - flaw_sheet.MARGIN] < 128
    half = len(sheet) // 2
    assert names[:half].any() and not names[half:].any()


def test_the_longest_name_of_a_kind_fits():
    sheet = flaw_sheet.draw({max(flaw_sheet.KINDS, key=len): batch((32, 32), 1)})
    assert not (sheet[:, : flaw_sheet.MARGIN] < 255).any()


def test_samples_are_patches_of_training_images_with_each_kind():
    config = tiny_config("renet_d")
    config.data.options.size, config.train.patch = 64, 32
    made = flaw_sheet.samples(config, ("spot", "stain"))
    assert list(made) == ["spot", "stain"]
    np.testing.assert_array_equal(made["spot"].target, made["stain"].target)
    for part in made.values():
        assert part.image.shape == (flaw_sheet.SAMPLES, 32, 32, 1) and part.label.mean() > 0.4
