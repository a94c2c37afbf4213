"""From a sweep file to its runs; and what is said of files that describe none."""

import pytest

from launch import sweep
from launch.command import configuration as configs
from launch.sweeping import spec
from tests.launch.sweeping.small_sweeps import write, write_runs


def test_axes_are_combined_and_fields_of_one_axis_go_together():
    found = spec.read("block_size")
    assert len(found.runs) == 3 * 2 * 3
    for run in found.runs:
        assert run.config.train.patch == run.config.settings.block == 2 * run.config.settings.overlap
    assert found.axes[0].name == "patch" and found.axes[0].numbers == (16, 32, 64)
    assert len({run.name for run in found.runs}) == len(found.runs)


def test_a_label_names_the_values_of_an_axis():
    found = spec.read("table3")
    assert [axis.name for axis in found.axes] == ["images", "loss", "score"]
    run = next(run for run in found.runs if run.at["loss"] == "MSE+SSIM" and run.at["images"] == "regular")
    assert run.config.settings.losses == ("mse", "ssim") and run.config.data.options.surfaces == (3,)


def test_datasets_take_the_place_of_the_synthetic_images(tmp_path):
    found = spec.read("table3", quick=True, datasets=["nanotwice", "aitex"], roots=[str(tmp_path), str(tmp_path)])
    for run in found.runs:
        assert run.config.data.name == {"irregular": "nanotwice", "regular": "aitex"}[run.at["images"]]
        assert run.config.data.root == str(tmp_path.resolve()) and not run.config.data.options
    alone = spec.read("table3", datasets=["nanotwice"])
    assert {run.config.data.name for run in alone.runs} == {"nanotwice"} and alone.fixed == {"images": "irregular"}
    assert alone.notes == ("No dataset was given for the regular images.",)


def test_the_command_line_sets_axes_seeds_and_fields(tmp_path):
    found = spec.read(write(tmp_path), axes=["settings.box=3,5,9"], seeds=(7,), overrides=["train.steps=15"])
    assert [run.config.settings.box for run in found.runs] == [3, 5, 9]
    assert all(run.seed == run.config.seed == 7 and run.config.train.steps == 15 for run in found.runs)


def test_listed_runs_are_run_as_listed(tmp_path):
    path = write(tmp_path, ('AXES = ({"settings.alpha": (0.0, 0.5)},)', 'RUNS = {"a": {}, "b": {"settings.box": 9}}'))
    assert [(run.at, run.config.settings.box) for run in spec.read(path, seeds=(0,)).runs] == [
        ({"run": "a"}, 5),
        ({"run": "b"}, 9),
    ]


ALPHA = '{"settings.alpha": (0.0, 0.5)}'
WRONG = [
    ((ALPHA, '{"settings.alhpa": (0.0, 0.5)}'), "did you mean 'settings.alpha'"),
    ((ALPHA, '{"settings.alpha": (0.0, "much")}'), "settings.alpha=much is not of the type of 0.15"),
    ((ALPHA, '{"settings.alpha": (0.0, float("nan"))}'), "settings.alpha=nan is not finite"),
    ((ALPHA, '{"settings.box": (3, 4.5)}'), "settings.box=4.5 is not of the type of 5"),
    ((ALPHA, '{"settings.alpha": ()}'), "is empty"),
    ((ALPHA, '{"settings.alpha": (0.0, 0.5), "settings.box": (3,)}'), "need as many values each"),
    ((ALPHA, '{"alpha": ("0", "1")}'), "sets no field"),
    ((ALPHA, '{"settings.alpha": (0.1, 0.1)}'), "two runs are named 'alpha=0.1-seed=0'"),
    ((ALPHA + ",)", ALPHA + ', {"settings.alpha": (1.0,)})'), "two axes have the"),
    (("SEEDS = (0, 1)", "SEEDS = ()"), "at least one"),
    (("SEEDS = (0, 1)", "SEEDS = (0, 0)"), "different whole numbers"),
    (('TITLE, SOURCE = "A small sweep", "nowhere"', 'TITLE = "A small sweep"'), "lacks SOURCE"),
    (('"pixel.f1", "pixel.auroc"', '"f1", "pixel.auroc"'), "FIGURES has 'f1'"),
    (("SEEDS = (0, 1)", "SEEDS = (0, 1)\nRUNS = {'a': {}}"), "both AXES and RUNS"),
    (('"renet_d"', '"renet"'), "did you mean 'renet_d'"),
    (("'train.patch': 16", "'train.resident_limit': 16"), "train.resident_limit is called train.memory_limit now"),
    ((ALPHA, '{"threshold.image": ("pauta", "quantile")}'), "threshold.image is called threshold.image_rule now"),
    (("SEEDS = (0, 1)", "SEEDS = (0, 1)\nGROUPS = 'kind'"), "GROUPS = 'kind' is no axis of the sweep; it has alpha"),
    (("SEEDS = (0, 1)", "SEEDS = (0, 1)\nGROUPS = 'alpha'"), "its '0' is not written 'group: name'"),
]


