"""Evaluates a trained run again, with other thresholds or other data, and rewrites its result and report.

python -m launch.evaluate RUN threshold.pixel_rule=quantile threshold.quantile=0.999
python -m launch.evaluate RUN --data OTHER_FOLDER --out OTHER_RESULT
"""

import argparse
import json
import sys
from pathlib import Path

from launch.command import configuration, files, start
from launch.command.console import console
from launch.page import run_page
from launch.run.data import open_data
from launch.run.evaluation import evaluate
from launch.run.pipeline import print_summary
from launch.run.trained import load_run


def main(argv: list[str] | None = None) -> Path:
    """Returns the report page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="the folder of a run")
    parser.add_argument("--data", type=Path, help="another folder of images, in the layout the run was trained on")
    parser.add_argument("--out", type=Path, help="a folder for the new result (default: the run's own, replacing it)")
    parser.add_argument("overrides", nargs="*", metavar="field=value", help="fields of score, threshold or report")
    arguments = parser.parse_intermixed_args(argv)
    start.devices()
    run = load_run(arguments.run)
    configuration.override(run.config, arguments.overrides, only=("score", "threshold", "report"))
    if arguments.data:
        run.config.data.root = str(arguments.data.expanduser().resolve())
    out = arguments.out or arguments.run
    if arguments.data and out == arguments.run:
        raise ValueError("--data without --out would replace the result on the run's own data; give --out FOLDER")
    earlier = arguments.run / "result.json"
    if earlier.is_file():
        run = run._replace(timings=json.loads(earlier.read_text())["timings"])
    with files.locked(out):
        result = evaluate(run, open_data(run.config), out)
        with files.replacing(out / "config.json") as file:
            file.write(configuration.to_json(run.config))
        if out != arguments.run and (arguments.run / "history.jsonl").is_file():
            with files.replacing(out / "history.jsonl") as file:
                file.write((arguments.run / "history.jsonl").read_text())
        page = run_page.write_report(out)
    print_summary(result)
    console.print(f"Report: {page}")
    return page


if __name__ == "__main__":
    start.run(main, sys.argv[1:])
