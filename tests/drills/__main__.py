"""New drills at random for as long as is asked, and how many were sound.

    python -m tests.drills --hours 1
    python -m tests.drills --seed 3 --only damaged_run:17      # one that an earlier call with --seed 3 found unsound

Commands are killed, stopped and given full disks at random moments; files of runs, of sweeps and of prepared datasets
are damaged, and so are images and files of weights; names and settings are odd. The exit status is 1 if anything was
unsound.
"""

import argparse
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

from tests import conftest  # First: it keeps caches away from the user's.
from tests.drills import at_random


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=1.0, help="when to stop (default: 1)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of everything random (default: the time)")
    parser.add_argument("--only", nargs="+", metavar="FAMILY:NUMBER", help="these drills of that seed alone")
    arguments = parser.parse_args(argv)
    families = {family.__name__: family for family in at_random.SHARES}
    calls, spent, tried, unsound = Counter(), Counter(), Counter(), Counter()

    def call(name: str, number: int) -> None:
        begun = time.monotonic()
        for wrong in told(families[name](ground, Random(f"{arguments.seed} {name} {number}"))):
            tried[name] += 1
            if wrong:
                unsound[name] += 1
                print(f"--seed {arguments.seed} --only {name}:{number}: {wrong}", flush=True)
        spent[name] += time.monotonic() - begun
        forget_programs()

    with tempfile.TemporaryDirectory() as place:
        ground = at_random.prepare(Path(place))
        for which in arguments.only or ():
            name, _, number = which.partition(":")
            call(name, int(number))
        end = time.monotonic() + 3600 * arguments.hours
        while not arguments.only and time.monotonic() < end:
            name = min(families, key=lambda name: spent[name] / at_random.SHARES[families[name]])
            call(name, calls[name])
            calls[name] += 1
    for name, count in tried.items():
        print(f"{name:20}{count - unsound[name]} of {count} sound")
    print(f"{'in all':20}{tried.total() - unsound.total()} of {tried.total()} sound")
    return 1 if unsound else 0


def told(drills: Iterator[str]) -> Iterator[str]:
    """What drills tell; one that ends in an error is unsound."""
    try:
        yield from drills
    except Exception as error:
        traceback.print_exc()
        yield repr(error)


def forget_programs() -> None:
    """Each compiled program maps memory, of which a process has a bounded part."""
    if Path("/proc/self/maps").read_bytes().count(b"\n") > conftest.MANY:
        sys.modules["jax"].clear_caches()


if __name__ == "__main__":
    try:
        status = main(sys.argv[1:])
    finally:
        conftest.pytest_sessionfinish()
    sys.exit(status)
