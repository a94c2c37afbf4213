"""Structured pruning: a trained detector with fewer channels, not with zeros among them.

The widths of a detector are settings, so a pruned detector comes from the same `make` with smaller widths, and its
weights are a choice of the trained weights. Which elements belong to one channel is asked of the detector (`channels`).
The answer is proven before it is used: the full detector with the channels silenced that are to go and the smaller one
must score alike. A width for which they do not is left alone.

Source: Li et al., "Pruning Filters for Efficient ConvNets", ICLR 2017 (rank by the norm of the filter); Liu et al.,
"Learning Efficient Convolutional Networks through Network Slimming", ICCV 2017 (by the scale of the normalisation).
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdefect.detector import Batch, Detector, State
from jaxdefect.pruning import channel_groups
from jaxdefect.pruning.channel_groups import Channels, Leaves, Probe, Shapes, mask_channels, shapes_of
from jaxdefect.training import loop

CLOSE = 1e-3  # of the largest value: how far two scores that are to be equal may be apart
RANKS = ("magnitude", "bn_scale")
Settings = dict[str, Any]
Width = tuple[str, int | None]  # a setting, and the place in it if it is a tuple


class Plan(NamedTuple):
    """How a detector becomes smaller."""

    settings: Settings  # of the smaller one
    skipped: dict[str, str]  # widths that stay as they are, and why
    channels: Channels
    scored: frozenset[str]  # the leaves that scores depend on


def plan(make: Callable[..., Detector], settings: Settings, batch: Batch, *, keep: float) -> Plan:
    """How to keep this share of every width of a detector, one channel at least.

    batch: a training batch (shapes are enough). Raises ValueError for a share outside (0, 1], and for a detector whose
    scores depend on no width that can be cut, saying why.
    """
    if not 0 < keep <= 1:
        raise ValueError(f"keep = {keep}; give the share of the channels that stay, above 0 and up to 1, such as 0.5")
    shapes = shapes_of(make(**settings), batch)
    widths = dict(_widths(make, settings, batch, shapes, keep))
    probe = channel_groups.probe_of(make(**settings), batch, {axis for axes in widths.values() for axis in axes})
    widths = {width: axes for width, axes in widths.items() if _is_width(axes, probe.scored, shapes)}
    scored_axes = {axis for axes in widths.values() for axis in axes if axis[0] in probe.scored}
    channels = channel_groups.channels_of(probe, scored_axes)
    skipped = {}

    def leave(width: Width, why: str) -> None:
        skipped[_name(width)] = why
        del widths[width]

    cut = lambda those: Plan(_smaller(settings, those, keep), skipped, channels, probe.scored)
    while widths and (open_axis := _unresolved(cut(widths), make, batch, shapes)):
        for width in [width for width, axes in widths.items() if open_axis in axes]:
            leave(width, f"which channels {open_axis[0]} reads or writes along axis {open_axis[1]} cannot be told")
    if widths and not _proven(cut(widths), probe, make, batch):
        for width in list(widths):
            if not _proven(cut([width]), probe, make, batch):
                leave(width, "without the channels that nobody reads the scores are others")
    if not widths and keep < 1:
        whys = "; ".join(f"settings.{name}: {why}" for name, why in skipped.items())
        raise ValueError(f"nothing to prune: no setting of the detector is a width that {keep:g} of can be kept"
                         + (f" ({whys})" if whys else ""))  # fmt: skip
    return cut(widths)


def prune(
    planned: Plan, make: Callable[..., Detector], state: State, batch: Batch, *, rank: str, key: jax.Array
) -> State:
    """The state of the smaller detector: of every layer the channels that matter most.

    What scores do not depend on (optimisers, counters, calibration, a discriminator) starts afresh, drawn from the key.
    rank: "magnitude", the sum of a filter's absolute weights, or "bn_scale", that times its normalisation's scale.
    Raises ValueError for another rank.
    """
    if rank not in RANKS:
        raise ValueError(f"rank = {rank!r} is not known; use one of {', '.join(RANKS)}")
    fresh = loop.jit_once(make(**planned.settings).init)(key, channel_groups.concrete(batch))
    kept = _kept(planned, channel_groups.by_path(state), channel_groups.shapes_by_path(fresh), rank)
    return _sliced(planned, state, fresh, kept)


def removed(planned: Plan, make: Callable[..., Detector], state: State, batch: Batch, *, rank: str) -> np.ndarray:
    """The numbers of the channels that `prune` leaves out, in `planned.channels`."""
    new = shapes_of(make(**planned.settings), batch)
    kept = _kept(planned, channel_groups.by_path(state), new, rank)
    return np.setdiff1d(
        np.concatenate([*channel_groups.layers(planned.channels.written).values(), np.zeros(0, int)]), kept
    )


def _widths(
    make: Callable[..., Detector], settings: Settings, batch: Batch, shapes: Shapes, keep: float
) -> Iterator[tuple[Width, set]]:
    """The whole numbers among the settings that change axes of leaves and nothing else, with those axes."""
    numbers = [((name, None), value) for name, value in settings.items()]
    for name, value in settings.items():
        numbers += [((name, place), part) for place, part in enumerate(value)] if isinstance(value, tuple) else []
    for width, value in numbers:
        if isinstance(value, bool) or not isinstance(value, int) or value < 2:
            continue
        # Where a smaller number makes no difference (keep = 1, or 2 channels), a larger one tells.
        changed = _smaller(settings, [width], keep)
        changed = changed if changed != settings else _smaller(settings, [width], (value + 1) / value)
        try:
            changed_shapes = shapes_of(make(**changed), batch)
        except (ValueError, TypeError):
            continue  # Such as the side of a kernel, which is odd.
        if changed_shapes.keys() != shapes.keys():
            continue
        if any(len(changed_shapes[path]) != len(shapes[path]) for path in shapes):
            continue
        axes = {
            (path, place - len(shape))
            for path, shape in shapes.items()
            for place, (before, after) in enumerate(zip(shape, changed_shapes[path], strict=True))
            if before != after
        }
        if axes:
            yield width, axes


def _is_width(axes: set, scored: frozenset[str], shapes: Shapes) -> bool:
    scored_axes = {axis for path, axis in axes if path in scored}
    filters = any(axis == -1 and len(shapes[path]) > 1 for path, axis in axes if path in scored)
    return filters and scored_axes <= {-1, -2}


def _smaller(settings: Settings, widths: Any, keep: float) -> Settings:
    changed = dict(settings)
    share = lambda value: max(1, round(keep * value))
    for name, place in widths:
        old = changed[name]
        changed[name] = share(old) if place is None else (*old[:place], share(old[place]), *old[place + 1 :])
    return changed


def _name(width: Width) -> str:
    return width[0] if width[1] is None else f"{width[0]}[{width[1]}]"


def _unresolved(cut: Plan, make: Callable[..., Detector], batch: Batch, shapes: Shapes) -> tuple[str, int] | None:
    """An axis that would not get the size the smaller detector wants, if any."""
    new = shapes_of(make(**cut.settings), batch)
    for paths, layer in channel_groups.layers(cut.channels.written).items():
        shares = {new[path][-1] * len(layer) / shapes[path][-1] for path in paths}
        if len(shares) > 1 or not min(shares).is_integer():
            return min(paths), -1
    ones = {path: np.ones(shapes[path]) for path in cut.scored}
    kept = _kept(cut, ones, new, "magnitude")
    for which, labels_of in ((-1, cut.channels.written), (-2, cut.channels.read)):
        for path, labels in labels_of.items():
            if (labels < 0).sum() + np.isin(labels, kept).sum() != new[path][which]:
                return path, which
    return None


def _kept(planned: Plan, leaves: Leaves, new: Shapes, rank: str) -> np.ndarray:
    """The numbers of the channels that stay."""
    written = planned.channels.written
    kept = []
    for paths, layer in channel_groups.layers(written).items():
        path = min(paths)
        count = round(new[path][-1] * len(layer) / len(written[path]))
        weight = _importance(written, {path: leaves[path] for path in paths}, rank)[layer]
        kept.append(layer[np.sort(np.argsort(-weight, kind="stable")[:count])])
    return np.concatenate(kept) if kept else np.zeros(0, int)


def _importance(written: dict[str, np.ndarray], leaves: Leaves, rank: str) -> np.ndarray:
    """By channel, of those these leaves make; 0 for others."""
    count = 1 + max(labels.max() for labels in written.values())

    def total(path: str) -> np.ndarray:
        leaf = np.abs(np.asarray(leaves[path], np.float64))
        return np.bincount(written[path], leaf.reshape(-1, leaf.shape[-1]).sum(0), minlength=count)

    weight = sum((total(path) for path in leaves if leaves[path].ndim > 1), np.zeros(count))
    scales = [total(path) for path in leaves if path.endswith("['scale']")]
    return weight * sum(scales) if scales and rank == "bn_scale" else weight


def _sliced(planned: Plan, state: State, fresh: State, kept: np.ndarray) -> State:
    leaves, chosen = channel_groups.by_path(state), {}
    for path, new in channel_groups.by_path(fresh).items():
        if path not in planned.scored:
            continue
        leaf = np.asarray(leaves[path])
        for axis, labels_of in ((-1, planned.channels.written), (-2, planned.channels.read)):
            if leaf.ndim >= -axis and leaf.shape[axis] != new.shape[axis]:
                labels = labels_of[path]
                leaf = np.compress((labels < 0) | np.isin(labels, kept), leaf, axis % leaf.ndim)
        chosen[path] = jnp.asarray(leaf)
    return channel_groups.with_leaves(fresh, chosen)


def _proven(cut: Plan, probe: Probe, make: Callable[..., Detector], batch: Batch) -> bool:
    """Whether the smaller detector scores as the full one does when the channels that are to go are silent."""
    detector = make(**cut.settings)
    fresh = loop.jit_once(detector.init)(jax.random.key(0), channel_groups.concrete(batch))
    gone = removed(cut, make, probe.state, batch, rank="magnitude")
    kept = _kept(cut, channel_groups.by_path(probe.state), channel_groups.shapes_by_path(fresh), "magnitude")
    full = loop.jit_once(probe.detector.score)(mask_channels(probe.state, cut.channels, gone), probe.images)
    small = loop.jit_once(detector.score)(_sliced(cut, probe.state, fresh, kept), probe.images)
    return all(alike(getattr(full, name), getattr(small, name)) for name in probe.fields)


def alike(first: jax.Array, second: jax.Array) -> bool:
    """Whether two scores are equal to rounding."""
    return bool(jnp.max(jnp.abs(first - second)) <= CLOSE * jnp.max(jnp.abs(first)))
