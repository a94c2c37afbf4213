"""ReNet-D: what a small fully convolutional autoencoder cannot reconstruct is a defect.

Trained on small patches of defect-free images, applied to whole ones. A multi-scale stem (1, 3, 5 pixels), four
convolution modules with three poolings, four deconvolution modules, three averaged deconvolution heads.

Use it on textures of any size, with minutes to train: maps at full resolution, and no pretrained network.

Source: Hu, Yao, Wu, Qiu, Zhu, "A Lightweight Reconstruction Network for Surface Defect Inspection".
"""

import functools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxdefect.detector import Batch, Detector, Scores, no_calibration
from jaxdefect.losses.reconstruction import PIXEL_LOSSES, frobenius_norm, ms_ssim, weighted_pair
from jaxdefect.maps import residual_features
from jaxdefect.maps.residuals import RESIDUALS, box_filter, pad_to_multiple
from jaxdefect.maps.tiling import Tiles, check_tiles, reconstruct_tiled
from jaxdefect.networks.blocks import ConvNorm, MultiScaleConv
from jaxdefect.networks.convolution import max_places, max_pool, max_unpool
from jaxdefect.statistics import gaussian
from jaxdefect.statistics.gaussian import Normal
from jaxdefect.training import optim

SCALES = (1, 3, 5)  # of the stem and the heads, in pixels
DISTANCES = {"mahalanobis": gaussian.mahalanobis, "nearest": gaussian.nearest}


class Net(nn.Module):
    """The autoencoder. [B, H, W, C] in [0, 1] -> the same, and the (decoded, encoded) features of each scale.

    H and W must be multiples of 2 ** (len(widths) - 1).
    """

    stem: int  # channels of each of the three stem kernels; 0 for no stem and no heads
    widths: Sequence[int]
    kernels: Sequence[int]
    up: str  # "deconv" or "unpool"
    norm: bool

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> tuple[jax.Array, list[tuple[jax.Array, jax.Array]]]:
        module = lambda features, size, up=False: ConvNorm(features, size, up, self.norm)
        channels = images.shape[-1]
        x = nn.relu(MultiScaleConv(self.stem, SCALES, name="stem")(images)) if self.stem else images
        encoded, places = [x], []
        for level, (width, size) in enumerate(zip(self.widths, self.kernels, strict=True)):
            x = module(width, size)(x, train=train)
            if level < len(self.widths) - 1:
                places.append(max_places(x) if self.up == "unpool" else None)
                x = max_pool(x)
                encoded.append(x)
        pairs = []
        outs = [encoded[0].shape[-1], *self.widths[:-1]]  # Each decoder module undoes the encoder's of its level.
        for level in reversed(range(len(self.widths))):
            if level < len(self.widths) - 1 and self.up == "unpool":
                x = max_unpool(x, places[level])
            up = level < len(self.widths) - 1 and self.up == "deconv"
            if level == 0 and not self.stem:
                break  # The head below is the last module: it ends in a sigmoid, not in a ReLU.
            x = module(outs[level], self.kernels[level], up)(x, train=train)
            pairs.append((x, encoded[level]))
        heads = SCALES if self.stem else self.kernels[:1]
        return nn.sigmoid(MultiScaleConv(channels, heads, average=True, name="heads")(x)), pairs


class State(NamedTuple):
    params: Any
    batch_stats: Any
    opt_state: Any
    normal: Normal  # what the residual features of normal images are


