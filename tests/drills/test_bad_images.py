"""Thousands of damaged images: none is decoded into anything but pixels or one error that names it, none takes long."""

import time

import numpy as np
import pytest

from data_pipeline import images
from tests.data_pipeline import fuzzing
from tests.data_pipeline.test_images_hostile import told

pytestmark = [pytest.mark.drill, pytest.mark.filterwarnings("ignore")]
SECONDS, LONGEST = 8, 20  # of the drill; of the processor for one file, of up to 89 million pixels


def test_damaged_images_are_read_or_refused_by_one_error(tmp_path):
    rng, path = np.random.default_rng(), tmp_path / "x.png"
    whole = fuzzing.whole() | fuzzing.whole(fuzzing.FOREIGN) | {"PostScript": fuzzing.POSTSCRIPT}
    tried, refused, end = 0, 0, time.monotonic() + SECONDS
    while time.monotonic() < end:
        for name, content in whole.items():
            state = rng.bit_generator.state
            path.write_bytes(fuzzing.damaged(content, rng))
            begun = time.process_time()
            try:
                for way in (images.read_image, images.read_mask, images.upright_size, images.about):
                    refused += bool(told(path, way))
                    tried += 1
            except BaseException as error:
                raise AssertionError(f"{name}, damaged by {state}") from error
            assert time.process_time() - begun < LONGEST, f"{name}, damaged by {state}"
    print(f"{tried} tried, {refused} refused")
    assert tried > 200 and refused > tried / 20
