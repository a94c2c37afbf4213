"""The Frechet Markov distance: how exact and how fast its forms are, and what it takes of MAA's scoring.

`launch.bench --frechet` runs it.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg

import jaxdefect
from jaxdefect.statistics import frechet
from jaxdefect.training import loop
from launch.command import configuration, markdown
from launch.command.timing import in_turn
from launch.run.data import settle
from launch.run.trained import settings_of

CASES = {  # [positions, channels] of MAA's features
    "256 x 256": (961, 512), "128 x 128": (225, 512), "64 x 64, preset small": (49, 256),
    "map of one channel": (30, 30),
}  # fmt: skip
BATCHES = {"cpu": (1, 4), "gpu": (1, 4, 64)}
IMAGES = 4  # of a batch whose distances are timed


def bench_frechet(*, turns: int, preset: str = "paper") -> dict[str, Any]:
    """Errors and times of each case, and the time of scoring an image with and without the distance."""
    return {
        "distance": {name: compare(*shape, turns=turns) for name, shape in CASES.items()},
        "scoring": {batch: share(batch, turns=turns, preset=preset) for batch in BATCHES[_platform()]},
        "preset": preset,
    }


def features(seed: int, count: int, width: int) -> np.ndarray:
    """float32 [count, width], correlated, of a spectrum that falls off as that of a network's features does."""
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(width, width)) * np.exp(-6 * np.arange(width) / width) / width**0.5
    return (rng.normal(size=(count, width)) @ mixing).astype(np.float32)


def compare(count: int, width: int, *, turns: int) -> dict[str, dict[str, float]]:
    """For each form: its relative error and the milliseconds an image takes (median), the forms taking turns."""
    b = np.stack([features(seed + 100, count, width) for seed in range(IMAGES)])
    a = 0.9 * np.stack([features(seed, count, width) for seed in range(IMAGES)]) + 0.3 * b
    exact = np.array([_exact(*pair) for pair in zip(a, b, strict=True)])
    batch = jnp.asarray(a), jnp.asarray(b)
    compiled = {
        name: jax.jit(form)
        for name, form in (
            ("ours, singular values", frechet.distance),
            ("eigenvalues of M M'", jnp.vectorize(_by_eigenvalues, signature="(n,d),(n,d)->()")),
            ("eigenvalues of S1^1/2 S2 S1^1/2", jnp.vectorize(_by_roots, signature="(n,d),(n,d)->()")),
        )
    }
    calls = {name: lambda form=form: np.asarray(form(*batch)) for name, form in compiled.items()}
    calls["scipy.linalg.sqrtm, float64"] = lambda: np.array([_by_scipy(*pair) for pair in zip(a, b, strict=True)])
    distances = {name: call() for name, call in calls.items()}
    seconds = in_turn(calls, turns)
    return {
        name: {"error": float(np.max(np.abs(distances[name] - exact) / exact)), "ms": 1e3 * seconds[name] / IMAGES}
        for name in calls
    }


def share(batch: int, *, turns: int, preset: str) -> dict[str, float]:
    """Milliseconds an image takes to score with the distance and with L1 in its place, and the distance's share."""
    config = settle(configuration.get("maa", preset))
    side = config.settings.size
    images = jax.random.uniform(jax.random.key(0), (batch, side, side, config.data.channels))
    make = lambda distance: jaxdefect.load("maa")(**settings_of(config, {}) | {"distance": distance})
    draw = loop.jit_once(make("fmd").init)
    state = draw(jax.random.key(0), jaxdefect.Batch(images))
    scores = {distance: jax.jit(make(distance).score) for distance in ("fmd", "l1")}
    calls = {name: lambda score=score: jax.block_until_ready(score(state, images)) for name, score in scores.items()}
    for call in calls.values():
        call()
    seconds = in_turn(calls, turns)
    per_image = {f"{name}_ms": 1e3 * value / batch for name, value in seconds.items()}
    return per_image | {"fps": batch / seconds["fmd"], "share": 1 - seconds["l1"] / seconds["fmd"]}


