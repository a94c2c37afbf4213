"""Thousands of damaged files of weights: each is read or refused by one error, and none ends the process."""

import subprocess
import sys

import pytest

from tests.drills.fuzzed import hdf5, safetensors

pytestmark = pytest.mark.drill
SECONDS = 8  # for each kind of file
READ = """
import resource, sys, time
from pathlib import Path
import numpy as np
from jaxdefect.backbones import weights
from tests.data_pipeline.fuzzing import damaged
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
path, seconds = Path(sys.argv[1]), float(sys.argv[2])
rng, whole, tried, refused = np.random.default_rng(), path.read_bytes(), 0, 0
sick = path.with_name("sick" + path.suffix)
end = time.monotonic() + seconds
while time.monotonic() < end:
    sick.write_bytes(damaged(whole, rng))  # It stays where the process dies of it.
    begun = time.process_time()
    try:
        read = weights.read(sick)
        assert sum(value.nbytes for value in read.values()) <= 4 * len(whole), "more than it holds"
    except ValueError as error:
        assert str(sick) in str(error) and "; " in str(error), error
        refused += 1
    assert time.process_time() - begun < 5
    tried += 1
print(tried, refused)
"""


@pytest.mark.parametrize("make, suffix", [(hdf5, ".h5"), (safetensors, ".safetensors")])
def test_damaged_weights_are_read_or_refused_by_one_error(tmp_path, make, suffix):
    path = make(tmp_path / f"net{suffix}")
    done = subprocess.run([sys.executable, "-c", READ, path, str(SECONDS)], capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stderr[-2000:]} (status {done.returncode}, {tmp_path})"
    tried, refused = map(int, done.stdout.split())
    print(f"{tried} tried, {refused} refused")
    assert tried > 100 and refused > tried / 20
