"""Checkpoints that survive a kill, a full disk and a flipped bit.

Orbax writes a step under a temporary name and renames it, so a step is there whole or not at all. It restores flipped
bits silently; so each step carries a checksum of its values, and a step that fails it is set aside for the one before.
"""

import hashlib
import shutil
import warnings
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from orbax.checkpoint import checkpoint_managers as policies

from jaxdefect import parallel


def checksum(tree: Any) -> str:
    """SHA-256 over the paths, types, shapes and bytes of a tree's leaves."""
    digest = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        leaf = np.asarray(leaf)
        digest.update(f"{jax.tree_util.keystr(path)} {leaf.dtype} {leaf.shape}".encode())
        digest.update(leaf.tobytes())
    return digest.hexdigest()


def layout(tree: Any) -> str:
    """SHA-256 over the paths, types and shapes of a tree's leaves, arrays or shapes."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    named = [f"{jax.tree_util.keystr(path)} {leaf.dtype} {leaf.shape}" for path, leaf in leaves]
    return hashlib.sha256("\n".join(named).encode()).hexdigest()


class OtherState(ValueError):
    """A sound checkpoint of another detector, of other settings or of another version."""


class Checkpoints:
    """The checkpoints of one folder: the last `keep`, and the one with the lowest `loss`.

    In a job of several processes all of them call every method; the first writes.
    """

    def __init__(self, folder: str | Path, *, keep: int = 2):
        self.folder = Path(folder).absolute()
        loss = lambda metrics: metrics["loss"]
        keepers = [policies.LatestN(keep), policies.BestN(get_metric_fn=loss, reverse=True, n=1)]
        options = ocp.CheckpointManagerOptions(
            preservation_policy=policies.AnyPreservationPolicy(keepers),
            best_fn=loss,
            best_mode="min",
            enable_async_checkpointing=False,
        )
        self._manager = ocp.CheckpointManager(self.folder, options=options)

    def save(self, step: int, state: Any, *, loss: float, progress: dict[str, Any]) -> None:
        """Saves a state and the loop's own progress (JSON) as `step`. Raises OSError, with the remedy, if it can't."""
        state = jax.device_get(state)  # Orbax refuses the outputs of pmap in a job of several processes.
        about = {"checksum": checksum(state), "layout": layout(jax.tree.map(np.asarray, state)), "progress": progress}
        args = ocp.args.Composite(state=ocp.args.StandardSave(state), about=ocp.args.JsonSave(about))
        try:
            self._manager.save(step, args=args, metrics={"loss": float(loss)}, force=True)
        except Exception as error:  # Orbax wraps a full disk in errors of tensorstore.
            last = max(self.steps(), default=None)
            kept = f"the checkpoint of step {last} is kept" if last is not None else "none was kept before it"
            raise OSError(f"could not write the checkpoint of step {step} to {self.folder} ({kept}); "
                          f"free space there and run the same command again: {error}") from error  # fmt: skip

    def steps(self) -> list[int]:
        """The steps that look complete, oldest first."""
        self._manager.reload()
        return sorted(self._manager.all_steps())

    def restore(self, template: Any, *, step: int | None = None) -> tuple[int, Any, dict[str, Any]] | None:
        """The last sound checkpoint (or that of `step`) as (step, state, progress); None if there never was one.

        template: a tree of arrays or shapes. A broken checkpoint is moved to the folder `<folder>-broken`
        and reported as a warning. Raises ValueError if all are broken, and OtherState, with all left in place, if its
        arrays are not those of the template.
        """
        candidates = [step] if step is not None else self.steps()[::-1]
        for candidate in candidates:
            try:
                return candidate, *self._read(candidate, template)
            except OtherState:
                raise
            except Exception as error:
                warnings.warn(
                    f"checkpoint {self.folder / str(candidate)} is broken and set aside: {error}", stacklevel=2
                )
                self._set_aside(candidate)
        if candidates:
            raise ValueError(
                f"no sound checkpoint in {self.folder} (tried steps {candidates}); train again in a new folder"
            )
        return None

    def best(self) -> int | None:
        """The step with the lowest training loss."""
        return self._manager.best_step()

    def close(self) -> None:
        self._manager.close()

    def _read(self, step: int, template: Any) -> tuple[Any, dict[str, Any]]:
        shapes = jax.tree.map(lambda leaf: np.empty(leaf.shape, leaf.dtype), template)
        about = self._manager.restore(step, args=ocp.args.Composite(about=ocp.args.JsonRestore())).about
        try:
            state = self._manager.restore(step, args=ocp.args.Composite(state=ocp.args.StandardRestore(shapes))).state
            if checksum(state) != about["checksum"]:
                raise ValueError("its values do not match their checksum (a damaged file)")
            if layout(state) != layout(shapes):  # Orbax gives arrays as they were saved, whatever was asked for.
                raise ValueError("its arrays have other names, types or shapes than those of this state")
        except Exception as error:
            if about.get("layout", layout(shapes)) == layout(shapes):  # Older checkpoints do not tell.
                raise
            raise OtherState(f"{self.folder / str(step)} holds the state of another detector, of other settings or of "
                             "another version: its arrays have other names, types or shapes; go on with the settings "
                             "and the version it was trained with, or train in a new folder") from error  # fmt: skip
        return state, about["progress"]

    def _set_aside(self, step: int) -> None:
        if parallel.is_main():
            aside = self.folder.with_name(self.folder.name + "-broken") / str(step)
            shutil.rmtree(aside, ignore_errors=True)
            aside.parent.mkdir(exist_ok=True)
            (self.folder / str(step)).rename(aside)
        self._manager.reload()
