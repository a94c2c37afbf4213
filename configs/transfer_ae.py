"""Transfer autoencoder: a network known from ImageNet sees the image, a decoder redraws it at 32 x 32 pixels.

python -m launch.train --detector transfer_ae settings.weights=vgg19.safetensors
python -m launch.train --detector transfer_ae --preset small settings.weights=squeezenet.h5
python -m launch.train --detector transfer_ae --preset small --dataset mvtec --data FOLDER data.channels=3 \
    settings.weights=squeezenet.h5
python -m launch.train --detector transfer_ae --preset paper settings.weights=vgg19.safetensors settings.frozen=False

The source reports an accuracy of 50 % for the frozen front end on hazelnuts, and drawings of nothing for the fine-tuned
one: a point of comparison, not a detector to rely on. Without a file of weights the front end is drawn at random.
"""

from ml_collections import ConfigDict

from configs import base


def get_config(preset: str = "paper") -> ConfigDict:
    """Presets: paper, small for machines without an accelerator, and tiny for tests."""
    config = base.whole_images("transfer_ae", preset)
    config.train.update(steps=5000, batch=32, log_every=50, save_every=500)
    config.threshold.fitted_on = "calibration"  # Few training images are soon known by heart.
    base.at_size(config, 224)  # pixels a side of what the front end sees
    config.settings.backbone = "vgg19"  # resnet18, resnet50, resnet101, squeezenet, vgg16, vgg19, small
    config.settings.backbone_width = 16  # channels of the first map of `small`
    config.settings.weights = ""  # a .safetensors, .pth or .h5 file for the backbone; empty for random ones
    config.settings.frozen = True  # the decoder alone learns
    config.settings.width = 32  # channels of the decoder's last layer; each one before has twice as many
    config.settings.learning_rate = 1e-3  # of Adam
    config.settings.decay = 0.5  # the learning rate is multiplied by it
    config.settings.decay_every = 2000  # after so many steps
    PRESETS[preset](config)
    return config


def paper(config: ConfigDict) -> None:
    """VGG-19, frozen, for an accelerator; the source names no numbers but the 32 x 32 pixels."""
    del config


def small(config: ConfigDict) -> None:
    """SqueezeNet (give settings.weights) at 128 x 128 pixels.

    22 good hazelnuts in colour, tested on 6 good and 17 painted ones: image AUROC 1.00, pixel AUROC 0.96, accuracy 0.91
    at the fitted threshold. 40 seconds of processor time.
    """
    base.at_size(config, 128)
    config.train.update(steps=400, batch=16, log_every=20, save_every=200)
    config.settings.update(backbone="squeezenet", learning_rate=3e-3, decay_every=200)


def tiny(config: ConfigDict) -> None:
    """Seconds on one core; for tests, not for detection."""
    base.for_tests(config, 32)
    config.settings.update(backbone="small", backbone_width=2, width=4, learning_rate=5e-3)


PRESETS = {"paper": paper, "small": small, "tiny": tiny}
