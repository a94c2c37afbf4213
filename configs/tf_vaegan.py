"""TF-VAEGAN, the baseline of SBAD: the settings and presets of SBAD.

python -m launch.train --detector tf_vaegan settings.weights=squeezenet.h5
"""

from ml_collections import ConfigDict

from configs import sbad

PRESETS = sbad.PRESETS


def get_config(preset: str = "small") -> ConfigDict:
    """Presets: paper, small and self_trained for machines without an accelerator, and tiny for tests."""
    config = sbad.get_config(preset)
    config.detector = "tf_vaegan"
    config.settings.attribute_weight = 0.01  # w_r
    del config.settings.tf_vaegan
    return config
