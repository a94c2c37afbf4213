"""Trains the two stages: the run that tells surfaces apart, and a defect detector for each seen surface."""

import argparse
from pathlib import Path

from ml_collections import ConfigDict

from data_pipeline import Split
from launch.command import arguments as command_line
from launch.command import configuration
from launch.command.console import say
from launch.page.run_page import write_report
from launch.run.data import open_data, settle
from launch.run.folder import RESULT, check_same
from launch.run.pipeline import print_summary, train
from launch.run.surfaces import surfaces_of
from launch.system import inspection


def train_all(arguments: argparse.Namespace) -> None:
    """Trains what is missing: the run of the surfaces, then that of the defects of each seen surface."""
    for pair in arguments.overrides:
        if not pair.startswith(("surfaces.", "defects.")):
            raise ValueError(f"{pair!r} belongs to no stage; write surfaces.{pair} or defects.{pair}")
    surfaces = surfaces_config(arguments)
    train_run(surfaces, arguments.folder / inspection.SURFACES)
    dataset = open_data(surfaces).converted
    names = sorted({record.surface for record in dataset.train.records}, key=surfaces_of(surfaces).index)
    say(f"after it, a detector of defects for each surface: {len(names)} runs")
    for name in names:
        defects = configuration.get("segdec", arguments.defect_preset)
        # The images of the first stage, before they were mixed.
        defects.data.update(name=surfaces.data.name, root=surfaces.data.root, seed=surfaces.data.seed, surface=name)
        defects.data.options = ConfigDict(surfaces.data.options.to_dict())
        configuration.override(defects, overrides_of("defects", arguments))
        train_run(defects, arguments.folder / inspection.DEFECTS / name)


def surfaces_config(arguments: argparse.Namespace) -> ConfigDict:
    """The config of the first stage. Raises ValueError for a detector that tells no surfaces apart."""
    words = argparse.Namespace(**{**vars(arguments), "overrides": overrides_of("surfaces", arguments)})
    config = command_line.from_arguments(words)
    if config.train.supervision != "surfaces":
        raise ValueError(f"--detector {arguments.detector} tells no surfaces apart; use sbad or nearest_mean")
    configuration.override(config, [f"data.unseen={arguments.unseen}"] if arguments.unseen else [])
    return config


def overrides_of(stage: str, arguments: argparse.Namespace) -> list[str]:
    """The overrides of a stage, "field=value"."""
    return [pair.removeprefix(f"{stage}.") for pair in arguments.overrides if pair.startswith(f"{stage}.")]


def train_run(config: ConfigDict, workdir: Path) -> None:
    """Trains a run unless its folder holds the result of the same config."""
    if (workdir / RESULT).is_file():
        check_same(settle(config), workdir)
    else:
        say(f"training {workdir}")
        if (result := train(config, workdir)) is not None:
            write_report(workdir)
            print_summary(result)


def test_images(config: ConfigDict) -> Split:
    """The test images of the set the surfaces were learned from, labelled by their defects, at original size."""
    plain = config.copy_and_resolve_references()
    plain.data.update(surfaces_as_classes=False, unseen=(), size=0, width=0, scale=1.0)
    return open_data(plain).original.test