@pytest.mark.parametrize(("change", "said"), WRONG, ids=[said for _, said in WRONG])
def test_a_wrong_sweep_file_is_named_with_the_remedy(change, said, tmp_path):
    path = write(tmp_path, change)
    with pytest.raises(ValueError, match="(?s)" + said.replace("(", r"\(").replace(".", r"\.")):
        spec.read(path)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"name": "tabel4"}, "did you mean 'table4'"),
        ({"name": "nowhere.py"}, "there is no sweep file nowhere.py"),
        ({"axes": ["settings.alpha"]}, "is no field=value"),
        ({"axes": ["settings.alpha="]}, "is empty"),
        ({"overrides": ["settings.alpha=1"]}, "settings.alpha is swept"),
        ({"overrides": ["seed=1"]}, "--seeds"),
        ({"datasets": ["aitex", "nanotwice"]}, "1 kinds of images"),
        ({"datasets": ["aitex"], "roots": ["a", "b"]}, "2 folders for 1 datasets"),
        ({"name": "survey", "datasets": ["fabrik=aitex"]}, "fabrik=aitex: give each dataset a kind of images"),
        ({"name": "maa_table2", "datasets": ["mvtec", "mvtec"]}, "mvtec,mvtec: give each dataset a kind of images"),
        ({"name": "survey", "datasets": ["fabric=aitex", "rsdds"]}, "fabric=aitex,rsdds: give each dataset a kind"),
    ],
)
def test_a_wrong_command_line_is_answered(options, said):
    with pytest.raises(ValueError, match=said.replace("(", r"\(")):
        spec.read(**({"name": "table4"} | options))


def test_a_bad_setting_is_found_before_anything_runs(tmp_path):
    path = write(tmp_path, (ALPHA, '{"settings.box": (3, 4)}'))
    with pytest.raises(ValueError, match="run box=4-seed=0: .*odd"):
        sweep.check(spec.read(path))


def test_a_sweep_without_kinds_of_images_takes_any_datasets():
    sweep = spec.read("maa_table2", datasets=("magnetic_tile", "rsdds", "nanotwice"), seeds=(0,), weights="random")
    assert {run.at["images"] for run in sweep.runs} == {"magnetic_tile", "rsdds", "nanotwice"}
    assert len(sweep.runs) == 39 and len({run.at["run"] for run in sweep.runs}) == 13


def test_a_dataset_may_say_which_kind_of_images_it_stands_for():
    sweep = spec.read("survey", datasets=("fabric=aitex",), seeds=(0,), weights="random")
    assert sweep.fixed == {"images": "fabric"} and {run.config.data.name for run in sweep.runs} == {"aitex"}
    assert any("metal surface" in note for note in sweep.notes)


def test_the_preset_of_all_runs_may_be_set():
    sweep = spec.read("maa_table2", overrides=("preset=paper", "train.steps=7"), weights="random")
    assert {run.config.preset for run in sweep.runs} == {"paper"}
    assert {run.config.train.steps for run in sweep.runs} == {7}


def test_options_of_a_presets_dataset_fall_away_with_another():
    config = configs.get("segdec", "small")
    assert "size" in config.data.options
    configs.override(config, ["data.options.kinds=('crack',)", "data.name=magnetic_tile"])
    assert config.data.options.to_dict() == {"kinds": ("crack",)}
    found = spec.read("segdec_masks", datasets=["magnetic_tile"], roots=["FOLDER"])
    assert all(run.config.data.options.to_dict() == {} for run in found.runs)


def test_a_file_of_weights_goes_to_the_detectors_that_have_one(tmp_path, monkeypatch):
    path = write_runs(tmp_path, a={}, b={"detector": "padim"})
    file = tmp_path / "net.h5"
    monkeypatch.delenv("JAXDEFECT_WEIGHTS", raising=False)
    with pytest.raises(ValueError, match="padim looks through .*no file of its weights is given; give --weights FILE"):
        spec.read(path)
    with pytest.raises(ValueError, match="--weights .*net.h5: there is no such file"):
        spec.read(path, weights=str(file))
    file.touch()
    blind, given = (spec.read(path, weights=weights) for weights in ("random", str(file)))
    assert "padim look through a network of random weights" in blind.notes[0] and not given.notes
    assert [run.config.weights for run in given.runs if run.seed == 0] == ["", str(file)]
