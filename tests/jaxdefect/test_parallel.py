"""What is too large for the memory is refused before it is made, with the figure."""

import jax
import numpy as np
import pytest

from jaxdefect import parallel


def test_a_state_that_does_not_fit_is_refused_with_its_largest_part(monkeypatch):
    state = {"bank": jax.ShapeDtypeStruct((10**6, 14), np.float32), "bias": np.zeros(3), "key": jax.random.key(0)}
    monkeypatch.setattr(parallel, "free_memory", lambda: 1.2e8)
    parallel.check_memory(state, copies=2)
    with pytest.raises(ValueError, match=r"takes 0.2 GB, and 0.1 GB are free: of its \['bank'\] alone .* 1000000 x 14"):
        parallel.check_memory(state, copies=4)


def test_what_is_free_is_told():
    assert 1e6 < parallel.free_memory() < 1e16
