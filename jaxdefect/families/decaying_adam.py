"""Adam with a learning rate that falls in steps: what several detectors learn by."""

import jax
import optax

from jaxdefect.training import optim


def decaying_adam(
    learning_rate: float | jax.Array, decay: float | jax.Array, decay_every: int
) -> optax.GradientTransformation:
    """Adam whose learning rate is multiplied by `decay` after each `decay_every` steps. Floats may be tracers.

    Raises ValueError for less than one step.
    """
    if decay_every < 1:
        raise ValueError(f"settings.decay_every = {decay_every} steps; give 1 or more, and settings.decay = 1.0 for a "
                         "learning rate that stays")  # fmt: skip
    return optim.adam(optim.step_decay(learning_rate, decay, decay_every))
