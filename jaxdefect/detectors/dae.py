"""DAE: a deep autoencoder learns to reconstruct normal images; what it cannot reconstruct is a defect.

The encoder and the decoder of MAA without its memory, its residual blocks and its discriminator. With skip connections
the decoder also sees what the encoder saw at each scale: it reconstructs better, defects too.

Use it as the plainest autoencoder of whole images, to compare with.

Source: Niu, Li, Li, Qiu, Niu, "Positive-Sample-Based Surface Defect Detection Using Memory-Augmented Adversarial
Autoencoders", IEEE/ASME Transactions on Mechatronics, 2021: Table I, and the baselines of Table II. It does not say
where the skips go; here they are concatenated to the output of each transposed convolution.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxdefect.detector import Batch, Detector, Scores, check_multiple, check_size
from jaxdefect.losses.adversarial import from_tanh, reconstruction_metrics, to_tanh
from jaxdefect.maps import residuals
from jaxdefect.maps.reconstruction import reconstruction_scores
from jaxdefect.networks.blocks import apply
from jaxdefect.networks.encoder_decoder import FACTOR, Decoder, Encoder
from jaxdefect.training import optim
from jaxdefect.training.optim import Player


class Autoencoder(nn.Module):
    """[B, H, W, C] in [-1, 1] -> the same. H and W are multiples of 8."""

    width: int
    skip: bool

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> jax.Array:
        *scales, code = Encoder(self.width)(images, train=train)
        return Decoder(self.width, images.shape[-1])(code, scales if self.skip else (), train=train)


def make(*, size: int, width: int, skip: bool, learning_rate: float, box: int) -> Detector:
    """DAE. The learning rate may be a tracer. The state is a Player.

    size: pixels a side of the images trained on, a multiple of 8; others are resized to it when scored. width:
    channels of the first layer (16). skip: whether the decoder sees the encoder's features at the three scales above
    the code. box: side of the mean filter over the squared residual, pixels. The score is the mean squared error.
    """
    check_multiple(size, FACTOR)
    residuals.check_box(box)
    net = Autoencoder(width, skip)
    optimizer = optim.adam(learning_rate)

    def init(key: jax.Array, batch: Batch) -> Player:
        check_size(batch, size)
        return optim.init_player(optimizer, net.init(key, batch.image, train=True))

    def step(state: Player, batch: Batch, key: jax.Array) -> tuple[Player, dict[str, jax.Array]]:
        del key  # Nothing is random once the weights are drawn.
        inputs, clean = to_tanh(batch.image), to_tanh(batch.clean)

        def loss(params):
            reconstruction, stats = apply(net, params, state.batch_stats, inputs, train=True)
            squared = jnp.mean(jnp.square(reconstruction - clean))
            return squared, (stats, reconstruction_metrics(reconstruction, clean) | {"squared": squared})

        return optim.update_player(optimizer, loss, state)

    def score(state: Player, images: jax.Array) -> Scores:
        inputs = residuals.resize(images, size, size)
        reconstruction, _ = apply(net, state.params, state.batch_stats, to_tanh(inputs), train=False)
        reconstruction = from_tanh(reconstruction)
        error = jnp.mean(residuals.squared(inputs, reconstruction), (1, 2))
        return reconstruction_scores(images, error, reconstruction, residual=residuals.squared, box=box)

    return Detector(init, step, score)
