"""The two-stage system: which surface does a picture show, or is it one never seen; and has that surface a defect?

    python -m launch.two_stage SYSTEM                                    # trains it on synthetic surfaces, judges it
    python -m launch.two_stage SYSTEM --dataset dagm2007 --data FOLDER --unseen Class8,Class10 --weights resnet101.pth
    python -m launch.two_stage SYSTEM --inspect FOLDER --out OUT         # any folder of pictures, no labels needed

SYSTEM gets a run that tells surfaces apart (surfaces/), a run of a defect detector for each seen surface (defects/),
and result.json, events.jsonl, masks/ and report.html of the set's test pictures. Finished runs are kept, so that the
same command goes on where it was stopped. Fields of the configs: surfaces.field=value and defects.field=value.

Source: Cheng and Yeh, Two-Stage Metal Surface Defect Detection and Classification System Based on VAEGAN and
Class-Embedding, 2023, Section 3.1.1.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from ml_collections import ConfigDict

from data_pipeline import Split, pictures
from launch import config as configs
from launch import detect, end_to_end, experiment, feeds, files, start, system, train
from launch.logs import console
from launch.page.system import write_page


def main(argv: list[str] | None = None) -> Path:
    """Returns the report page."""
    arguments = parse(argv)
    start.devices()
    folder = arguments.system
    with files.locked(folder):
        if arguments.inspect:
            out = arguments.out or folder / "inspected"
            found = detect.find_pictures(arguments.inspect)
            trained = system.load(folder)
            judged = system.inspect(trained, read(found, arguments.inspect), len(found), out)
            result = end_to_end.of_any_pictures(trained, judged, out)
        else:
            out = folder
            train_all(arguments)
            trained = system.load(folder)
            test = test_pictures(trained.surfaces.config)
            judged = system.inspect(trained, ((sample.id, sample) for sample in test), len(test), out)
            result = end_to_end.of_test_pictures(trained, judged, out)
        experiment.write_json(out / "result.json", result)
        page = write_page(out)
    console.print(f"Report: {page}")
    return page


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("system", type=Path, help="the folder of the system")
    parser.add_argument("--detector", default="sbad", help="tells surfaces apart: sbad, tf_vaegan or nearest_mean")
    parser.add_argument("--preset", help="of its config (default: its own)")
    parser.add_argument("--defect-preset", default="small", help="of configs/segdec.py (default: small)")
    parser.add_argument("--weights", type=Path, help="a file of the backbone's weights (default: random ones)")
    parser.add_argument("--attributes", type=Path, help="a table of what surfaces look like (see configs/attributes)")
    parser.add_argument("--dataset", help="a file of data_pipeline/layouts (default: synthetic, ten surfaces)")
    parser.add_argument("--data", help="the folder of its pictures (default: $JAXDEFECT_DATA/<dataset>)")
    parser.add_argument("--unseen", help="surfaces kept from training, e.g. Class8,Class10 (default: the config's)")
    parser.add_argument("--inspect", type=Path, help="a folder of pictures to judge with a trained system")
    parser.add_argument("--out", type=Path, help="where to put what was found there (default: SYSTEM/inspected)")
    parser.add_argument("overrides", nargs="*", metavar="surfaces.field=value", help="or defects.field=value")
    return parser.parse_intermixed_args(argv)


def train_all(arguments: argparse.Namespace) -> None:
    """Trains what is missing: the run of the surfaces, then that of the defects of each seen surface."""
    surfaces = configured(arguments, arguments.detector, arguments.preset, "surfaces")
    configs.override(surfaces, [f"data.unseen={arguments.unseen}"] if arguments.unseen else [])
    if arguments.weights:
        surfaces.settings.weights = str(arguments.weights.expanduser().resolve())
    train_run(surfaces, arguments.system / system.SURFACES)
    data = experiment.open_data(surfaces)
    names = sorted({record.surface for record in data.seen.train.records}, key=feeds.surfaces_of(surfaces).index)
    for name in names:
        defects = configured(arguments, "segdec", arguments.defect_preset, "defects")
        # The pictures of the first stage, before they were mixed.
        defects.data.update(name=surfaces.data.name, root=surfaces.data.root, seed=surfaces.data.seed, surface=name)
        defects.data.options = ConfigDict(surfaces.data.options.to_dict())
        train_run(defects, arguments.system / system.DEFECTS / name)


def configured(arguments: argparse.Namespace, detector: str, preset: str | None, stage: str) -> ConfigDict:
    """The config of a stage, with the overrides that are its own."""
    config = configs.get(detector, preset)
    for pair in arguments.overrides:
        if not pair.startswith(("surfaces.", "defects.")):
            raise ValueError(f"{pair!r} belongs to no stage; write surfaces.{pair} or defects.{pair}")
    if stage == "surfaces":
        if "attribute_names" not in config:
            raise ValueError(f"--detector {detector} tells no surfaces apart; use sbad, tf_vaegan or nearest_mean")
        if arguments.dataset:
            configs.set_field(config, "data.name", arguments.dataset)
        if arguments.data:
            config.data.root = str(Path(arguments.data).expanduser().resolve())
        if arguments.attributes:
            configs.attributes.describe(config, arguments.attributes)
    own = [pair.removeprefix(f"{stage}.") for pair in arguments.overrides if pair.startswith(f"{stage}.")]
    configs.override(config, own)
    return config


def train_run(config: ConfigDict, workdir: Path) -> None:
    """Trains a run unless its folder holds the result of the same config."""
    configs.check_same(config, workdir / "config.json")
    if not (workdir / "result.json").is_file():
        console.print(f"training {workdir}")
        train.train(config, workdir)


def test_pictures(config: ConfigDict) -> Split:
    """The test pictures of the set the surfaces were learned from, labelled by their defects, at original size."""
    plain = config.copy_and_resolve_references()
    plain.data.update(mixed=False, unseen=(), size=0, width=0, scale=1.0)
    return experiment.open_data(plain).seen.test


def read(found: list[Path], folder: Path) -> Iterator[tuple[str, object]]:
    """(name, picture uint8 [H, W, C]) of each file, or (name, the error) where it cannot be read."""
    for path in found:
        try:
            yield str(path.relative_to(folder)), pictures.read_image(path)
        except ValueError as error:
            yield str(path.relative_to(folder)), error


if __name__ == "__main__":
    start.run(main, sys.argv[1:])
