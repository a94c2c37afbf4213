"""DRAEM: one network redraws images without their flaws, another outlines a flaw from an image and its redrawing.

Both are U-Nets, trained together on normal images of which some were given a flaw to order. The first has no skip
connections, or it would copy flaws; the second learns how far an image may lie from its redrawing before that is a
defect, so that no residual has to be chosen. Flawed images need not look like real defects: it learns the difference.

Use it where only normal images are at hand and outlines are to be sharp; outlines that other methods fit by a threshold
are learned here. It needs long training, and flaws to order that are as faint as the real ones.

Source: Zavrtanik, Kristan, Skocaj, "DRAEM - A discriminatively trained reconstruction embedding for surface anomaly
detection", ICCV 2021, and its public code. Our readings: one logit and a sigmoid in place of two and a softmax;
values repeated after a convolution in place of bilinear upsampling before it; a last convolution of 1 x 1 pixels in
place of 3 x 3. The map is smoothed, as the score of an image is; published figures of pixels are of the one before.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from jaxdefect.detector import Batch, Detector, Scores
from jaxdefect.losses import reconstruction as losses
from jaxdefect.maps import residuals
from jaxdefect.networks.blocks import apply
from jaxdefect.networks.unet import UNet
from jaxdefect.training import optim
from jaxdefect.training.optim import Player

DROPS = (0.8, 0.9)  # of the training, after which the learning rate is multiplied by `decay`


class Networks(nn.Module):
    """[B, H, W, C] in [0, 1] -> (redrawing [B, H, W, C], logits [B, H, W] of pixels being flawed), of any size."""

    widths: tuple[int, ...]
    segmentation: tuple[int, ...]

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> tuple[jax.Array, jax.Array]:
        redraw = UNet(self.widths, images.shape[-1], skip=False, name="reconstruction")
        segment = UNet(self.segmentation, 1, name="segmentation")
        redrawn = redraw(images, train=train)
        return redrawn, segment(jnp.concatenate([redrawn, images], -1), train=train)[..., 0]


def focal(logits: jax.Array, masks: jax.Array, gamma: float | jax.Array) -> jax.Array:
    """Cross-entropy of each pixel times (1 - p) ** gamma, p being how likely the truth was held: the shape of both.

    gamma 0 is plain cross-entropy; it may be a tracer. Source: Lin et al., "Focal Loss for Dense Object Detection",
    ICCV 2017, without its alpha.
    """
    wrong = jnp.where(masks > 0, -logits, logits)  # The logit of what is not true.
    return jnp.exp(gamma * nn.log_sigmoid(wrong)) * optax.sigmoid_binary_cross_entropy(logits, masks)


def rate_at(rate: float | jax.Array, decay: float | jax.Array, steps: int) -> optax.Schedule:
    """A learning rate that is multiplied by `decay` at 80 % and again at 90 % of the steps. Floats may be tracers."""
    return lambda count: rate * jnp.asarray(decay, jnp.float32) ** sum(count >= round(drop * steps) for drop in DROPS)


def make(
    *,
    widths: tuple[int, ...],
    segmentation: tuple[int, ...],
    gamma: float,
    learning_rate: float,
    decay: float,
    steps: int,
    box: int,
) -> Detector:
    """DRAEM. Floats (gamma, learning_rate, decay) may be tracers. The state is a Player with both networks.

    widths: channels of the network that redraws, at each scale, the finest first (128, 256, 512, 1024, 1024);
    segmentation: of the one that outlines (64, 128, 256, 512, 512, 512). gamma: of the focal loss (2). learning_rate:
    of Adam (1e-4), multiplied by decay (.2) at 80 % and again at 90 % of `steps`, those of the whole training. box:
    pixels (21); the score of an image is the largest mean of the map over box x box pixels.

    The loss is the sum of the redrawing's squared error and 1 - SSIM, and the focal loss, each a mean. Images whose
    mask is not known take no part in the last.
    """
    _check(widths=widths, segmentation=segmentation, steps=steps)
    residuals.check_box(box)
    net = Networks(tuple(widths), tuple(segmentation))
    optimizer = optim.adam(rate_at(learning_rate, decay, steps))

    def init(key: jax.Array, batch: Batch) -> Player:
        return optim.init_player(optimizer, net.init(key, batch.image, train=True))

    def step(state: Player, batch: Batch, key: jax.Array) -> tuple[Player, dict[str, jax.Array]]:
        del key  # Nothing is random once the weights are drawn.
        masks, has_mask = _supervision(batch)

        def loss(params):
            (redrawn, logits), stats = apply(net, params, state.batch_stats, batch.image, train=True)
            terms = {
                "squared": losses.mse(redrawn, batch.clean),
                "ssim": losses.ssim(redrawn, batch.clean),
                "focal": jnp.mean(has_mask * jnp.mean(focal(logits, masks, gamma), (1, 2))),
            }
            total = sum(terms.values())
            return total, (stats, {"loss": total} | terms)

        return optim.update_player(optimizer, loss, state)

    def score(state: Player, images: jax.Array) -> Scores:
        (redrawn, logits), _ = apply(net, state.params, state.batch_stats, images, train=False)
        flawed = nn.sigmoid(logits)
        return Scores(jnp.max(residuals.box_filter(flawed, box), (1, 2)), flawed, jnp.clip(redrawn, 0, 1))

    return Detector(init, step, score)


def _supervision(batch: Batch) -> tuple[jax.Array, jax.Array]:
    """The masks, and [B] float32, 0 for each image whose mask is missing."""
    for field in ("mask", "target"):
        if getattr(batch, field) is None:
            raise ValueError(f"the batch has no {field}; draem learns from flaws made to order: set "
                             "train.supervision = 'simulated'")  # fmt: skip
    return batch.mask, jnp.ones(len(batch.mask)) if batch.has_mask is None else batch.has_mask


def _check(*, widths: tuple, segmentation: tuple, steps: int) -> None:
    for field, value in (("widths", widths), ("segmentation", segmentation)):
        if len(value) < 2 or min(value) < 1:
            raise ValueError(f"settings.{field} = {value}; give the channels of two scales or more, the finest first, "
                             "such as (16, 32, 64)")  # fmt: skip
    if steps < 1:
        raise ValueError(
            f"train.steps = {steps}; the learning rate falls towards the end of the training: give 1 or more"
        )
