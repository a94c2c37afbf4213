"""What keeps a discriminator from winning where images are few: each by its name in the setting `critic_balance`.

A discriminator that tells every drawn image from every real one teaches a generator nothing more; with a few dozen of
images it learns them by heart. Images are [B, H, W, C] in [-1, 1].

- brightness, contrast, translation, cutout: it is shown real and drawn images changed alike, by chance, and the
  generator learns through the change (differentiable augmentation, Zhao, Liu, Lin, Zhu, Han, "Differentiable
  augmentation for data-efficient GAN training", NeurIPS 2020, with their ranges).
- r1: the slope of its verdict at real images costs (Mescheder, Geiger, Nowozin, "Which training methods for GANs do
  actually converge?", ICML 2018, Eq. 9).
- spectral: kernels are divided by their largest singular value, in place of batch normalisation (Miyato, Kataoka,
  Koyama, Yoshida, "Spectral normalization for generative adversarial networks", ICLR 2018).
"""

from collections.abc import Callable, Iterable, Sequence

import jax
import jax.numpy as jnp

REACH = 1 / 8  # of an image's side: the furthest it is moved
HOLE = 1 / 2  # of an image's side: that of the square cut out


def check(balance: Sequence[str], of: Iterable[str] = ()) -> None:
    """Raises ValueError for a name that is none of these, or of all."""
    of = of or (*CHANGES, "r1", "spectral")
    for name in balance:
        if name not in of:
            raise ValueError(f"settings.critic_balance holds {name!r}; use any of {', '.join(of)}")


def shown(images: jax.Array, keys: jax.Array, balance: Sequence[str]) -> jax.Array:
    """The images as a discriminator is shown them. keys: one per sample, see `parallel.sample_keys`."""
    for number, (name, change) in enumerate(CHANGES.items()):
        if name in balance:
            images = jax.vmap(change)(images, jax.vmap(jax.random.fold_in, (0, None))(keys, number))
    return images


def r1(verdict: Callable[[jax.Array], jax.Array], real: jax.Array) -> jax.Array:
    """Half the squared slope of `verdict`, images -> logits of any shape, at real images; the mean over them."""
    slope = jax.grad(lambda images: jnp.sum(verdict(images)))(real)
    return jnp.mean(jnp.sum(jnp.square(slope), (1, 2, 3))) / 2


def _brightness(image: jax.Array, key: jax.Array) -> jax.Array:
    return image + jax.random.uniform(key, minval=-0.5, maxval=0.5)


def _contrast(image: jax.Array, key: jax.Array) -> jax.Array:
    mean = jnp.mean(image)
    return (image - mean) * jax.random.uniform(key, minval=0.5, maxval=1.5) + mean


def _translation(image: jax.Array, key: jax.Array) -> jax.Array:
    """Zeros come in, which is grey."""
    sides = image.shape[:2]
    reach = [round(REACH * side) for side in sides]
    padded = jnp.pad(image, ((reach[0], reach[0]), (reach[1], reach[1]), (0, 0)))
    starts = [
        jax.random.randint(part, (), 0, 2 * far + 1) for part, far in zip(jax.random.split(key), reach, strict=True)
    ]
    return jax.lax.dynamic_slice(padded, (*starts, 0), image.shape)


def _cutout(image: jax.Array, key: jax.Array) -> jax.Array:
    inside = True
    for axis, part in enumerate(jax.random.split(key)):
        side = image.shape[axis]
        centre = jax.random.randint(part, (), 0, side + 1)
        near = jnp.abs(jnp.arange(side) + 0.5 - centre) < HOLE * side / 2
        inside = inside & jnp.expand_dims(near, (1 - axis, 2))
    return jnp.where(inside, 0, image)


CHANGES = {"brightness": _brightness, "contrast": _contrast, "translation": _translation, "cutout": _cutout}
