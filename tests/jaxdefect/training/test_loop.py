"""Held-out images are judged while a run trains, change nothing in it, and decide when it stops; so may the user."""

import jax
import numpy as np
import pytest

from jaxdefect.training import feed, loop
from jaxdefect.training.checkpoint import Checkpoints
from tests.contract.steps import prepared, textures, weights


def fit(held_out, *, rows=None, **options):
    detector, source, config = prepared("renet_d")
    rows = [] if rows is None else rows
    program = loop.one_run(detector, source, key=jax.random.key(0), batch=config.train.batch, held_out=held_out)
    done = loop.fit(program, **({"steps": 30, "log_every": 5, "save_every": 5} | options),
                     on_log=lambda step, metrics, state: rows.append(metrics))  # fmt: skip
    return done, rows


@pytest.fixture(scope="module")
def alike():
    return feed.in_memory(textures(4, seed=7), patch=16)


def test_validation_changes_no_bit_of_what_is_trained(alike):
    (plain, told), (watched, judged) = fit(None), fit(alike)
    plain, watched = weights(plain.state), weights(watched.state)
    assert all(np.array_equal(plain[name], watched[name]) for name in plain)
    assert all(row.items() <= more.items() for row, more in zip(told, judged, strict=True))


def test_its_loss_is_that_of_the_held_out_images(alike):
    noise = [np.random.default_rng(i).integers(0, 256, (48, 48, 1), dtype=np.uint8) for i in range(4)]
    (_, near), (_, far) = fit(alike), fit(feed.in_memory(noise, patch=16))
    assert abs(near[-1]["val_loss"] - near[-1]["loss"]) < 0.3 * near[-1]["loss"]
    assert far[-1]["val_loss"] > 1.5 * far[-1]["loss"]


def test_training_stops_when_it_no_longer_falls():
    """White images after grey ones: what is learned of stripes makes them worse before long."""
    white = [np.full((48, 48, 1), 255, np.uint8)] * 2
    done, rows = fit(feed.in_memory(white, patch=16), steps=200, patience=3)
    losses = [row["val_loss"] for row in rows]
    assert done.stopped_early and len(losses) - 1 - int(np.argmin(losses)) == 3
    assert done.best_loss == pytest.approx(min(losses))


def test_stopped_between_two_loggings_it_goes_on_to_the_same_bits_and_logs(tmp_path):
    (whole, logged), before = fit(None), []
    for moment in (3, 4, 12):  # calls, at the steps 3, 7 and 19
        asked = iter(range(1, 100))
        checkpoints = Checkpoints(tmp_path)
        with pytest.raises(loop.Stopped, match=r"step \d+ is saved"):
            fit(
                None,
                checkpoints=checkpoints,
                rows=before,
                stop=lambda asked=asked, moment=moment: next(asked) >= moment,
            )
    rest, rows = fit(None, checkpoints=Checkpoints(tmp_path), rows=before)
    assert rows == logged and 0 < len(checkpoints.steps()) <= 3
    whole, rest = weights(whole.state), weights(rest.state)
    assert all(np.array_equal(whole[name], rest[name]) for name in whole)


def test_a_batch_that_is_too_large_is_refused_before_the_first_step(monkeypatch):
    detector, source, config = prepared("renet_d")
    program = loop.one_run(detector, source, key=jax.random.key(0), batch=config.train.batch)
    state = program.place(program.init())
    monkeypatch.setattr(loop.parallel, "free_memory", lambda: 1e4)
    with pytest.raises(ValueError, match=rf"train.batch = {config.train.batch} takes 0.0 GB, and 0.0 GB are free; use"):
        program.advance(state, 0, 1)
    monkeypatch.setattr(loop, "step_memory", lambda compiled, *arguments: 2e4)
    with pytest.raises(ValueError, match=f"use train.batch={int(0.4 * config.train.batch)}$"):
        program.advance(state, 0, 1)
    monkeypatch.undo()
    program.advance(state, 0, 1)
