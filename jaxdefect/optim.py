"""One player's update. The only module that averages gradients over devices."""

from collections.abc import Callable
from typing import Any

import jax
import optax

from jaxdefect import parallel


def average_over_devices() -> optax.GradientTransformation:
    """The first link of every optimiser: without it devices drift apart and nothing says so."""
    return optax.stateless(lambda gradients, params: parallel.mean(gradients))


def adam(learning_rate: float, *, b1: float = 0.9, b2: float = 0.999) -> optax.GradientTransformation:
    """Adam over device-averaged gradients. The learning rate may be a tracer."""
    return optax.chain(average_over_devices(), optax.adam(learning_rate, b1=b1, b2=b2))


def update(
    optimizer: optax.GradientTransformation, loss: Callable[..., tuple[jax.Array, Any]], params: Any, opt_state: Any
) -> tuple[Any, Any, Any]:
    """One step down `loss(params) -> (loss, aux)`. Returns (params, optimiser state, aux)."""
    gradients, aux = jax.grad(loss, has_aux=True)(params)
    updates, opt_state = optimizer.update(gradients, opt_state, params)
    return optax.apply_updates(params, updates), opt_state, aux
