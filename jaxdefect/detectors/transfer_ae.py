"""Transfer autoencoder: a network trained on ImageNet sees the image, a decoder reconstructs it at 32 x 32 pixels.

A defect is what the decoder, which has learned from normal images, cannot reconstruct from the front end's features. A
frozen front end leaves the decoder alone to be learned; a fine-tuned one learns, too, which the source found to draw
nothing at all.

Use it to reproduce; for pretrained features take `padim`.

Source: Garzo, Miklos, Herbai, "Identification of Defective Manufacturing Products with a Convolutional Autoencoder",
Section 3.2.2: VGG-19, VGG-16 or a ResNet as encoder, "enough strided deconvolutional layers to recreate 32x32
dimensional images", the mean squared error, Adam with StepLR. It gives neither widths nor the size the encoder sees.
Its accuracy was 50 %, with blurred drawings. Batch normalisation in the decoder is ours.
"""

import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxdefect import backbones
from jaxdefect.backbones.front_end import State, first_state, front_end, front_maps, loaded_or_drawn
from jaxdefect.detector import Batch, Detector, Scores
from jaxdefect.losses.adversarial import batch_moments, to_tanh
from jaxdefect.losses.reconstruction import mse
from jaxdefect.maps import residuals
from jaxdefect.maps.reconstruction import reconstruction_scores
from jaxdefect.networks import blocks
from jaxdefect.networks.blocks import Conv, Deconv, batch_norm
from jaxdefect.training import optim
from jaxdefect.training.optim import decaying_adam

SIDE = 32  # pixels a side of what is drawn
DECONV = nn.initializers.variance_scaling(8.0, "fan_in", "normal")  # He; a stride of 2 meets a quarter of the taps.


class Decoder(nn.Module):
    """[B, h, w, K] -> [B, 32, 32, channels] in [0, 1].

    Each layer doubles the side and has half the channels of the layer before. A map whose sides are no powers of 2, as
    the 13 x 13 of SqueezeNet, is first shrunk to the next lower ones, and one of more than 16 pixels to 16.
    """

    width: int  # channels of the last layer but one
    channels: int

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        start = min(2 ** int(math.log2(x.shape[1])), SIDE // 2)
        x = residuals.resize(x, start, start)
        for left in reversed(range(int(math.log2(SIDE // start)))):
            x = Deconv(self.width * 2**left, init=DECONV, bias=False)(x)
            x = nn.relu(batch_norm(train=train)(x))
        return nn.sigmoid(Conv(self.channels, 3, 1, 1)(x))


def make(
    *,
    backbone: str,
    backbone_width: int,
    weights: str,
    frozen: bool,
    size: int,
    width: int,
    learning_rate: float,
    decay: float,
    decay_every: int,
) -> Detector:
    """A transfer autoencoder. Floats (learning_rate, decay) may be tracers.

    backbone: a name of `backbones.names()`; backbone_width: channels of the first map of `small`. weights: path of its
    file, "" to draw them at random. frozen: the decoder alone learns, and normalisations of the front end use the
    averages that came with the weights. size: pixels a side of what the front end sees. width: channels of the
    decoder's last layer; each layer before has twice as many. learning_rate, decay, decay_every: see `decaying_adam`.
    The score is the mean squared error at 32 x 32 pixels, the map is that error
    enlarged. Raises ValueError for what cannot be, and what `weights.load` raises.
    """
    if width < 1:
        raise ValueError(f"settings.width = {width}; the decoder's last layer needs a channel or more, such as 32")
    adam = decaying_adam(learning_rate, decay, decay_every)
    front = front_end(backbone, width=backbone_width, size=size)
    variables_of = loaded_or_drawn(front, weights)

    def init(key: jax.Array, batch: Batch) -> State:
        front_key, decoder_key = jax.random.split(key)
        variables, example = variables_of(front_key), jnp.zeros((1, size, size, 3))
        code = jax.eval_shape(lambda: backbones.maps(front, variables, example))[-1]
        decoder = Decoder(width, batch.image.shape[-1]).init(decoder_key, jnp.zeros(code.shape), train=False)
        rest = {kind: {"decoder": decoder[kind]} for kind in ("params", "batch_stats")}
        return first_state(adam, variables, rest, frozen=frozen)

    def reconstruct(state: State, params: Any, images: jax.Array, *, train: bool) -> tuple[jax.Array, Any]:
        """(images [B, 32, 32, C] in [0, 1], batch statistics)."""
        maps, stats = front_maps(front, state, params, images, train=train)
        net, batch_stats = Decoder(width, images.shape[-1]), state.network.batch_stats["decoder"]
        reconstruction, decoder_stats = blocks.apply(net, params["decoder"], batch_stats, maps[-1], train=train)
        return reconstruction, stats | {"decoder": decoder_stats}

    def step(state: State, batch: Batch, key: jax.Array) -> tuple[State, dict[str, jax.Array]]:
        del key  # Nothing is random once the weights are drawn.
        wanted = residuals.resize(batch.clean, SIDE, SIDE)

        def loss(params):
            reconstruction, stats = reconstruct(state, params, batch.image, train=True)
            value = mse(reconstruction, wanted)
            return value, (stats, {"loss": value} | batch_moments(to_tanh(reconstruction), to_tanh(wanted)))

        network, metrics = optim.update_player(adam, loss, state.network)
        return state._replace(network=network), metrics

    def score(state: State, images: jax.Array) -> Scores:
        reconstruction, _ = reconstruct(state, state.network.params, images, train=False)
        error = jnp.mean(residuals.squared(residuals.resize(images, SIDE, SIDE), reconstruction), (1, 2))
        return reconstruction_scores(images, error, reconstruction, residual=residuals.squared)

    return Detector(init, step, score)
