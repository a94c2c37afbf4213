"""Batches of flawed images, with what is wrong with them: inside the compiled step, each sample by a key of its own."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxdefect.detector import nearest
from jaxdefect.flaws.kinds import KINDS, contrast
from jaxdefect.maps.residuals import box_filter

SEEN = 0.4  # of an image's contrast: the least change that is called a flaw
SEVERE = 1.2  # of an image's contrast: the change that is half severe
SMALLEST = 16  # pixels a side


class Corrupted(NamedTuple):
    """image [B, H, W, C] in [0, 1]; mask [B, H, W], 1 where it was changed; severity [B, H, W] in [0, 1], how much;
    label [B] int32, 1 where the mask marks any pixel."""

    image: jax.Array
    mask: jax.Array
    severity: jax.Array
    label: jax.Array


def check(kinds: Sequence[str], share: float, noise: float = 0.0, most: int = 1) -> None:
    """Raises ValueError for kinds, a share, a deviation or a number of flaws that make no sense."""
    if not kinds:
        raise ValueError(f"train.corrupt names no flaw; give some of {', '.join(KINDS)}")
    for kind in kinds:
        if kind not in KINDS:
            raise ValueError(
                f"train.corrupt = {tuple(kinds)}: no flaw is named {kind!r}{nearest(str(kind), tuple(KINDS))}"
            )
    if not 0 <= share <= 1:
        raise ValueError(f"train.corrupt_share = {share}; give a share of the images from 0 to 1")
    if most < 1:
        raise ValueError(f"train.corrupt_most = {most}; give how many flaws an image gets at most, 1 or more")
    if not 0 <= noise < 1:
        raise ValueError(f"train.corrupt_noise = {noise}; give a standard deviation of pixels in [0, 1], such as 0.05")


def check_size(height: int, width: int) -> None:
    """Raises ValueError for images too small for a flaw to be a part of them."""
    if min(height, width) < SMALLEST:
        raise ValueError(f"flaws need images of at least {SMALLEST} x {SMALLEST} pixels, got {height} x {width}; use a "
                         "larger train.patch")  # fmt: skip


def corrupt(
    keys: jax.Array, images: jax.Array, sources: jax.Array, *, kinds: Sequence[str], share: float = 0.5, most: int = 1
) -> Corrupted:
    """Gives a `share` of the images flaws, of kinds drawn from `kinds`: one, and each further one of `most` by a coin.

    A kind that is named twice is drawn twice as often. keys [B], one of each image; images, sources [B, H, W, C]
    float32 in [0, 1], a source being any other normal image. A change too small to see beside the image's contrast is
    no flaw and is taken back. Raises ValueError for images under SMALLEST pixels a side.
    """
    check_size(*images.shape[1:3])
    draw = lambda sample: _flawed(*sample, kinds=tuple(kinds), share=share, most=most)
    # One by one only the kind that was drawn is worked out: on CPU a quarter of the time of all kinds side by side.
    every = jax.lax.map if jax.default_backend() == "cpu" else lambda function, samples: jax.vmap(function)(samples)
    flawed, seen, size = every(draw, (keys, images, sources))
    mask = seen.astype(jnp.float32)
    severity = jax.nn.sigmoid(4 * (size / SEVERE - 1)) * mask
    return Corrupted(flawed, mask, severity, jnp.any(seen, (1, 2)).astype(jnp.int32))


def flipped(keys: jax.Array, images: jax.Array) -> jax.Array:
    """Half of the images [B, H, W, C] mirrored, and half of them turned upside down. keys [B]."""
    for axis, key in ((1, 0), (2, 1)):
        turned = jax.vmap(lambda k, key=key: jax.random.bernoulli(jax.random.fold_in(k, key)))(keys)
        images = jnp.where(turned[:, None, None, None], jnp.flip(images, axis), images)
    return images


def _flawed(
    key: jax.Array, image: jax.Array, source: jax.Array, *, kinds: tuple[str, ...], share: float, most: int
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """(image, which pixels are flawed, by how many contrasts): one left as it was is as flawed as those around it."""
    distinct = tuple(dict.fromkeys(kinds))
    draws, places = [KINDS[kind] for kind in distinct], jnp.array([distinct.index(kind) for kind in kinds])
    limit = SEEN * contrast(image)

    def one_more(number: jax.Array, drawn_before: tuple[jax.Array, jax.Array, jax.Array]):
        flawed, seen, size = drawn_before
        kind_key, flaw_key, share_key = jax.random.split(jax.random.fold_in(key, number), 3)
        which = places[jax.random.randint(kind_key, (), 0, len(kinds))]
        drawn = jax.lax.switch(which, draws, flaw_key, flawed, source)
        change = box_filter(jnp.max(jnp.abs(drawn - flawed), -1)[None], 3)[0]
        chance = jnp.where(number == 0, share, 0.5 * jnp.any(seen))
        here = (change > limit) & jax.random.bernoulli(share_key, chance)
        return jnp.where(here[..., None], drawn, flawed), seen | here, jnp.maximum(size, jnp.where(here, change, 0))

    untouched = (image, jnp.zeros(image.shape[:2], bool), jnp.zeros(image.shape[:2]))
    # A loop, for compiling each kind takes about a second.
    flawed, seen, size = jax.lax.fori_loop(0, most, one_more, untouched)
    return flawed, seen, size / contrast(image)
