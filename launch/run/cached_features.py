"""What a frozen backbone makes of the images of a dataset: computed once, kept on disk for all runs that need it."""

import functools
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from data_pipeline import Split
from data_pipeline.load import default_cache
from jaxdefect import scoring
from jaxdefect.backbones import trainable, weights
from jaxdefect.training.loop import quick_to_compile
from launch.command import console, files
from launch.run.data import Data

VERSION = 1  # Raise it when a backbone would make other features of the same image and weights.
AT_ONCE = 16  # images through the backbone in one call


def cached(config: ConfigDict) -> bool:
    """Whether a config's detector looks at images through a backbone that training leaves as it is."""
    return config.settings.get("backbone_steps") == 0


def key(config: ConfigDict) -> str | None:
    """What features depend on beside the images: the backbone, its weights, the size it sees. None without one."""
    if not cached(config):
        return None
    knobs = config.settings
    about = (knobs.backbone, knobs.backbone_width, knobs.backbone_size)
    source = weights.digest(knobs.weights) if knobs.weights else _drawn(*about)
    return json.dumps([VERSION, *about, source])


@functools.cache
def _drawn(backbone: str, width: int, size: int) -> str:
    """A digest of random weights: what is drawn may change with a release of any library."""
    leaves = jax.tree.leaves(_frozen(backbone, width, size, "")[1])
    return hashlib.sha256(b"".join(np.asarray(leaf).tobytes() for leaf in leaves)).hexdigest()


def _frozen(backbone: str, width: int, size: int, file: str) -> tuple[trainable.Extractor, Any]:
    look = trainable.extractor(backbone=backbone, width=width, size=size, file=file, steps=0, rate=0.0, classes=0)
    return look, jax.jit(look.init, compiler_options=quick_to_compile())(jax.random.key(0))


def of(config: ConfigDict, data: Data, split: Split) -> np.ndarray:
    """The features [N, F] of a split's images, float32, in its order.

    They lie in the cache under a key of weights and images. What is missing there is computed and added; the file
    appears whole or not at all, and a damaged one is made anew.
    """
    digest = hashlib.sha256(json.dumps([data.seen.fingerprint, key(config)]).encode()).hexdigest()[:16]
    path = default_cache() / "features" / f"{data.seen.name}-{digest}.npz"
    known = _read(path)
    missing = [place for place, record in enumerate(split.records) if record.id not in known]
    if missing:
        known |= _computed(config, split.part(missing))
        known = _read(path) | known  # Another process may have added to it meanwhile.
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, ids=np.array(list(known)), features=np.stack(list(known.values())))
        with files.replacing(path, "wb") as file:
            file.write(buffer.getvalue())
    return np.stack([known[record.id] for record in split.records])


def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return dict(zip(archive["ids"].tolist(), archive["features"], strict=True))
    except FileNotFoundError:
        return {}
    except Exception:  # Whatever zipfile and numpy make of a damaged file: it is only a copy.
        return {}


def _computed(config: ConfigDict, split: Split) -> dict[str, np.ndarray]:
    knobs = config.settings
    extract, backbone = _frozen(knobs.backbone, knobs.backbone_width, knobs.backbone_size, knobs.weights)
    look = jax.jit(lambda backbone, images: extract.features(backbone, scoring.as_float(images)))
    found = {}
    with console.progress_bar() as bar:
        task = bar.add_task("features ", total=len(split), note=knobs.backbone)
        for batch in _alike(split):
            filled = [split[i].image for i in batch] + [split[batch[0]].image] * (AT_ONCE - len(batch))
            values = np.asarray(look(backbone, np.stack(filled)))
            found |= {split.records[i].id: value for i, value in zip(batch, values, strict=False)}
            bar.advance(task, len(batch))
    return found


def _alike(split: Split) -> list[list[int]]:
    """Places of a split in batches of images of one size, so that few programs are compiled."""
    sizes: dict[tuple[int, int], list[int]] = {}
    for place, record in enumerate(split.records):
        sizes.setdefault((record.height, record.width), []).append(place)
    return [places[i : i + AT_ONCE] for places in sizes.values() for i in range(0, len(places), AT_ONCE)]
