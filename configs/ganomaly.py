"""GANomaly on images brought to one size.

python -m launch.train --detector ganomaly --preset small
python -m launch.train --detector ganomaly --preset paper --dataset rsdds --data FOLDER
"""

from configs import base

SETTINGS = {
    "size": 64,  # pixels a side; a power of two
    "latent": 100,  # numbers an image is encoded in
    "width": 64,  # channels of the maps next to the image, doubling inwards
    "cap": 512,  # channels of a map at most
    "adversarial": 1.0,  # weight of matching the discriminator's features
    "contextual": 50.0,  # weight of the L1 distance of pixels
    "encoding": 1.0,  # weight of the squared distance of latents
    "critic_balance": (),  # what keeps the discriminator from winning; see jaxdefect/losses/balance.py
    "r1": 1.0,  # weight of the slope at real images, where critic_balance has r1
    "learning_rate": 2e-4,
    "box": 5,  # side of the mean filter over the residual, pixels
}
BASE = base.WHOLE_IMAGES | base.at_size(64) | {"train.steps": 10000, "train.batch": 64, "train.save_every": 500}
PRESETS = {
    "paper": {},  # 64 x 64 pixels, batch 64.
    # A quarter of the channels: a minute on two cores.
    "small": base.TWO_CORES | {"settings.width": 16, "settings.cap": 128, "settings.learning_rate": 1e-3},
}