def _platform() -> str:
    return "cpu" if jax.default_backend() == "cpu" else "gpu"


def _centred(x: Any, np_like: Any) -> Any:
    return (x - np_like.mean(x, 0)) / (len(x) - 1) ** 0.5


def _spread(a: Any, b: Any, np_like: Any) -> Any:
    """All of the distance but the root: |mu|^2 + Tr S1 + Tr S2."""
    means = np_like.sum((np_like.mean(a, 0) - np_like.mean(b, 0)) ** 2)
    return means + sum(np_like.sum(_centred(x, np_like) ** 2) for x in (a, b))


def _exact(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a.astype(np.float64), b.astype(np.float64)
    return _spread(a, b, np) - 2 * np.linalg.svd(_centred(a, np) @ _centred(b, np).T, compute_uv=False).sum()


def _by_eigenvalues(a: jax.Array, b: jax.Array) -> jax.Array:
    product = jnp.matmul(frechet.scatter(a), frechet.scatter(b).T, precision=frechet.EXACT)
    values = jnp.linalg.eigvalsh(jnp.matmul(product, product.T, precision=frechet.EXACT))
    return _spread(a, b, jnp) - 2 * jnp.sum(jnp.sqrt(jnp.maximum(values, 0)))


def _by_roots(a: jax.Array, b: jax.Array) -> jax.Array:
    """As covariances are usually dealt with: the symmetric product of a root."""
    s1, s2 = (jnp.matmul(_centred(x, jnp).T, _centred(x, jnp), precision=frechet.EXACT) for x in (a, b))
    values, vectors = jnp.linalg.eigh(s1)
    root = (vectors * jnp.sqrt(jnp.maximum(values, 0))) @ vectors.T
    inner = jnp.matmul(jnp.matmul(root, s2, precision=frechet.EXACT), root, precision=frechet.EXACT)
    return _spread(a, b, jnp) - 2 * jnp.sum(jnp.sqrt(jnp.maximum(jnp.linalg.eigvalsh(inner), 0)))


def _by_scipy(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a.astype(np.float64), b.astype(np.float64)
    root = scipy.linalg.sqrtm(np.cov(a, rowvar=False) @ np.cov(b, rowvar=False))
    return float(_spread(a, b, np) - 2 * np.trace(root).real)


def as_section(result: dict[str, Any], *, machine: str, command: str) -> str:
    """The figures as Markdown."""
    forms = list(next(iter(result["distance"].values())))
    ours, reference = forms[0], forms[-1]
    rows = [["features [positions, channels]", *forms, "ours is faster than sqrtm by"]]
    for name, row in result["distance"].items():
        count, width = CASES[name]
        cells = [f"{row[form]['error']:.0e}, {row[form]['ms']:.2f} ms" for form in forms]
        rows.append([f"{name} [{count}, {width}]", *cells, f"**{row[reference]['ms'] / row[ours]['ms']:.0f}x**"])
    scoring = [["images at once", "with FMD, an image", "with L1", "share of FMD", "images a second"]]
    for batch, row in result["scoring"].items():
        times = [f"{row['fmd_ms']:.1f} ms", f"{row['l1_ms']:.1f} ms"]
        scoring.append([str(batch), *times, f"{100 * row['share']:.0f} %", f"{row['fps']:.2f}"])
    return f"""## The Frechet Markov distance

Greatest relative error against singular values in float64, and time per image in batches of {IMAGES} (sqrtm one by
one), medians. The features are made up, with a spectrum that falls off as a network's does.

    {command}

{markdown.table(rows[0], rows[1:])}

Scoring with MAA, preset {result["preset"]}, from float image to scores:

{markdown.table(scoring[0], scoring[1:])}

{machine}
"""