def make(
    *,
    stem: int,
    widths: Sequence[int],
    kernels: Sequence[int],
    up: str,
    norm: bool,
    losses: Sequence[str],
    alpha: float,
    penalty: float,
    learning_rate: float,
    pixel_range: float,
    block: int,
    overlap: int,
    residual: str,
    window: int,
    bank: int,
    box: int,
    dtype: str,
) -> Detector:
    """ReNet-D. Numbers that are only computed with (alpha, penalty, learning_rate, pixel_range) may be tracers.

    stem, widths, kernels, up, norm: the network (see `Net`). losses: one of l1, mse, ssim, ms_ssim, or two of them
    weighted alpha : 1 - alpha (Eq. 8). penalty: of |w|_F (Eq. 4). pixel_range: 1, or 255 for the l1 and mse of
    0-255 pixels. block, overlap: images are reconstructed in blocks of that many pixels, as large as the training
    patches, which share `overlap` pixels; 0 reconstructs them whole, faster, but the net then misses the zero padding
    around its patches and does worse even on normal surface. residual: squared (Eq. 9), absolute, ssim; the distance of
    residual features (window x window cells, `residual_features`) from those of normal images, mahalanobis or nearest
    (of `bank` kept); or a product of several, such as ssim*nearest. box: side of the mean filter over the residual,
    pixels. dtype: of the network when it scores; on a CPU, where bfloat16 is slower, it is float32.
    """
    _check(
        stem=stem, widths=widths, kernels=kernels, up=up, losses=losses, block=block, overlap=overlap,
        residual=residual, odd=(*kernels, box, window), dtype=dtype,
    )  # fmt: skip
    residuals = residual.split("*")
    net = Net(stem, tuple(widths), tuple(kernels), up, norm)
    optimizer = optim.adam(learning_rate)
    multiple = 2 ** (len(widths) - 1)

    def loss_terms(params, batch_stats, batch):
        variables, clean = {"params": params, "batch_stats": batch_stats}, batch.clean
        run = lambda images: net.apply(variables, images, train=True, mutable=["batch_stats"])
        (reconstruction, pairs), mutated = run(batch.image)
        if batch.target is not None and "ms_ssim" in losses:  # Features, too, are to be those of the image unflawed.
            (_, clean_pairs), _ = run(clean)
            pairs = [(decoded, encoded) for (decoded, _), (_, encoded) in zip(pairs, clean_pairs, strict=True)]
        term = lambda name: (
            ms_ssim([*pairs, (reconstruction, clean)])
            if name == "ms_ssim"
            else PIXEL_LOSSES[name](reconstruction, clean) * {"l1": pixel_range, "mse": pixel_range**2}.get(name, 1)
        )
        terms = {name: term(name) for name in losses}
        fit = terms[losses[0]] if len(losses) == 1 else weighted_pair(alpha, *(terms[n] for n in losses))
        loss = fit + penalty * frobenius_norm(params)
        return loss, (mutated.get("batch_stats", {}), {"loss": loss, **terms})

    def init(key: jax.Array, batch: Batch) -> State:
        height, width = batch.image.shape[1:3]
        if height % multiple or width % multiple:
            raise ValueError(f"train.patch gives images of {height} x {width} pixels, which do not survive "
                             f"{len(widths) - 1} poolings: use a multiple of {multiple}")  # fmt: skip
        variables = net.init(key, batch.image, train=True)
        count = residual_features.residual_features(batch.image, batch.image, window=window).shape[-1]
        params, batch_stats = variables["params"], variables.get("batch_stats", {})
        return State(params, batch_stats, optimizer.init(params), gaussian.empty(count, bank=bank))

    def step(state: State, batch: Batch, key: jax.Array) -> tuple[State, dict[str, jax.Array]]:
        del key  # Nothing is random once the weights are drawn.
        objective = lambda params: loss_terms(params, state.batch_stats, batch)
        params, opt_state, (batch_stats, metrics) = optim.update(optimizer, objective, state.params, state.opt_state)
        return state._replace(params=params, opt_state=opt_state, batch_stats=batch_stats), metrics

    def reconstruct_whole(state: State, images: jax.Array) -> jax.Array:
        variables = {"params": state.params, "batch_stats": state.batch_stats}
        padded = pad_to_multiple(images, multiple)
        reconstruction, _ = net.apply(
            variables, padded.astype("float32" if jax.default_backend() == "cpu" else dtype), train=False
        )
        return reconstruction[:, : images.shape[1], : images.shape[2]].astype(jnp.float32)

    def reconstruct(state: State, images: jax.Array) -> jax.Array:
        whole = functools.partial(reconstruct_whole, state)
        return reconstruct_tiled(whole, images, Tiles(block, overlap)) if block else whole(images)

    def factor(name: str, state: State, images: jax.Array, reconstruction: jax.Array) -> jax.Array:
        """[B, H, W]: the residual of this name, or the distance of residual features."""
        if name not in DISTANCES:
            return RESIDUALS[name](images, reconstruction)
        features = residual_features.residual_features(images, reconstruction, window=window)
        return residual_features.to_pixels(DISTANCES[name](state.normal, features), *images.shape[1:3])

    def score(state: State, images: jax.Array) -> Scores:
        reconstruction = reconstruct(state, images)
        raw = math.prod(factor(name, state, images, reconstruction) for name in residuals)
        smooth = box_filter(raw, box)
        return Scores(image=jnp.max(smooth, (1, 2)), map=smooth, reconstruction=reconstruction)

    def calibrate(state: State, images: jax.Array) -> State:
        features = residual_features.residual_features(images, reconstruct(state, images), window=window)
        return state._replace(normal=gaussian.update(state.normal, features))

    learns = any(name in DISTANCES for name in residuals)  # The others need to know nothing of normal images.
    return Detector(init, step, score, calibrate if learns else no_calibration)


def _check(*, stem, widths, kernels, up, losses, block, overlap, residual, odd, dtype) -> None:
    """Raises ValueError, naming field, value, rule and remedy, for settings that describe no network."""
    options = {"up": (up, ("deconv", "unpool")), "dtype": (dtype, ("float32", "bfloat16"))}
    choices = (*RESIDUALS, *DISTANCES)
    options |= {f"residual ({residual})": (name, choices) for name in residual.split("*")}
    options |= {f"losses[{i}]": (name, (*PIXEL_LOSSES, "ms_ssim")) for i, name in enumerate(losses)}
    for field, (value, allowed) in options.items():
        if value not in allowed:
            raise ValueError(f"settings.{field} = {value!r} is not known; use one of {', '.join(allowed)}")
    if len(losses) not in (1, 2):
        raise ValueError(f"settings.losses = {tuple(losses)} names {len(losses)} losses; name one or two")
    if not stem and up == "deconv":
        raise ValueError(
            "settings.stem = 0 (no stem, no heads) leaves nothing after the last deconvolution; use up='unpool'"
        )
    if len(widths) != len(kernels):
        raise ValueError(
            f"settings.widths {tuple(widths)} and kernels {tuple(kernels)} differ in length; give one kernel per width"
        )
    if any(size < 1 or size % 2 == 0 for size in odd):
        raise ValueError(f"settings.kernels, box and window must be odd and positive, not {odd}")
    if block:
        check_tiles(Tiles(block, overlap), field="settings.block", overlap_field="settings.overlap")
