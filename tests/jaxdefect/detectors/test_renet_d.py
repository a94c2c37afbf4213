"""ReNet-D: in which numbers it is computed where."""

import jax
import jax.numpy as jnp

from jaxdefect.detector import Batch
from tests.contract.steps import tiny


def test_a_cpu_computes_in_float32_and_an_accelerator_as_it_is_told(monkeypatch):
    programs = {}
    for dtype in ("float32", "bfloat16"):
        detector, config = tiny("renet_d", dtype=dtype)
        images = jnp.zeros((1, config.train.patch, config.train.patch, 1))
        state = jax.eval_shape(detector.init, jax.random.key(0), Batch(images))
        for backend in ("cpu", "gpu"):
            monkeypatch.setattr(jax, "default_backend", lambda backend=backend: backend)
            programs[dtype, backend] = str(jax.make_jaxpr(lambda *args, d=detector: d.score(*args))(state, images))
    assert programs["bfloat16", "cpu"] == programs["float32", "cpu"] and "bf16[" not in programs["float32", "gpu"]
    assert "bf16[" in programs["bfloat16", "gpu"]
