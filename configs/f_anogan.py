"""f-AnoGAN on images brought to one size.

python -m launch.train --detector f_anogan --preset small
python -m launch.train --detector f_anogan --preset paper --dataset rsdds --data FOLDER

The loss means something else in each phase. Leave train.restore=last and train.patience=0: other values compare losses
over all steps.
"""

from configs import base

SETTINGS = {
    "size": 64,  # pixels a side
    "width": 64,  # channels of the widest maps; the others follow
    "latent": 128,  # numbers in z
    "gan_steps": 10000,  # the first phase; the encoder learns in the steps after it
    "critic_steps": 5,  # updates of the critic in each of them, which share train.batch out
    "penalty": 10.0,  # weight of the gradient penalty
    "kappa": 1.0,  # weight of the critic's features beside the pixels
    "critic_balance": (),  # changes of what the critic is shown; see jaxdefect/losses/balance.py
    "learning_rate": 1e-4,  # of generator and critic
    "encoder_rate": 5e-5,
    "box": 5,  # side of the mean filter over the residual, pixels
}
BASE = base.WHOLE_IMAGES | base.at_size(64) | {
    "train.steps": 60000, "train.batch": 320, "train.log_every": 100, "train.save_every": 1000,
}  # fmt: skip
PRESETS = {
    "paper": {},  # 64 x 64 pixels, 64 for each update of the critic; the steps of the phases are our choice.
    # A sixteenth of the channels, two updates of the critic: a minute on two cores.
    "small": {
        "train.steps": 500, "train.batch": 24, "train.log_every": 20, "train.save_every": 100, "settings.width": 4,
        "settings.latent": 32, "settings.gan_steps": 300, "settings.critic_steps": 2, "settings.learning_rate": 1e-3,
        "settings.encoder_rate": 1e-3,
    },
}  # fmt: skip
