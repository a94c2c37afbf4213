"""Class embeddings (CE): a row of attributes for each surface class, and sums over classes.

A class embedding is a row of attributes [A] of unit length, as TF-VAEGAN reads them; a surface is its row's index.
"""

from collections.abc import Mapping, Sequence

import jax
import numpy as np
from jax import lax

from jaxdefect import parallel
from jaxdefect.detector import Batch


def embedding_table(attributes: Mapping[str, Sequence[float]] | Sequence[tuple[str, Sequence[float]]]) -> np.ndarray:
    """The class embeddings [K, A] of unit length, in the order given: {class: attributes} or pairs of the two.

    Raises ValueError for rows that differ in length, are no finite numbers, or all zero (which have no direction).
    """
    rows = dict(attributes)
    if len(rows) != len(attributes) or not rows:
        raise ValueError(f"data.attributes holds {len(attributes)} rows for {len(rows)} classes; give each class "
                         "exactly one row")  # fmt: skip
    length = len(next(iter(rows.values())))
    for name, row in rows.items():
        if len(row) != length or not length:
            raise ValueError(f"data.attributes: class {name!r} has {len(row)} attributes where the first class has "
                             f"{length}; give every class a number for each attribute")  # fmt: skip
        if not np.isfinite(row).all() or not np.any(row):
            raise ValueError(f"data.attributes: class {name!r} has the attributes {tuple(row)}; give finite "
                             "numbers of which at least one is not 0")  # fmt: skip
    values = np.array(list(rows.values()), np.float32)
    return values / np.linalg.norm(values, axis=1, keepdims=True)


def sum_by_class(values: jax.Array, surface: jax.Array, classes: int) -> jax.Array:
    """[B, ...] summed over the images of each surface class, all devices': [classes, ...]."""
    return lax.psum(jax.ops.segment_sum(values, surface, classes), parallel.AXIS)


def check_surfaces(batch: Batch) -> None:
    """Raises ValueError where images come without the class of their surface."""
    if batch.surface is None:
        raise ValueError("the batch has no surfaces, which this detector learns to tell apart; set train.supervision = "
                         "'surfaces' and data.surfaces_as_classes = True")  # fmt: skip
