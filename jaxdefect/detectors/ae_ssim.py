"""AE-SSIM: an autoencoder of patches with a narrow code; a defect is where SSIM finds the reconstruction unlike.

Nine convolutions down to `latent` numbers and their mirror image. Learns by SSIM, and judges by it; with the squared
error in both places it is the AE-L2 it was compared with.

Use it on textures with many images to train on; with few, its maps say little more than local contrast.

Source: Bergmann, Loewe, Fauser, Sattlegger, Steger, "Improving Unsupervised Defect Segmentation by Applying Structural
Similarity to Autoencoders", VISIGRAPP 2019, Table 1. Stitching reconstructions with mirrored surroundings is ours.
"""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from jaxdefect.detector import Batch, Detector, Scores, check_multiple, check_size
from jaxdefect.losses import reconstruction as pixel_losses
from jaxdefect.maps import residuals
from jaxdefect.maps.tiling import Tiles, check_tiles, reconstruct_tiled
from jaxdefect.networks.blocks import Conv, Deconv, apply
from jaxdefect.training import optim
from jaxdefect.training.optim import Player

FACTOR = 16  # by which the encoder shrinks a side before its last convolution
SLOPE = 0.2  # of the leaky rectifiers
RESIDUALS = {"ssim": residuals.dissimilarity, "mse": residuals.squared}  # by the loss that goes with each
# (kernel side in pixels, stride, channels in units of the width) of all but the last convolution of the encoder
LAYERS = ((4, 2, 1), (4, 2, 1), (3, 1, 1), (4, 2, 2), (3, 1, 2), (4, 2, 4), (3, 1, 2), (3, 1, 1))


class Autoencoder(nn.Module):
    """[B, S, S, C] in [0, 1] -> the same, of any sign: the last layer is linear. S is a multiple of 16."""

    width: int  # channels of the first convolution
    latent: int  # numbers a patch is encoded in

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> jax.Array:
        del train  # Nothing is normalised.
        he = nn.initializers.he_normal()
        leaky = lambda x: nn.leaky_relu(x, SLOPE)
        layer = lambda size, stride, features: (
            Deconv(features, size, init=he) if stride < 0 else Conv(features, size, stride, init=he)
        )
        x = images
        for size, stride, times in LAYERS:
            x = leaky(layer(size, stride, times * self.width)(x))
        # A kernel as large as the map (8 x 8 of 128 pixels) is a dense layer.
        code = nn.Dense(self.latent, kernel_init=he)(x.reshape(len(x), -1))
        x = leaky(nn.Dense(math.prod(x.shape[1:]), kernel_init=he)(code)).reshape(x.shape)
        outs = [times * self.width for _, _, times in LAYERS[:-1]]  # Each layer gives back what its image was given.
        for (size, stride, _), features in zip(LAYERS[:0:-1], reversed(outs), strict=True):
            x = leaky(layer(size, -stride if stride == 2 else 1, features)(x))
        return Deconv(images.shape[-1], LAYERS[0][0], init=he)(x)


def make(
    *, size: int, overlap: int, width: int, latent: int, loss: str, learning_rate: float, weight_decay: float, box: int
) -> Detector:
    """AE-SSIM. The learning rate and the weight decay may be tracers. The state is a Player.

    size: pixels a side of the patches trained on, a multiple of 16. An image of that size is reconstructed as it is,
    any other in tiles that share `overlap` pixels. width: channels of the first convolution (32). latent: numbers a
    patch is encoded in. loss: ssim, or mse for AE-L2; the map is the residual that goes with it, after a mean filter
    over box x box pixels. The score is the maximum of the map.
    """
    _check(size=size, overlap=overlap, loss=loss, box=box)
    net = Autoencoder(width, latent)
    optimizer = optax.chain(optax.add_decayed_weights(weight_decay), optim.adam(learning_rate))
    pixel_loss = pixel_losses.PIXEL_LOSSES[loss]

    def init(key: jax.Array, batch: Batch) -> Player:
        check_size(batch, size)
        return optim.init_player(optimizer, net.init(key, batch.image, train=True))

    def step(state: Player, batch: Batch, key: jax.Array) -> tuple[Player, dict[str, jax.Array]]:
        del key  # Nothing is random once the weights are drawn.

        def objective(params):
            reconstruction, stats = apply(net, params, state.batch_stats, batch.image, train=True)
            value = pixel_loss(reconstruction, batch.clean)
            return value, (stats, {"loss": value, "mse": pixel_losses.mse(reconstruction, batch.clean)})

        return optim.update_player(optimizer, objective, state)

    def score(state: Player, images: jax.Array) -> Scores:
        of_tiles = lambda tiles: apply(net, state.params, state.batch_stats, tiles, train=False)[0]
        reconstruction = jnp.clip(reconstruct_tiled(of_tiles, images, Tiles(size, overlap)), 0, 1)
        errors = residuals.box_filter(RESIDUALS[loss](images, reconstruction), box)
        return Scores(jnp.max(errors, (1, 2)), errors, reconstruction)

    return Detector(init, step, score)


def _check(*, size: int, overlap: int, loss: str, box: int) -> None:
    """Raises ValueError, naming field, value, rule and remedy, for settings that describe no network."""
    check_multiple(size, FACTOR)
    if loss not in RESIDUALS:
        raise ValueError(f"settings.loss = {loss!r} is not known; use one of {', '.join(RESIDUALS)}")
    check_tiles(Tiles(size, overlap), field="settings.size", overlap_field="settings.overlap")
    residuals.check_box(box)
