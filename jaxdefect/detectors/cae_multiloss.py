"""CAE with two losses: the mean squared error and 1 - SSIM, added.

Use it to see what a second loss changes beside `cae`.

Source: as `cae`, Section 3.2.1, where it did worse than the squared error alone. The report gives no weight.
"""

import jax

from jaxdefect.detector import Detector
from jaxdefect.detectors import cae
from jaxdefect.losses import reconstruction


def make(*, weight: float, **settings) -> Detector:
    """CAE that descends MSE + weight * (1 - SSIM). weight may be a tracer. The other settings are those of `cae.make`.

    size: at least 16 pixels, for SSIM looks through windows of 11.
    """
    size = settings["size"]
    if size < reconstruction.WINDOW:
        raise ValueError(
            f"settings.size = {size} pixels; SSIM looks through windows of {reconstruction.WINDOW}: use 16 or 24"
        )

    def both(rebuilt: jax.Array, images: jax.Array) -> dict[str, jax.Array]:
        squared, unlike = reconstruction.mse(rebuilt, images), reconstruction.ssim(rebuilt, images)
        return {"loss": squared + weight * unlike, "mse": squared, "ssim_loss": unlike}

    return cae.with_loss(both, **settings)
