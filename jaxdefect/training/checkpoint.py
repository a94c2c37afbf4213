"""Checkpoints that survive a kill, a full disk and a flipped bit.

Orbax writes a step under a temporary name and renames it, so a step is there whole or not at all. It restores flipped
bits silently; so each step carries a checksum of its values, and a step that fails it is set aside for the one before.
What is told of a step beside its values (its loss, the loop's progress) is sealed by a checksum of its own.
"""

import hashlib
import json
import logging
import math
import re
import shutil
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from jaxdefect import parallel

FULL = re.compile("No space left|RESOURCE_EXHAUSTED|quota exceeded", re.IGNORECASE)  # how Orbax tells of a full disk
SAID = 200  # characters of an error of Orbax, which may go on for thousands


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


def seal(fields: dict[str, Any]) -> str:
    """SHA-256 of a table as JSON. Kept beside the table, it tells whether anything in that was changed."""
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


class OtherState(ValueError):
    """A sound checkpoint of another detector, of other settings or of another version."""


class Damaged(ValueError):
    """A file that cannot be read as it was written."""


class Checkpoints:
    """The checkpoints of one folder: the last `keep`, and the one with the lowest `loss`.

    read_only: nothing is written, moved or removed; else half checkpoints of killed processes are removed, for only
    one process at a time may write here. In a job of several processes all of them call every method; the first writes.
    """

    def __init__(self, folder: str | Path, *, keep: int = 2, read_only: bool = False):
        self.folder = Path(folder).absolute()
        self._keep, self._read_only = keep, read_only
        self._manager = self._open()

    def save(self, step: int, state: Any, *, loss: float, progress: dict[str, Any]) -> None:
        """Saves a state and the loop's own progress (JSON) as `step`. Raises OSError, with the remedy, if it can't."""
        state = jax.device_get(state)  # Orbax refuses the outputs of pmap in a job of several processes.
        about = {"checksum": checksum(state), "layout": layout(jax.tree.map(np.asarray, state)), "loss": float(loss),
                 "progress": progress}  # fmt: skip
        about["seal"] = seal(about)
        args = ocp.args.Composite(state=ocp.args.StandardSave(state), about=ocp.args.JsonSave(about))
        try:
            if step in self._manager.all_steps():
                self._manager.delete(step)
            self._manager.save(step, args=args, force=True)
        except Exception as error:  # Orbax wraps a full disk in errors of tensorstore.
            last = max(self.steps(), default=None)
            kept = f"the checkpoint of step {last} is kept" if last is not None else "none was kept before it"
            raise OSError(f"could not write the checkpoint of step {step} to {self.folder} ({kept}): {_reason(error)}; "
                          "free space there, then run the same command again") from error  # fmt: skip

    def steps(self) -> list[int]:
        """The steps that look complete, oldest first."""
        return sorted(int(path.name) for path in self.folder.glob("*") if path.name.isdigit() and path.is_dir())

    def restore(self, template: Any, *, best: bool = False) -> tuple[int, Any, dict[str, Any]] | None:
        """(step, state, progress) of the last sound checkpoint, or of the one of the lowest loss; None without any.

        template: a tree of arrays or shapes. A broken checkpoint is moved to the folder `<folder>-broken`, which a
        warning tells. Raises Damaged if all are broken, and OtherState, with all left in place, if its arrays are
        not those of the template.
        """
        tried = []
        while candidates := [step for step in self.steps() if step not in tried]:
            # What cannot be read may have been the best: it comes first, and is told of.
            by_loss = lambda step: self._loss(step, unknown=-math.inf)
            step = min(candidates, key=by_loss) if best else candidates[-1]
            try:
                return step, *self._read(step, template)
            except OtherState:
                raise
            except Exception as error:
                tried.append(step)
                aside = "left out" if self._read_only else "set aside"
                warnings.warn(f"checkpoint {self.folder / str(step)} is broken and {aside}: {error}", stacklevel=2)
                self._set_aside(step)
        if tried:
            raise Damaged(f"no sound checkpoint in {self.folder} (tried steps {tried})")
        return None

    def close(self) -> None:
        self._manager.close()

    def _open(self) -> ocp.CheckpointManager:
        options = ocp.CheckpointManagerOptions(
            preservation_policy=self, enable_async_checkpointing=False,
            lightweight_initialize=True,  # Else one damaged file of metadata would keep all steps from being read.
            read_only=self._read_only, create=not self._read_only, cleanup_tmp_directories=not self._read_only,
            save_interval_steps=0 if self._read_only else 1,
        )  # fmt: skip
        orbax = logging.getLogger("absl")
        level = orbax.level
        if self._read_only:
            orbax.setLevel(logging.ERROR)  # It warns that what is only read is only read.
        try:
            return ocp.CheckpointManager(self.folder, options=options)
        finally:
            orbax.setLevel(level)

    def should_preserve(self, checkpoints: Sequence[Any], *, context: Any) -> list[bool]:
        """Orbax's question after each save, which it asks of its policy."""
        del context
        losses = [self._loss(kept.step, unknown=math.inf) for kept in checkpoints]
        best = losses.index(min(losses))
        return [place == best or place >= len(losses) - self._keep for place in range(len(losses))]

    def _loss(self, step: int, *, unknown: float) -> float:
        try:
            return float(self._about(step)["loss"])
        except Exception:
            return unknown

    def _about(self, step: int) -> dict[str, Any]:
        """What is told of a step. Raises whatever a damaged file makes Orbax raise, or ValueError."""
        about = self._json(step, "about")
        if "seal" not in about:  # Of an earlier version, where Orbax kept the loss.
            return self._json(step, "metrics") | about
        if about.pop("seal") != seal(about):
            raise ValueError("what is told of it does not match its checksum (a damaged file)")
        return about

    def _json(self, step: int, item: str) -> dict[str, Any]:
        return self._manager.restore(step, args=ocp.args.Composite(**{item: ocp.args.JsonRestore()}))[item]

    def _read(self, step: int, template: Any) -> tuple[Any, dict[str, Any]]:
        shapes = jax.tree.map(lambda leaf: np.empty(leaf.shape, leaf.dtype), template)
        about = self._about(step)
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
        if self._read_only:
            return
        if parallel.is_main():
            aside = self.folder.with_name(self.folder.name + "-broken") / str(step)
            shutil.rmtree(aside, ignore_errors=True)
            aside.parent.mkdir(exist_ok=True)
            (self.folder / str(step)).rename(aside)
        self._manager.close()
        self._manager = self._open()


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    return "the disk is full" if FULL.search(text) else text if len(text) <= SAID else f"{text[:SAID]} …"
