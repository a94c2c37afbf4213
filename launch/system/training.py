"""Trains the two stages: the run that tells surfaces apart, and a defect detector for each seen surface."""

import argparse
from collections.abc import Iterator
from pathlib import Path

from ml_collections import ConfigDict

from data_pipeline import Split, images
from launch.command import configuration as configs
from launch.command.console import console
from launch.run import feeds
from launch.run.data import open_data
from launch.run.pipeline import train
from launch.system import inspection


def train_all(arguments: argparse.Namespace) -> None:
    """Trains what is missing: the run of the surfaces, then that of the defects of each seen surface."""
    surfaces = configured(arguments, arguments.detector, arguments.preset, "surfaces")
    configs.override(surfaces, [f"data.unseen={arguments.unseen}"] if arguments.unseen else [])
    if arguments.weights:
        surfaces.settings.weights = str(arguments.weights.expanduser().resolve())
    train_run(surfaces, arguments.system / inspection.SURFACES)
    data = open_data(surfaces)
    names = sorted({record.surface for record in data.seen.train.records}, key=feeds.surfaces_of(surfaces).index)
    for name in names:
        defects = configured(arguments, "segdec", arguments.defect_preset, "defects")
        # The images of the first stage, before they were mixed.
        defects.data.update(name=surfaces.data.name, root=surfaces.data.root, seed=surfaces.data.seed, surface=name)
        defects.data.options = ConfigDict(surfaces.data.options.to_dict())
        train_run(defects, arguments.system / inspection.DEFECTS / name)


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
        train(config, workdir)


def test_images(config: ConfigDict) -> Split:
    """The test images of the set the surfaces were learned from, labelled by their defects, at original size."""
    plain = config.copy_and_resolve_references()
    plain.data.update(mixed=False, unseen=(), size=0, width=0, scale=1.0)
    return open_data(plain).seen.test


def read(found: list[Path], folder: Path) -> Iterator[tuple[str, object]]:
    """(name, image uint8 [H, W, C]) of each file, or (name, the error) where it cannot be read."""
    for path in found:
        try:
            yield str(path.relative_to(folder)), images.read_image(path)
        except ValueError as error:
            yield str(path.relative_to(folder)), error
