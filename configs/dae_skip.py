"""DAE(skip), a deep autoencoder with skip connections: the settings and presets of DAE.

python -m launch.train --detector dae_skip --preset small
"""

from ml_collections import ConfigDict

from configs import dae

PRESETS = dae.PRESETS


def get_config(preset: str = "paper") -> ConfigDict:
    """Presets: paper, small for machines without an accelerator, and tiny for tests."""
    config = dae.get_config(preset)
    config.detector = "dae_skip"
    del config.settings.skip
    return config
