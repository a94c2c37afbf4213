"""A plain convolutional network as a classifier: good or defective, or kinds of defect, from labels alone.

python -m launch.train --detector cnn_classifier --preset small
python -m launch.train --detector cnn_classifier --preset small --dataset magnetic_tile
python -m launch.train --detector cnn_classifier ... train.labels=kinds "settings.kinds=('blowhole','break','crack')"

Half of the defective images are trained on, or held out for the threshold; their outlines are not used.
"""

from ml_collections import ConfigDict

from configs.resnet_classifier import for_tests, labelled, sized, synthetic


def get_config(preset: str = "paper") -> ConfigDict:
    """Presets: paper, small for machines without an accelerator, and tiny for tests."""
    config = labelled("cnn_classifier", preset)
    config.settings.widths = (32, 64, 128, 256, 256)  # channels of each block, which halves the image's side
    config.settings.learning_rate = 1e-3  # of Adam
    PRESETS[preset](config)
    return config


def paper(config: ConfigDict) -> None:
    """224 x 224 pixels, a million weights, for an accelerator; the survey names no values."""
    config.train.update(steps=4000, batch=32)


def small(config: ConfigDict) -> None:
    """128 x 128 pixels and half the channels.

    Magnetic tile, 96 good and 102 defective images: AUROC 0.94, AP 0.99. Three minutes of processor time.
    """
    synthetic(config)
    sized(config, 128)
    config.train.update(steps=800, batch=16, log_every=40, save_every=400)
    config.settings.update(widths=(16, 32, 64, 128), learning_rate=2e-3, decay_every=500)


def tiny(config: ConfigDict) -> None:
    """Seconds on one core; for tests, not for detection."""
    for_tests(config)
    config.settings.widths = (4, 8)


PRESETS = {"paper": paper, "small": small, "tiny": tiny}
