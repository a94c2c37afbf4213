"""MemAE: an autoencoder that may only draw mixtures of the few codes it has learned from normal images.

Each position of the encoding asks a memory of items; the answer, a sparse mixture of the items most like it, replaces
it before the decoder. A defect's code is answered with a normal code, so the defect is not reconstructed.

Use it where a plain autoencoder reconstructs defects as well as the rest.

Source: Gong et al., "Memorizing Normality to Detect Anomaly: Memory-augmented Deep Autoencoder for Unsupervised
Anomaly Detection", ICCV 2019. The encoder and the decoder are those of `dae`, as for the other baselines of MAA.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxdefect.detector import Batch, Detector, Scores, check_multiple, check_size
from jaxdefect.losses.adversarial import from_tanh, reconstruction_metrics, to_tanh
from jaxdefect.maps import residuals
from jaxdefect.maps.reconstruction import reconstruction_scores
from jaxdefect.networks.blocks import apply, l2_normalize
from jaxdefect.networks.encoder_decoder import FACTOR, Decoder, Encoder
from jaxdefect.training import optim
from jaxdefect.training.optim import Player


def mixture(likeness: jax.Array, shrink: float | jax.Array) -> jax.Array:
    """Sparse weights over the last axis, at least 0, that sum to 1; all 0 where none is above `shrink`.

    A softmax whose weights w up to `shrink` are dropped, and the rest scaled up. Values and gradients are those of
    relu(w - shrink) w / |w - shrink| divided by its sum.
    """
    kept = nn.softmax(likeness) > shrink
    # What is dropped has no gradient: through the softmax it would have rounding noise, which Adam makes full steps of.
    raised = jnp.exp(likeness - jax.lax.stop_gradient(jnp.max(likeness, -1, keepdims=True)))
    raised = jnp.where(kept, raised, 0)
    return raised / jnp.maximum(jnp.sum(raised, -1, keepdims=True), 0.5)  # The sum is 0, or at least the largest: 1.


def entropy(weights: jax.Array) -> jax.Array:
    """Of the weights over the last axis, averaged over all others. A scalar, in nats."""
    return -jnp.mean(jnp.sum(weights * jnp.log(weights + 1e-12), -1))


class Memory(nn.Module):
    """[B, h, w, K] -> what the memory answers (the same shape), and the weights of its items [B, h, w, items]."""

    items: int

    @nn.compact
    def __call__(self, code: jax.Array, shrink: jax.Array, sharpness: jax.Array) -> tuple[jax.Array, jax.Array]:
        within = code.shape[-1] ** -0.5
        draw = lambda key, shape: jax.random.uniform(key, shape, minval=-within, maxval=within)
        items = self.param("items", draw, (self.items, code.shape[-1]))
        cosine = jnp.einsum("bhwk,nk->bhwn", l2_normalize(code), l2_normalize(items))
        weights = mixture(sharpness * cosine, shrink)
        return weights @ items, weights


class Net(nn.Module):
    """[B, H, W, C] in [-1, 1] -> the same, and the memory's weights. H and W are multiples of 8."""

    width: int
    items: int

    @nn.compact
    def __call__(
        self, images: jax.Array, shrink: jax.Array, sharpness: jax.Array, *, train: bool
    ) -> tuple[jax.Array, jax.Array]:
        code = Encoder(self.width)(images, train=train)[-1]
        answer, weights = Memory(self.items)(code, shrink, sharpness)
        return Decoder(self.width, images.shape[-1])(answer, train=train), weights


def make(
    *,
    size: int,
    width: int,
    items: int,
    shrink: float,
    sharpness: float,
    sparsity: float,
    learning_rate: float,
    box: int,
) -> Detector:
    """MemAE. Floats (shrink, sharpness, sparsity, learning_rate) may be tracers. The state is a Player.

    size: pixels a side of the images trained on, a multiple of 8; others are resized to it when scored. width:
    channels of the first layer; codes have 16 times as many. items: how many codes the memory holds (2000). shrink:
    weights up to it are dropped (.0025, 5 / items; the paper advises 1 to 3 / items). sharpness: of the addressing,
    which is the softmax of so many times the cosine similarity. The paper has 1; but then no weight exceeds e^2 /
    items, and those of random items hardly reach 1.3 / items, so that all are dropped and nothing is learned. Its
    public code multiplies by the norms of code and item instead. The square root of the code's channels gives cosines
    of random items unit variance. sparsity: weight of the entropy of the weights. box: side of the mean filter over the
    squared residual, pixels. The score is the mean squared error.
    """
    check_multiple(size, FACTOR)
    residuals.check_box(box)
    if items < 2:
        raise ValueError(f"settings.items = {items}; a memory that answers differently needs 2 at least, such as 200")
    net = Net(width, items)
    optimizer = optim.adam(learning_rate)

    def init(key: jax.Array, batch: Batch) -> Player:
        check_size(batch, size)
        return optim.init_player(optimizer, net.init(key, batch.image, shrink, sharpness, train=True))

    def reconstruct(params, batch_stats, images, train):
        return apply(net, params, batch_stats, images, shrink, sharpness, train=train)

    def step(state: Player, batch: Batch, key: jax.Array) -> tuple[Player, dict[str, jax.Array]]:
        del key  # Nothing is random once the weights are drawn.
        inputs, clean = to_tanh(batch.image), to_tanh(batch.clean)

        def loss(params):
            (reconstruction, weights), stats = reconstruct(params, state.batch_stats, inputs, True)
            squared, disorder = jnp.mean(jnp.square(reconstruction - clean)), entropy(weights)
            mixed = jnp.mean(jnp.sum(weights > 0, -1, dtype=jnp.float32))  # Items per position; 0: shrink is too large.
            metrics = {"squared": squared, "entropy": disorder, "mixed": mixed}
            return squared + sparsity * disorder, (stats, reconstruction_metrics(reconstruction, clean) | metrics)

        return optim.update_player(optimizer, loss, state)

    def score(state: Player, images: jax.Array) -> Scores:
        inputs = residuals.resize(images, size, size)
        (reconstruction, _), _ = reconstruct(state.params, state.batch_stats, to_tanh(inputs), False)
        reconstruction = from_tanh(reconstruction)
        error = jnp.mean(residuals.squared(inputs, reconstruction), (1, 2))
        return reconstruction_scores(images, error, reconstruction, residual=residuals.squared, box=box)

    return Detector(init, step, score)
