"""Evaluates a trained run again, with other thresholds or other data, and rewrites its result and report.

python -m launch.evaluate RUN threshold.pixel_rule=quantile threshold.quantile=0.999
python -m launch.evaluate RUN --data OTHER_FOLDER --out OTHER_RESULT
"""

import argparse
import sys
from pathlib import Path

from launch.command import start
from launch.command.console import console, warn
from launch.command.parser import parser as parser_of


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = parser_of(__doc__)
    made.add_argument("run", type=Path, help="the folder of a run")
    made.add_argument("--data", type=Path, help="another folder of images, in the layout the run was trained on")
    made.add_argument("--out", type=Path, help="a folder for the new result (default: the run's own, replacing it)")
    made.add_argument("overrides", nargs="*", metavar="field=value", help="fields of score, threshold or report")
    return made


def main(argv: list[str] | None = None) -> Path:
    """Returns the report page."""
    arguments = parser().parse_intermixed_args(argv)
    from launch.command import configuration, files
    from launch.page import run_page
    from launch.page.verdict import verdict_of
    from launch.run import folder
    from launch.run.data import open_data
    from launch.run.evaluation import evaluate
    from launch.run.pipeline import print_summary
    from launch.run.trained import load_run

    start.devices()
    run = load_run(arguments.run)
    configuration.override(run.config, arguments.overrides, only=("score", "threshold", "report"))
    if arguments.data:
        run.config.data.root = str(arguments.data.expanduser().resolve())
    out = arguments.out or arguments.run
    if arguments.data and out == arguments.run:
        raise ValueError("--data without --out would replace the result on the run's own data; give --out FOLDER")
    with folder.held(out):
        if out != arguments.run and (arguments.run / "history.jsonl").is_file():
            files.write_bytes(out / "history.jsonl", (arguments.run / "history.jsonl").read_bytes())
        run = run._replace(timings=timings_of(arguments.run))
        result = evaluate(run, open_data(run.config), out)
        page = run_page.write_report(out)
    print_summary(result)
    console.print(f"{verdict_of(out, result)} Report: {page}")
    return page


def timings_of(workdir: Path) -> dict[str, float]:
    """How long the training took, which evaluating again does not tell; nothing where result.json is damaged."""
    from launch.run import folder

    try:
        return dict(folder.read_result(workdir)["timings"])
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError) as error:
        warn(f"how long the training took is lost: {error}")
        return {}


if __name__ == "__main__":
    start.run(main, sys.argv[1:])
