"""Many devices and many processes. The only module that says pmap.

A state is replicated and has no leading device axis; a batch is split over the devices. Gradients are averaged in
`optim.py`, batch statistics by BatchNorm's `axis_name=AXIS`, metrics here.
"""

import contextlib
import functools
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

AXIS = "devices"


def join_cluster() -> None:
    """Joins the other processes of the job, if there are any.

    Found automatically: several Slurm tasks (`srun`), or JAX_COORDINATOR_ADDRESS with JAX_NUM_PROCESSES and
    JAX_PROCESS_ID. On a plain workstation nothing happens.
    """
    if jax.distributed.is_initialized():
        return
    if address := os.environ.get("JAX_COORDINATOR_ADDRESS"):
        jax.distributed.initialize(address, int(os.environ["JAX_NUM_PROCESSES"]), int(os.environ["JAX_PROCESS_ID"]))
    elif int(os.environ.get("SLURM_STEP_NUM_TASKS", "1")) > 1:
        # JAX would take one device per task; a task with several GPUs means to use them all.
        gpus = os.environ.get("SLURM_GPUS_ON_NODE", "")
        tasks = int(os.environ.get("SLURM_TASKS_PER_NODE", "1").split("(")[0])
        several = gpus.isdigit() and tasks == 1 and int(gpus) > 1
        jax.distributed.initialize(local_device_ids=list(range(int(gpus))) if several else None)


def free_memory() -> float:
    """Bytes that are free on a device, or, where these share the machine's memory, on the machine; infinity where
    nothing tells.
    """
    stats = jax.local_devices()[0].memory_stats() or {}
    if "bytes_limit" in stats:
        return stats["bytes_limit"] - stats["bytes_in_use"]
    try:
        told = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
        free = 1024 * int(told["MemAvailable"].split()[0])
    except (OSError, KeyError, ValueError):
        return math.inf
    for group in ("/sys/fs/cgroup", "/sys/fs/cgroup/memory"):  # A container may have less than its machine.
        with contextlib.suppress(OSError, ValueError):  # "max" is no limit.
            new = group == "/sys/fs/cgroup"
            names = ("memory.max", "memory.current") if new else ("memory.limit_in_bytes", "memory.usage_in_bytes")
            limit, used = (int(Path(group, name).read_text()) for name in names)
            free = min(free, limit - used)
    return free


def check_memory(
    state: Any, *, copies: int, remedy: str = "lower the setting that makes it so large, or use a smaller preset"
) -> None:
    """Raises ValueError, with the figure and the largest part, where so many copies of a state exceed what is free.

    state: a tree of arrays or of their shapes.
    """
    size = lambda leaf: math.prod(leaf.shape) * getattr(leaf.dtype, "itemsize", 4)
    leaves, free = jax.tree_util.tree_leaves_with_path(state), free_memory()
    needed = copies * sum(size(leaf) for _, leaf in leaves)
    if needed > free:
        path, largest = max(leaves, key=lambda pair: size(pair[1]))
        raise ValueError(
            f"this detector takes {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free: of its "
            f"{jax.tree_util.keystr(path)} alone there are {' x '.join(map(str, largest.shape))} numbers; {remedy}"
        )


def is_main() -> bool:
    """True in the one process that writes files and talks."""
    return jax.process_index() == 0


def check_batch(batch: int) -> None:
    """Raises ValueError unless a batch of this size splits evenly over all devices."""
    devices = jax.device_count()
    if batch < 1 or batch % devices:
        near = max(devices, batch // devices * devices)
        raise ValueError(f"batch {batch} does not divide over {devices} devices; use {near} or {near + devices}")


def sample_keys(key: jax.Array, count: int) -> jax.Array:
    """One key for each of this device's `count` samples: the same for a sample on any number of devices."""
    first = lax.axis_index(AXIS) * count
    return jax.vmap(jax.random.fold_in, (None, 0))(key, first + jnp.arange(count))


def mean(tree: Any) -> Any:
    """The average over devices, inside a compiled step."""
    return lax.pmean(tree, AXIS)


def weighted_mean(values: jax.Array, counted: jax.Array) -> jax.Array:
    """The mean of [B] weighted by `counted` [B], such that devices' means average to that of the whole batch."""
    return jnp.mean(values * counted) / jnp.maximum(mean(jnp.mean(counted)), 1e-6)


def replicate(tree: Any) -> Any:
    """Copies a tree to every local device, so that a compiled step may overwrite it in place."""
    return jax.tree.map(lambda leaf: jax.device_put(jnp.array(leaf), _on_every_device()), tree)


def number(value: int) -> jax.Array:
    """An int32 on every local device. A bare int would be handed over unasked, which transfer guards refuse."""
    return jax.device_put(np.int32(value), _on_every_device())


def _on_every_device() -> jax.sharding.NamedSharding:
    mesh = jax.sharding.Mesh(jax.local_devices(), (AXIS,))
    return jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())


def split(tree: Any) -> Any:
    """[B, ...] -> [local devices, B / local devices, ...], placed, so that transfers overlap with work."""
    count = jax.local_device_count()
    mesh = jax.sharding.Mesh(jax.local_devices(), (AXIS,))
    rows = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(AXIS))
    shape = lambda leaf: leaf.reshape(count, leaf.shape[0] // count, *leaf.shape[1:])
    return jax.tree.map(lambda leaf: jax.device_put(shape(leaf), rows), tree)


def compile_step(
    advance: Callable[..., tuple[Any, dict[str, jax.Array]]], *, split_inputs: bool, overwrite: bool = True
) -> Callable[..., tuple[Any, dict[str, jax.Array]]]:
    """Compiles one run's `advance(state, inputs, step, key) -> (state, metrics)` for all devices.

    The state goes in and comes out whole and is overwritten in place (unless overwrite is False); `inputs` are split
    over the devices (their leading axis) or given whole to each; metrics are averaged.
    """

    def on_each_device(rank, state, inputs, step, key):
        del rank  # pmap wants one argument that is split.
        state, metrics = advance(state, inputs, step, key)
        return state, mean(metrics)

    mapped = jax.pmap(
        on_each_device,
        axis_name=AXIS,
        in_axes=(0, None, 0 if split_inputs else None, None, None),
        out_axes=None,
        donate_argnums=(1,) if overwrite else (),
    )
    return functools.partial(mapped, split(np.arange(jax.local_device_count())))


def compile_runs(
    advance: Callable[..., tuple[Any, dict[str, jax.Array]]],
) -> Callable[..., tuple[Any, dict[str, jax.Array]]]:
    """Compiles `advance` for many runs side by side, each whole on its own device: nothing crosses between devices.

    States, keys and metrics are [local devices, runs per device, ...]; inputs and step are shared by all.
    """
    return jax.pmap(jax.vmap(on_one_device(advance), (0, None, None, 0)), in_axes=(0, None, None, 0), donate_argnums=0)


def on_one_device(function: Callable) -> Callable:
    """The function as it is on a machine with one device: its averages over devices are those of one."""
    named = jax.vmap(lambda rank, args: function(*args), (0, None), axis_name=AXIS)
    return lambda *args: jax.tree.map(lambda leaf: leaf[0], named(jnp.zeros(1), args))
