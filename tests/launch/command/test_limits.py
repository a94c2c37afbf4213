"""Values outside their range are refused before anything is started, each by one line with a remedy that works."""

import re

import pytest

import jaxdefect
from configs import base
from configs.limits import LIMITS
from launch.command import choices, limits
from launch.command.configuration import CHOSEN, TABLES, flat, get, override

FREE = ("weights", "data.name", "data.root", "data.surface", "data.unseen", "data.attribute_names", "train.corrupt")


def test_every_field_of_a_run_has_its_range_or_choices():
    bare = {
        field for field, value in base.RUN.items() if not isinstance(value, bool) and field not in (*TABLES, *CHOSEN)
    }
    assert bare - {*LIMITS} == {*FREE}


@pytest.mark.parametrize("name", jaxdefect.names())
def test_every_preset_keeps_to_the_ranges_and_its_numbers_have_one(name):
    for preset in choices.presets(name):
        config = get(name, preset)
        for field, value in flat(config):
            limits.check(field, value, value)
            of_numbers = type((value or (0,))[0] if isinstance(value, tuple) else value) in (int, float)
            assert not (field.startswith("settings.") and of_numbers and field not in LIMITS), field


@pytest.mark.parametrize(
    "pair, said",
    [
        ("train.restore=bset", "train.restore=bset is not known; did you mean 'best'? There are: last, best"),
        ("train.steps=-1", "train.steps=-1 is out of its range; give 0 or more, such as train.steps=600"),
        ("threshold.sigma=-3", "give 0 or more, such as threshold.sigma=3.0"),
        ("threshold.sigma=nan", "threshold.sigma=nan is not"),
        ("threshold.quantile=2", "give 0 or more and 1 at most, such as threshold.quantile=0.995"),
        ("threshold.image_rule=foo", "threshold.image_rule=foo is not known"),
        ("threshold.image_rule=otsu", "threshold.image_rule=otsu is not known"),
        ("threshold.image_rule=", "threshold.image_rule= is not known"),
        ("threshold.fitted_on=test", "threshold.fitted_on=test is not known"),
        ("threshold.min_area=-1", "give 0 or more, such as threshold.min_area=0"),
        ("score.mode=foo", "score.mode=foo is not known; There are: auto, whole, tiled"),
        ("score.tile=0", "give 1 or more, such as score.tile=256"),
        ("seed=4294967296", "give 0 or more and 4294967295 at most, such as seed=0"),
        ("seed=-1", "such as seed=0"),
        ("train.save_every=0", "give 1 or more, such as train.save_every=200"),
        ("train.patch=-1", "give 0 or more, such as train.patch=32"),
        ("train.patience=-1", "give 0 or more, such as train.patience=0"),
        ("train.zoom=1", "give 0 or more and less than 1, such as train.zoom=0.0"),
        ("train.batch=0", "give 1 or more, such as train.batch=256"),
        ("report.images=-1", "such as report.images=24"),
        ("data.channels=2", "data.channels=2 is not known; There are: auto, 1, 3"),
        ("data.channels=rgb", "data.channels=rgb is not known; There are: auto, 1, 3"),
        ("data.scale=0", "give more than 0 and 16 at most, such as data.scale=1.0"),
        ("settings.alpha=2", "give 0 or more and 1 at most, such as settings.alpha=0.15"),
        ("settings.learning_rate=-1", "give 0 or more, such as settings.learning_rate=0.001"),
        ("settings.widths=0,0,0", "give 1 or more of each, such as settings.widths=10,20,30,40"),
        ("settings.stem=-1", "give 0 or more, such as settings.stem=3"),
        ("settings.pixel_range=0", "give more than 0, such as settings.pixel_range=1.0"),
        ("preset=paper", "preset=paper would not change the other fields; give --preset paper in its place"),
        ("detector=maa", "detector=maa would not change the other fields; give --detector maa in its place"),
    ],
)
def test_what_is_out_of_range_is_refused_with_a_value_that_is_not(pair, said):
    config = get("renet_d")
    with pytest.raises(ValueError, match=re.escape(pair.split("=")[0])) as error:
        override(config, [pair])
    assert said in str(error.value)
    if remedy := re.search(r"such as (\S+)$", str(error.value)):
        override(config, [remedy[1]])


def test_each_of_several_must_be_one_of_the_choices():
    config = get("maa", "small")
    override(config, ["settings.critic_balance=r1,cutout"])
    assert config.settings.critic_balance == ("r1", "cutout")
    with pytest.raises(ValueError, match="settings.critic_balance=r2 is not known; did you mean 'r1'"):
        override(config, ["settings.critic_balance=cutout,r2"])


def test_ends_belong_to_a_range_or_do_not():
    assert [limits.within("[0, 1)", value) for value in (-0.1, 0, 0.5, 1, float("nan"))] == [
        False,
        True,
        True,
        False,
        False,
    ]
    assert limits.within("(0, inf)", 1e300) and not limits.within("(0, inf)", 0)
