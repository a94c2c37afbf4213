"""What belongs to one channel of a detector: asked of its `score`, not written down for any network.

The filter that makes a channel, its bias and normalisation, and the slices of the kernels that read it:

1. Slices of kernels are set to 0 at random, time and again. What makes a channel that nobody reads has a gradient of
   exactly 0; all that falls silent at the same times makes the same channel.
2. Channels are silenced at random, all that makes them set to 0. A slice that reads a silent channel has a gradient of
   exactly 0; the times at which it has tell which channel it reads, through concatenations, skips and foldings alike.

Kernels are [..., in, out], what goes with a filter is [out]: the last axis of a leaf is written, the one before it
read. So many probes tell thousands of channels apart, as so many tests of pooled samples tell who is ill.
"""

import itertools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdefect.detector import Batch, Detector, State
from jaxdefect.training import loop

PROBES = 64
SPARE = 6  # of them in which a gradient may also vanish by chance: sums of both signs may round to 0
SIZE = (32, 288)  # of the image probed with: a map of an eighth of it halved thrice still has several pixels
FIXED = -1  # an element of an axis that belongs to no channel which may go, such as one of the image
FIELDS = ("image", "map", "reconstruction", "embedding", "kinds")  # of Scores, as far as they are there
Leaves = dict[str, jax.Array]
Shapes = dict[str, tuple[int, ...]]


class Channels(NamedTuple):
    """Which channel the elements of the axes belong to: [n] integers by leaf, FIXED for none."""

    written: dict[str, np.ndarray]  # of the last axis
    read: dict[str, np.ndarray]  # of the one before it


class Probe(NamedTuple):
    """A detector with random weights, and what of its scores has a gradient."""

    detector: Detector
    state: State
    images: jax.Array  # [1, *SIZE, C]
    fields: tuple[str, ...]
    scored: frozenset[str]
    ask: Callable[[dict], tuple]  # see _asking


def probe_of(detector: Detector, batch: Batch, varying: set[tuple[str, int]]) -> Probe:
    """Random weights under which rectifiers are mostly open, and the scores that have finite gradients there."""
    draw = loop.jit_once(detector.init)
    state, rng = draw(jax.random.key(0), concrete(batch)), np.random.default_rng(1)
    leaves = by_path(state)
    for path in sorted({path for path, _ in varying if "batch_stats" not in path} & floats(state).keys()):
        leaves[path] = _open(rng, leaves[path].shape)
    state = with_leaves(state, leaves)
    images = jnp.asarray(rng.random((1, *SIZE, batch.image.shape[-1]), np.float32))
    there = jax.eval_shape(detector.score, state, images)
    fields = tuple(name for name in FIELDS if getattr(there, name) is not None)
    for names in dict.fromkeys([fields, *itertools.combinations(fields, 1)]):
        ask = _asking(detector, state, images, names, varying)
        _, used, finite = ask({})
        scored = frozenset(path for path, some in used.items() if some)
        if scored and finite:
            return Probe(detector, state, images, names, scored, ask)
    return Probe(detector, state, images, (), frozenset(), ask)  # Nothing that is scored is learned.


