"""What a frozen backbone makes of the images of a dataset: computed once, kept on disk for all runs that need it."""

import functools
import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import jax
import numpy as np

from data_pipeline import Split
from data_pipeline.load import default_cache
from jaxdefect import scoring
from jaxdefect.detector import FrozenBackbone
from jaxdefect.training.loop import jit_once
from launch.command import files
from launch.command.console import progress_bar
from launch.run.data import Data

VERSION = 2  # Raise it when a backbone would make other features of the same image and weights.
AT_ONCE = 16  # images through the backbone in one call


def identity(frozen: FrozenBackbone | None) -> str | None:
    """What features depend on beside the images: the backbone, the size it sees, its weights. None without one."""
    return frozen and _identity(frozen.name, frozen.init)


@functools.lru_cache(maxsize=8)
def _identity(name: str, init: Any) -> str:
    # The weights themselves: where they were drawn, a release of any library may draw others.
    leaves = jax.tree.leaves(_init(init))
    digest = hashlib.sha256(json.dumps([VERSION, name]).encode())
    for leaf in leaves:
        digest.update(np.asarray(leaf).tobytes())
    return digest.hexdigest()


@functools.lru_cache(maxsize=2)
def _init(init: Any) -> Any:
    return jax.device_get(jit_once(init)())


def of(frozen: FrozenBackbone, data: Data, split: Split) -> np.ndarray:
    """The features [N, F] of a split's images, float32, in its order.

    They lie in the cache under a key of weights and images. What is missing there is computed and added; the file
    appears whole or not at all, and a damaged one is made anew.
    """
    digest = hashlib.sha256(json.dumps([data.converted.fingerprint, identity(frozen)]).encode()).hexdigest()[:16]
    path = default_cache() / "features" / f"{data.converted.name}-{digest}.npz"
    kept = _read(path)
    missing = [place for place, record in enumerate(split.records) if record.id not in kept]
    if missing:
        kept |= _computed(frozen, split.part(missing))
        kept = _read(path) | kept  # Another process may have added to it meanwhile.
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, ids=np.array(list(kept)), features=np.stack(list(kept.values())))
        files.write_bytes(path, buffer.getvalue())
    return np.stack([kept[record.id] for record in split.records])


def _read(path: Path) -> dict[str, np.ndarray]:
    """Features by image id; none where the file is missing, or damaged: it is only a copy."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            return dict(zip(archive["ids"].tolist(), archive["features"], strict=True))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return {}


def _computed(frozen: FrozenBackbone, split: Split) -> dict[str, np.ndarray]:
    backbone = jax.device_put(_init(frozen.init))
    embed = jax.jit(lambda backbone, images: frozen.embed(backbone, scoring.as_float(images)))
    features = {}
    with progress_bar() as bar:
        task = bar.add_task("features ", total=len(split), note=frozen.name)
        for batch in _alike(split):
            filled = [split[i].image for i in batch] + [split[batch[0]].image] * (AT_ONCE - len(batch))
            values = np.asarray(embed(backbone, jax.device_put(np.stack(filled))))
            features |= {split.records[i].id: value for i, value in zip(batch, values, strict=False)}
            bar.advance(task, len(batch))
    return features


def _alike(split: Split) -> list[list[int]]:
    """Places of a split in batches of images of one size, so that few programs are compiled."""
    sizes: dict[tuple[int, int], list[int]] = {}
    for place, record in enumerate(split.records):
        sizes.setdefault((record.height, record.width), []).append(place)
    return [places[i : i + AT_ONCE] for places in sizes.values() for i in range(0, len(places), AT_ONCE)]
