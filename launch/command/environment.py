"""Versions and hardware, for every result."""

import functools
from typing import Any

import jax


@functools.cache
def environment() -> dict[str, Any]:
    """Versions and hardware, for result.json."""
    import os
    import platform
    from importlib.metadata import version

    packages = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "dm-pix", "numpy", "jaxdefect")
    device = jax.devices()[0]
    return {
        "versions": {"python": platform.python_version(), **{name: version(name) for name in packages}},
        "hardware": {
            "platform": device.platform, "device": device.device_kind, "devices": jax.device_count(),
            "processes": jax.process_count(), "cpu_cores": os.cpu_count(), "machine": platform.machine(),
        },
    }  # fmt: skip
