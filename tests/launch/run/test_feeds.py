"""What a config feeds its training with: pairs, held-out images, streams."""

import jax
import numpy as np
import pytest

from jaxdefect.training import feed
from jaxdefect.training.loop import jit_once
from launch.run import feeds
from launch.run.data import open_data
from tests.tiny import config as tiny_config


def test_a_config_names_its_held_out_images_and_how_they_are_shown(tmp_path):
    config = tiny_config("renet_d")
    config.data.options.update(surfaces=(4,), size=64, train=10, test_good=2, test_defective=2)
    data = open_data(config)
    assert feeds.held_out(config, data) is None
    config.train.validate = True
    assert isinstance(feeds.held_out(config, data), feed.Feed)
    assert not feeds.streams(config, data)
    config.train.flips = True
    assert feeds.streams(config, data)
    config.train.feed = "in_memory"
    with pytest.raises(ValueError, match="train.feed = 'in_memory' with train.flips = True"):
        feeds.make_feed(config, data)
    config.train.update(feed="auto", zoom=0.1, supervision="masks")
    with pytest.raises(ValueError, match="train.zoom = 0.1 with train.supervision = 'masks'"):
        feeds.make_feed(config, data)
    with pytest.raises(ValueError, match="train.validate = True needs good images alone"):
        feeds.held_out(config, data)


def test_a_streamed_pair_comes_from_the_two_halves(tmp_path):
    config = tiny_config("maa")
    config.data.options.update(surfaces=(3,), size=64, train=6, test_good=2, test_defective=3)
    config.train.feed = "stream"
    data = open_data(config)
    source = feeds.make_feed(config, data)
    batch = source.make_batch({name: part[0] for name, part in source.inputs(3).items()}, None)
    whole = [sample.image / np.float32(255) for sample in data.converted.train]
    of = lambda image: next(i for i, candidate in enumerate(whole) if np.allclose(candidate, image, atol=1e-6))
    first, second = ({of(image) for image in np.asarray(part)} for part in (batch.image, batch.paired_image))
    assert first and second and not first & second
    resumed = feeds.make_feed(config, data).inputs(3)
    np.testing.assert_array_equal(source.inputs(3)["paired_image"], resumed["paired_image"])


def test_what_is_learned_from_is_named_right(tmp_path):
    config = tiny_config("renet_d")
    config.train.supervision = "mask"
    with pytest.raises(
        ValueError, match="train.supervision = 'mask' is not known; use none, simulated, masks, kinds, surfaces"
    ):
        feeds.make_feed(config, None)


def test_of_unseen_surfaces_images_are_shown_where_that_is_asked_for_alone():
    known, shown = list(tiny_config("sbad").data.attributes), {}
    for show in (False, True):
        config = tiny_config("sbad")
        config.settings.update(mode="A", backbone_steps=0)
        config.data.update(per_surface=4, show_unseen=show)
        batch = feeds.make_feed(config, open_data(config)).inputs(0)
        shown[show] = set(np.asarray(batch["surface"])[np.asarray(batch["label"]) == 1].tolist())
    assert shown == {False: set(), True: {known.index("Class8"), known.index("Class10")}}


def test_good_images_get_flaws_where_a_config_says_so():
    config = tiny_config("renet_d")
    config.data.options.update(surfaces=(4,), size=64, train=10, test_good=2, test_defective=2)
    config.train.update(corrupt=("spot",), corrupt_share=1.0, flips=True)
    data = open_data(config)
    assert not feeds.streams(config, data)  # Mirrored on the device.
    keys = jax.random.split(jax.random.key(0), 16)
    for source in (feeds.make_feed(config, data), feeds.held_out(_validating(config), data)):
        batch = jit_once(source.make_batch)(source.inputs(0), keys)
        assert int(batch.label.sum()) > 10 and bool((batch.image != batch.target).any())
    config.train.update(corrupt=("spot",), supervision="simulated")
    batch = jit_once((made := feeds.make_feed(config, data)).make_batch)(made.inputs(0), keys)
    assert batch.mask.shape == (16, 16, 16) and int(batch.label.sum()) > 5
    config.train.corrupt = ("scratch",)
    with pytest.raises(ValueError, match=r"train.corrupt = \('scratch',\): no flaw is named 'scratch'"):
        feeds.make_feed(config, data)
    config.train.update(corrupt=("all",), supervision="kinds")
    with pytest.raises(ValueError, match="a flaw made to order is of no kind and no surface"):
        feeds.with_flaws(config, made)


def test_so_many_defective_images_are_learned_from_and_fewer_are_among_more():
    config = tiny_config("segdec")
    defective = open_data(config).converted.defective

    def kept(most):
        config.train.max_defective = most
        return [record.id for record in feeds.learned_from(config, defective).records]

    assert kept(-1) == kept(len(defective)) == kept(100) == [record.id for record in defective.records]
    assert len(kept(3)) == 3 and len(kept(1)) == 1 and set(kept(1)) < set(kept(3)) < set(kept(-1))
    for wrong in (0, -2):
        with pytest.raises(ValueError, match=f"train.max_defective = {wrong}; give .*train.supervision=simulated"):
            kept(wrong)
    config.train.supervision = "kinds"
    with pytest.raises(ValueError, match="train.max_defective = 2 with train.supervision = 'kinds'"):
        kept(2)


def test_whole_images_without_labels_are_the_largest_square_in_all():
    config = tiny_config("segdec")
    config.train.update(patch=0, supervision="simulated", corrupt=("spot",), corrupt_share=1.0)
    data = open_data(config)
    sizes = {size for record in data.converted.train.records for size in (record.height, record.width)}
    source = feeds.make_feed(config, data)
    batch = jit_once(source.make_batch)(source.inputs(0), jax.random.split(jax.random.key(0), 2))
    assert batch.image.shape[1:3] == (min(sizes), min(sizes)) and bool(batch.label.all())


def _validating(config):
    asked = config.copy_and_resolve_references()
    asked.train.validate = True
    return asked


def test_what_does_not_fit_into_memory_is_refused_with_the_figure(tmp_path, monkeypatch):
    config = tiny_config("renet_d")
    config.data.options.update(surfaces=(3,), size=64, train=6, test_good=2, test_defective=3)
    data = open_data(config)
    monkeypatch.setattr(feeds.parallel, "free_memory", lambda: 2e9)
    config.train.batch, side = 10**8, config.train.patch
    with pytest.raises(
        ValueError, match=rf"{config.train.batch} of {side} x {side} pixels takes [0-9.]+ GB, .* 2.0 GB"
    ):
        feeds.make_feed(config, data)
    config.train.update(batch=16, feed="in_memory")
    monkeypatch.setattr(feeds, "kept_bytes", lambda config, split: 1.5e9)
    with pytest.raises(ValueError, match="5 images in memory take 3.0 GB, and 2.0 GB are free; use train.feed=stream"):
        feeds.make_feed(config, data)
    config.train.feed = "stream"
    assert feeds.make_feed(config, data).sharded
