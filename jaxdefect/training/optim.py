"""One player's update. The only module that averages gradients over devices."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxdefect import parallel


def average_over_devices() -> optax.GradientTransformation:
    """The first link of every optimiser: without it devices drift apart and nothing says so."""
    return optax.stateless(lambda gradients, params: parallel.mean(gradients))


def step_decay(rate: float | jax.Array, factor: float | jax.Array, every: int) -> optax.Schedule:
    """A learning rate that is multiplied by `factor` after each `every` updates (StepLR). Floats may be tracers."""
    return lambda count: rate * jnp.asarray(factor, jnp.float32) ** (count // every)


def adam(
    learning_rate: float | jax.Array | optax.Schedule,
    *,
    b1: float = 0.9,
    b2: float = 0.999,
    clip: float | jax.Array | None = None,
) -> optax.GradientTransformation:
    """Adam over device-averaged gradients. The learning rate may be a tracer, or a schedule of one.

    clip: gradients of a greater norm are scaled down to it; it may be a tracer.
    """
    clipped = () if clip is None else (optax.clip_by_global_norm(clip),)
    return optax.chain(average_over_devices(), *clipped, optax.adam(learning_rate, b1=b1, b2=b2))


def decaying_adam(
    learning_rate: float | jax.Array, decay: float | jax.Array, decay_every: int
) -> optax.GradientTransformation:
    """Adam whose learning rate is multiplied by `decay` after each `decay_every` steps. Floats may be tracers.

    Raises ValueError for less than one step.
    """
    if decay_every < 1:
        raise ValueError(f"settings.decay_every = {decay_every} steps; give 1 or more, and settings.decay = 1.0 for a "
                         "learning rate that stays")  # fmt: skip
    return adam(step_decay(learning_rate, decay, decay_every))


def sgd(learning_rate: float) -> optax.GradientTransformation:
    """Plain gradient descent over device-averaged gradients. The learning rate may be a tracer."""
    return optax.chain(average_over_devices(), optax.sgd(learning_rate))


def update(
    optimizer: optax.GradientTransformation, loss: Callable[..., tuple[jax.Array, Any]], params: Any, opt_state: Any
) -> tuple[Any, Any, Any]:
    """One step down `loss(params) -> (loss, aux)`. Returns (params, optimiser state, aux)."""
    gradients, aux = jax.grad(loss, has_aux=True)(params)
    updates, opt_state = optimizer.update(gradients, opt_state, params)
    return optax.apply_updates(params, updates), opt_state, aux


class Player(NamedTuple):
    """One network that learns; adversarial methods have several."""

    params: Any
    batch_stats: Any
    opt_state: Any


def init_player(optimizer: optax.GradientTransformation, variables: dict[str, Any]) -> Player:
    """A network as `net.init` drew it, before its first update."""
    params = variables["params"]
    return Player(params, variables.get("batch_stats", {}), optimizer.init(params))


def update_player(
    optimizer: optax.GradientTransformation, loss: Callable[[Any], tuple[jax.Array, tuple[Any, Any]]], player: Player
) -> tuple[Player, Any]:
    """One step of a player down `loss(params) -> (loss, (batch_stats, aux))`. Returns (player, aux)."""
    params, opt_state, (batch_stats, aux) = update(optimizer, loss, player.params, player.opt_state)
    return Player(params, batch_stats, opt_state), aux


def update_players(
    optimizers: Sequence[optax.GradientTransformation],
    loss: Callable[..., tuple[jax.Array, Any]],
    players: Sequence[Player],
) -> tuple[list[Player], Any]:
    """One step of several players down `loss(*their params) -> (loss, aux)`. Returns (players, aux)."""
    gradients, aux = jax.grad(lambda params: loss(*params), has_aux=True)([player.params for player in players])
    moved = []
    for optimizer, gradient, player in zip(optimizers, gradients, players, strict=True):
        updates, opt_state = optimizer.update(gradient, player.opt_state, player.params)
        moved.append(player._replace(params=optax.apply_updates(player.params, updates), opt_state=opt_state))
    return moved, aux