def _open(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Weights that keep features positive and of order 1: means of what a kernel sees, biases and scales about 1."""
    if len(shape) == 1:
        return rng.uniform(0.5, 1.5, shape).astype(np.float32)
    drawn = rng.uniform(0, 1, shape) / np.prod(shape[:-1]) if len(shape) > 2 else rng.normal(0, 1, shape)
    return (drawn if len(shape) > 2 else drawn / np.sqrt(shape[0])).astype(np.float32)


def _asking(detector: Detector, state: State, images: jax.Array, fields: tuple[str, ...], axes: set) -> Callable:
    """masks [n] by (leaf, axis) -> what has no gradient when the elements they rule out are 0.

    That is bool [n] for each axis asked for, whether each leaf has one, and whether all are finite.
    """
    leaves, rng = floats(state), np.random.default_rng(2)
    axes = sorted((path, axis) for path, axis in axes if path in leaves and axis >= -min(leaves[path].ndim, 2))
    there = jax.eval_shape(detector.score, state, images)
    mixture = {name: rng.normal(size=getattr(there, name).shape).astype(np.float32) for name in fields}

    def mixed(leaves: Leaves) -> jax.Array:
        scores = detector.score(with_leaves(state, leaves), images)
        return sum(jnp.vdot(weights, getattr(scores, name)) for name, weights in mixture.items())

    @loop.jit_once
    def patterns(leaves: Leaves, masks: dict) -> tuple:
        masked = dict(leaves)
        for (path, axis), mask in masks.items():
            masked[path] = masked[path] * (mask if axis == -1 else mask[:, None])
        gradients = jax.grad(mixed)(masked)
        zero = {(path, axis): jnp.all(_last(gradients[path] == 0, axis), 0) for path, axis in axes}
        finite = jnp.all(jnp.array([jnp.isfinite(gradient).all() for gradient in gradients.values()]))
        return zero, {path: jnp.any(gradient != 0) for path, gradient in gradients.items()}, finite

    ones = {(path, axis): np.ones(leaves[path].shape[axis], bool) for path, axis in axes}
    return lambda masks: jax.device_get(patterns(leaves, ones | masks))


def _last(array: jax.Array, axis: int) -> jax.Array:
    """[-1, n], n along this axis."""
    return jnp.moveaxis(array, axis, -1).reshape(-1, array.shape[axis])


def channels_of(probe: Probe, axes: set) -> Channels:
    """What writes and what reads which channel."""
    rng, leaves = np.random.default_rng(0), floats(probe.state)
    reading, writing = ({(p, a): leaves[p].shape[a] for p, a in sorted(axes) if a == which} for which in (-2, -1))
    codes = {axis: _codes(rng, size) for axis, size in reading.items()}
    rows = [probe.ask({axis: ~code[i] for axis, code in codes.items()})[0] for i in range(PROBES)]
    written = _tied({axis[0]: np.stack([row[axis] for row in rows]) for axis in writing})
    codes = np.zeros((PROBES, 1 + max((labels.max() for labels in written.values()), default=-1)), bool)
    for layer in layers(written).values():
        codes[:, layer] = _codes(rng, len(layer))
    rows = [probe.ask({(path, -1): ~codes[i][labels] for path, labels in written.items()})[0] for i in range(PROBES)]
    seen = {axis[0]: np.stack([row[axis] for row in rows], 1) for axis in reading}
    return Channels(written, {path: _nearest(columns, codes.T) for path, columns in seen.items()})


def _nearest(columns: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """[n]: which of the codes [channels, PROBES] each column [n, PROBES] is but for SPARE places, FIXED for none."""
    if not codes.any():
        return np.full(len(columns), FIXED)
    never_silent = PROBES * ~codes.any(-1)  # Such a channel tells nothing.
    apart = (columns[:, None] != codes).sum(-1) + never_silent
    return np.where(apart.min(1) <= SPARE, apart.argmin(1), FIXED)


def _codes(rng: np.random.Generator, size: int) -> np.ndarray:
    """[PROBES, size] bool: which are silent at what time; never all, lest nothing behind them has a gradient."""
    codes = rng.random((PROBES, size)) < 0.5
    return codes & ~codes.all(1, keepdims=True)


def _tied(seen: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Numbers the channels: what is silent at the same times makes the same channel.

    Codes that are compared with a memory are never silent, however little is read of them; they and the memory's items
    are taken for the same channels place by place, and the proof tells whether they are.
    """
    codes, labels = np.zeros((0, PROBES), bool), {}
    by_place: dict[int, np.ndarray] = {}
    for path, columns in seen.items():
        size = columns.shape[1]
        if not (columns.sum(0) > SPARE).all():
            if size not in by_place:
                by_place[size] = len(codes) + np.arange(size)
                codes = np.concatenate([codes, np.zeros((size, PROBES), bool)])
            labels[path] = by_place[size]
            continue
        for column in columns.T:
            if _nearest(column[None], codes)[0] == FIXED:
                codes = np.concatenate([codes, column[None]])
        labels[path] = _nearest(columns.T, codes)
    return labels


def layers(written: dict[str, np.ndarray]) -> dict[frozenset[str], np.ndarray]:
    """The channels by the leaves that make them."""
    makers: dict[int, set[str]] = {}
    for path, labels in written.items():
        for label in np.unique(labels[labels >= 0]).tolist():
            makers.setdefault(label, set()).add(path)
    layers: dict[frozenset[str], list[int]] = {}
    for label, paths in makers.items():
        layers.setdefault(frozenset(paths), []).append(label)
    return {paths: np.array(channels) for paths, channels in layers.items()}


def mask_channels(state: State, channels: Channels, gone: np.ndarray) -> State:
    """The state with all that makes the channels `gone` (their numbers) set to 0."""
    alive = {path: ~np.isin(labels, gone) for path, labels in channels.written.items()}
    return with_leaves(state, {path: leaf * alive[path] for path, leaf in by_path(state).items() if path in alive})


def shapes_of(detector: Detector, batch: Batch) -> Shapes:
    """The shapes of a fresh state's leaves, by path."""
    return shapes_by_path(jax.eval_shape(detector.init, jax.random.key(0), batch))


def by_path(state: State) -> Leaves:
    """The leaves of a state by their paths, such as ".params['stem']['kernel1']"."""
    return {jax.tree_util.keystr(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(state)}


def shapes_by_path(state: State) -> Shapes:
    """The shapes of those."""
    return {path: leaf.shape for path, leaf in by_path(state).items()}


def floats(state: State) -> Leaves:
    """The leaves that have gradients."""
    return {path: leaf for path, leaf in by_path(state).items() if jnp.issubdtype(leaf.dtype, jnp.floating)}


def with_leaves(state: State, leaves: Leaves) -> State:
    """The state with some of its leaves replaced by these."""
    return jax.tree_util.tree_map_with_path(lambda path, leaf: leaves.get(jax.tree_util.keystr(path), leaf), state)


def concrete(batch: Batch) -> Batch:
    """Two samples of a batch's shapes."""
    return jax.tree.map(lambda leaf: jnp.zeros((2, *leaf.shape[1:]), leaf.dtype), batch)
