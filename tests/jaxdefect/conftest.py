"""What tests of several rooms start from."""

from functools import partial

import jax
import pytest

from jaxdefect import backbones
from jaxdefect.training import loop


@pytest.fixture(scope="module")
def small():
    """(backbone, variables) of the smallest backbone."""
    backbone = backbones.load("small", width=4)
    return backbone, loop.jit_once(partial(backbones.init, backbone))(jax.random.key(0))
