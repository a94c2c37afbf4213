"""The stream is pure in (seed, step), resumable, the same for any number of processes, and cut from real pixels."""

import itertools
import subprocess
import sys

import numpy as np
import pytest

from data_pipeline import patches
from data_pipeline.load import Split
from data_pipeline.prepared import Entry
from data_pipeline.record import Sample
from tests.drilled import drilled

SIZES = ((40, 50), (33, 64), (48, 48))


def split(*, channels=1):
    """Images whose every pixel is different from its neighbours', so that a patch lies in one place only."""
    samples = []
    for number, (height, width) in enumerate(SIZES):
        rng = np.random.default_rng(number)
        image = rng.integers(0, 256, (height, width, channels), dtype=np.uint8)
        samples.append(Sample(image, None, 0, "good", "", f"image {number}"))
    entries = [Entry(s.id, s.kind, "", 0, *s.image.shape[:2], True) for s in samples]
    return Split(entries, samples.__getitem__)


def batches(count=3, *, images=None, patch=8, batch=24, seed=0, patches_per_image=4, **options):
    images = images or split()
    made = patches(images, patch=patch, batch=batch, seed=seed, patches_per_image=patches_per_image, **options)
    return list(itertools.islice(made, count))


def same(left, right):
    return len(left) == len(right) and all(
        one.keys() == two.keys() and all(np.array_equal(one[key], two[key]) for key in one)
        for one, two in zip(left, right, strict=True)
    )


def test_batches_have_the_promised_shapes():
    (made,) = batches(1, images=split(channels=3))
    assert made.keys() == {"image"}
    assert made["image"].shape == (24, 8, 8, 3) and made["image"].dtype == np.uint8


def test_the_same_seed_gives_the_same_batches_and_another_gives_others():
    assert same(batches(seed=3), batches(seed=3))
    assert not same(batches(seed=3), batches(seed=4))


def test_steps_differ_from_one_another():
    first, second, third = batches(3)
    assert not same([first], [second])
    assert not same([second], [third])


def test_a_stream_resumes_at_any_step():
    assert same(batches(2, start_step=5), batches(7)[5:])
    assert same(batches(2, start_step=5, flips=True, zoom=0.2), batches(7, flips=True, zoom=0.2)[5:])
    assert same(batches(1, start_step=10**9), batches(1, start_step=10**9))


@pytest.mark.parametrize("patches_per_image", [1, 5, *drilled(4, 16, 100)])
@pytest.mark.parametrize("process_count", [2, 3])
def test_the_parts_of_all_processes_are_the_batch_of_one(process_count, patches_per_image):
    whole = batches(2, patches_per_image=patches_per_image)
    parts = [
        batches(2, process_index=i, process_count=process_count, patches_per_image=patches_per_image)
        for i in range(process_count)
    ]
    joined = [{key: np.concatenate([part[step][key] for part in parts]) for key in whole[0]} for step in range(2)]
    assert same(joined, whole)


@pytest.mark.parametrize("limit", [0, 2**30], ids=["as PNG", "as pixels"])
def test_every_patch_is_cut_from_an_image(monkeypatch, limit):
    monkeypatch.setattr(sys.modules["data_pipeline.patches"], "RAW_BYTES", limit)
    images = split()
    for patch in np.concatenate([made["image"] for made in batches(4, images=images)]):
        assert sum(patch.tobytes() in {w.tobytes() for w in windows(sample.image)} for sample in images) == 1


def windows(image, side=8):
    return np.lib.stride_tricks.sliding_window_view(image[..., 0], (side, side)).reshape(-1, side, side)


def test_flipped_patches_are_patches_of_the_mirrored_images_half_of_them_each_way():
    plain, turned = (np.concatenate([b["image"] for b in batches(20, flips=flips)])[..., 0] for flips in (False, True))
    ways = [plain, plain[:, ::-1], plain[:, :, ::-1], plain[:, ::-1, ::-1]]
    which = np.array([[np.array_equal(a, b) for a, b in zip(way, turned, strict=True)] for way in ways])
    assert (which.sum(0) == 1).all()
    assert np.abs(which.mean(1) - 0.25).max() < 0.08  # of 480


def test_zoomed_patches_show_the_same_place_larger_and_smaller():
    """An image that is a slope: its steepness says how large it is shown, its middle that it is the same place."""
    ramp = np.broadcast_to(np.arange(0, 192, 3, dtype=np.uint8)[None, :, None], (64, 64, 1))
    slope = Split([Entry("", "good", "", 0, 64, 64, True)], lambda i: Sample(ramp, None, 0, "good", "", ""))
    plain, zoomed = (
        np.concatenate([b["image"] for b in batches(10, images=slope, patch=32, zoom=z)])[..., 0].astype(float)
        for z in (0.0, 0.25)
    )
    assert np.abs(plain[:, 16, 15:17].mean(-1) - zoomed[:, 16, 15:17].mean(-1)).max() <= 1
    steepness = (zoomed[:, 16, 24] - zoomed[:, 16, 8]) / (plain[:, 16, 24] - plain[:, 16, 8])
    assert 0.74 < steepness.min() < 0.8 and 1.2 < steepness.max() < 1.26
    with pytest.raises(ValueError, match=r"train.zoom = 1.5; .*from 0 to less than 1"):
        batches(zoom=1.5)


def test_patches_reach_every_image_and_every_corner():
    tiny = Split(
        [Entry(str(i), "good", "", 0, 4, 5, True) for i in range(3)],
        lambda i: Sample(np.arange(20, dtype=np.uint8).reshape(4, 5, 1) + 20 * i, np.zeros((4, 5)), 0, "good", "", ""),
    )
    made = np.concatenate([b["image"] for b in batches(20, images=tiny, patch=3, batch=48, patches_per_image=4)])
    corners, counts = np.unique(made[:, 0, 0, 0], return_counts=True)
    assert corners.tolist() == [20 * i + 5 * y + x for i in range(3) for y in range(2) for x in range(3)]
    assert counts.min() > 0.5 * counts.mean()  # 18 places, about 53 each: uniform.


def test_an_image_smaller_than_the_patch_is_named_with_its_size_and_the_remedy():
    with pytest.raises(ValueError, match=r"image 1 is 33 x 64 .*smaller than the patch of 34 x 34; use a smaller"):
        batches(patch=34)
    batches(1, patch=33)


def test_a_batch_must_divide_over_the_processes():
    with pytest.raises(ValueError, match="batch 24 does not divide over 5 processes; use 20 or 25"):
        batches(process_count=5)
    with pytest.raises(ValueError, match="process_index=2 of process_count=2"):
        batches(process_index=2, process_count=2)


def test_an_empty_split_is_refused():
    with pytest.raises(ValueError, match="no images"):
        patches(Split([], None), patch=8, batch=8, seed=0)


EXITING = """
import numpy as np
from data_pipeline import patches
from data_pipeline.prepared import Entry
from data_pipeline.load import Split
from data_pipeline.record import Sample
image = Sample(np.zeros((64, 64, 1), np.uint8), None, 0, "good", "", "")
running = patches(Split([Entry("", "good", "", 0, 64, 64, True)], lambda i: image), patch=8, batch=64, seed=0)
print(next(running)["image"].shape)
"""


@pytest.mark.drill
def test_a_program_with_a_running_stream_exits_quietly():
    done = subprocess.run([sys.executable, "-c", EXITING], capture_output=True, text=True, timeout=120)
    assert (done.stdout, done.stderr, done.returncode) == ("(64, 8, 8, 1)\n", "", 0)
