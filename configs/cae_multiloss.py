"""CAE with two losses, MSE + weight * (1 - SSIM): the settings and presets of CAE.

python -m launch.train --detector cae_multiloss --preset small
python -m launch.train --detector cae_multiloss --preset small --dataset mvtec --data FOLDER
"""

from ml_collections import ConfigDict

from configs import cae

PRESETS = cae.PRESETS


def get_config(preset: str = "paper") -> ConfigDict:
    """Presets: paper, small for machines without an accelerator, and tiny for tests."""
    config = cae.get_config(preset)
    config.detector = "cae_multiloss"
    config.settings.weight = 1.0  # of 1 - SSIM, next to the mean squared error
    return config
