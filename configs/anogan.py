"""AnoGAN on images brought to one size.

python -m launch.train --detector anogan --preset small
python -m launch.train --detector anogan --preset paper --dataset rsdds --data FOLDER
"""

from configs import base

SETTINGS = {
    "size": 64,  # pixels a side
    "width": 64,  # channels of the generator's outermost map; they double inwards
    "critic_width": 64,  # of the discriminator's
    "latent": 200,  # numbers in z
    "learning_rate": 2e-4,  # DCGAN's
    "feature": 0.1,  # lambda, weight of the discriminator's features beside the pixels
    "search_steps": 500,  # for each image; scoring takes as long as so many training steps
    "search_rate": 0.01,  # a tenth of it after 40 % of the steps, a twentieth after 60 %
    "box": 5,  # side of the mean filter over the residual, pixels
}
BASE = base.WHOLE_IMAGES | base.at_size(64) | {
    "train.steps": 20000, "train.batch": 64, "train.log_every": 100, "train.save_every": 1000,
}  # fmt: skip
PRESETS = {
    "paper": {},  # 64 x 64 pixels, DCGAN's widths; the number of training steps is our choice.
    # An eighth of the channels and a fifth of the search: a minute on two cores.
    "small": base.TWO_CORES | {
        "train.batch": 32, "settings.width": 8, "settings.critic_width": 8, "settings.latent": 32,
        "settings.learning_rate": 1e-3, "settings.search_steps": 100, "settings.search_rate": 0.05,
    },
}  # fmt: skip
