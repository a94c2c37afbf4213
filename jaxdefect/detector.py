"""What a detector is: a few pure functions over an opaque state, and where detectors are found.

Images are [B, H, W, C] float32 in [0, 1]; a higher score is worse. Everything a method does while it trains (several
players, phases, a memory) stays inside `step`, so the loop that calls it never learns what "adversarial" means.
"""

import difflib
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

State = Any  # A pytree: parameters, batch statistics, optimiser states, memory, what calibration gathered.


class Batch(NamedTuple):
    """What a step learns from. Labels are there only where the feed was asked for them."""

    image: jax.Array | None  # [B, H, W, C] float32 in [0, 1]; None where features stand in its place
    mask: jax.Array | None = None  # [B, H, W] float32, 1 on defects
    label: jax.Array | None = None  # [B] int32, 1 is defective (or of an unseen surface)
    surface: jax.Array | None = None  # [B] int32, the surface class
    paired_image: jax.Array | None = None  # [B, H, W, C], each an image of the other half of the training set
    has_mask: jax.Array | None = None  # [B] float32, 0 where a defective image has no mask: only its label is known
    features: jax.Array | None = None  # [B, F] float32, what a frozen backbone makes of each image
    kind: jax.Array | None = None  # [B] int32, 0 is good, the others are kinds of defect in the order of the config
    target: jax.Array | None = None  # [B, H, W, C], the image before it was given a flaw; None where it was given none
    severity: jax.Array | None = None  # [B, H, W] in [0, 1], how much a flaw made to order changed each pixel

    @property
    def clean(self) -> jax.Array:
        """[B, H, W, C]: what a reconstruction should be, the image without the flaws it was given."""
        return self.image if self.target is None else self.target


class Scores(NamedTuple):
    """What a detector says of a batch of images; a higher score is worse."""

    image: jax.Array  # [B]
    map: jax.Array | None = None  # [B, H, W], as large as the image
    reconstruction: jax.Array | None = None  # [B, H, W, C] in [0, 1]
    surface: jax.Array | None = None  # [B] int32
    classes: jax.Array | None = None  # [B, K] how well each surface class fits; the higher the better
    embedding: jax.Array | None = None  # [B, A] the attributes an image seems to have
    kinds: jax.Array | None = None  # [B, 1 + K] how likely an image is good, or has each kind of defect; rows sum to 1
    boxes: jax.Array | None = None  # [B, N, 5] top, left, bottom, right in pixels, and a score; 0 where there is none


def no_training(state: State, batch: Batch, key: jax.Array) -> tuple[State, dict[str, jax.Array]]:
    """The step of a detector that learns nothing by steps: its config says train.steps = 0."""
    del batch, key
    return state, {"loss": jnp.zeros(())}


def no_calibration(state: State, images: jax.Array) -> State:
    """The calibration of a detector whose map needs no statistics of normal images."""
    del images
    return state


def no_finalization(state: State) -> State:
    """For a detector that scores with what calibration gathered as it is."""
    return state


class FrozenBackbone(NamedTuple):
    """What a detector that looks through a backbone which never learns adds to the seam, so that features are computed
    once for all runs that need them.

    name: the backbone and the size it sees, for progress bars. init: () -> the backbone, as every run has it.
    embed: (backbone, images) -> features [B, F]. score: (state, features) -> Scores, as `Detector.score` of the images.
    Such a detector also steps on batches that hold features in place of images.
    """

    name: str
    init: Callable[[], Any]
    embed: Callable[[Any, jax.Array], jax.Array]
    score: Callable[[State, jax.Array], Scores]


class Detector(NamedTuple):
    """The seam between methods and everything else. All its functions are pure and jit-able.

    init:      (key, batch) -> state.
    step:      (state, batch, key) -> (state, metrics); one update of every player. `metrics` holds scalars, `loss`
               among them. The key is the same on every device: noise per sample takes `parallel.sample_keys`.
    score:     (state, images) -> Scores. Depends on nothing but the state and that image: not on its neighbours.
    calibrate: (state, images) -> state, folded over the normal training images once trained: each once, in their order.
               Thresholds are then fitted on held-out images that neither has seen.
    finalize:  state -> state, once, when all have been folded in: what is costly and the same for every image scored.
    frozen:    the backbone that it looks through, if there is one that never learns.
    image_score: (state, maps [B, H, W], size int [2]) -> [B], where an image's score follows from its map alone, of
               which the first `size` rows and columns are the image's and the others mirror it. Where a detector has no
               such rule, an image that is scored in tiles has the score of its worst tile.
    """

    init: Callable[[jax.Array, Batch], State]
    step: Callable[[State, Batch, jax.Array], tuple[State, dict[str, jax.Array]]]
    score: Callable[[State, jax.Array], Scores]
    calibrate: Callable[[State, jax.Array], State] = no_calibration
    finalize: Callable[[State], State] = no_finalization
    frozen: FrozenBackbone | None = None
    image_score: Callable[[State, jax.Array, jax.Array], jax.Array] | None = None


def check_size(batch: Batch, size: int) -> None:
    """Raises ValueError unless a batch holds images of size x size pixels, for detectors of one size."""
    height, width = batch.image.shape[1:3]
    if (height, width) != (size, size):
        raise ValueError(f"training images are {height} x {width} pixels (train.patch), but settings.size = {size}; "
                         "such a detector is trained on images of its own size: set both to the same")  # fmt: skip


def check_multiple(size: int, factor: int) -> None:
    """Raises ValueError unless settings.size is a multiple of what a network shrinks a side by."""
    if size % factor or size < factor:
        near = max(factor, size // factor * factor)
        raise ValueError(f"settings.size = {size} pixels; the encoder shrinks a side to 1/{factor}: "
                         f"use a multiple of {factor} such as {near} or {near + factor}")  # fmt: skip


def names() -> list[str]:
    """The detectors there are: the files of `jaxdefect/detectors`."""
    package = importlib.import_module("jaxdefect.detectors")
    return sorted(module.name for module in pkgutil.iter_modules(package.__path__))


def load(name: str) -> Callable[..., Detector]:
    """Returns `make` of `jaxdefect/detectors/<name>.py`. Raises ValueError for a name that is no file there."""
    if name not in names():
        raise ValueError(f"no detector named {name!r}{nearest(name, names())}")
    return importlib.import_module(f"jaxdefect.detectors.{name}").make


def parameters(name: str) -> frozenset[str]:
    """What `make` of a detector asks for: its settings, and facts that a launcher knows of the data and the run
    (such as `weights`, `steps`, `kinds`, `attributes`)."""
    return frozenset(inspect.signature(load(name)).parameters)


def nearest(name: str, names: Sequence[str]) -> str:
    """The end of an error about an unknown name: the nearest one and all there are."""
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return (f"; did you mean {near[0]!r}?" if near else ";") + f" There are: {', '.join(names)}"
