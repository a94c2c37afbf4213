"""SBAD in mode A, which learns unseen surfaces from their attributes, and in the other ways it may be set."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdefect.detector import Batch
from tests.jaxdefect.detectors.unseen_surfaces import (
    CLASSES,
    OTHER,
    SEEN,
    TABLE,
    batch_at,
    blobs,
    compiled,
    same,
    step_key,
    train_for,
)

pytestmark = pytest.mark.drill  # Its networks take long to compile; tests/contract has it among the fast ones.

SHORT = {"mode": "A", "ce_steps": 3, "average_steps": 4, "gan_steps": 3}  # The classifier begins after 10 steps.


@pytest.mark.drill
def test_mode_a_learns_unseen_surfaces_from_their_attributes():
    one, other = (compiled(**SHORT, classifier_rate=3e-2, attributes=table) for table in (TABLE, OTHER))
    (*_, before, first), (*_, second) = train_for(one, 11)[0], train_for(other, 11)[0]
    assert same(first.state.vaegan, second.state.vaegan)
    assert not same(first.state.classifier, second.state.classifier)
    assert same(before.state.vaegan, first.state.vaegan)
    assert not same(before.state.classifier, first.state.classifier)
    found = one.score(first, jnp.asarray(blobs(range(CLASSES), 20, 3)[0]))
    likely = np.exp(found.classes)
    np.testing.assert_allclose(likely.sum(1), 1, rtol=1e-5)
    np.testing.assert_allclose(found.image, likely[:, 8:].sum(1), rtol=1e-5)


def test_stacking_learns_nothing_more_and_names_the_share_of_seen_images_unseen():
    made = compiled(**SHORT, steps=60, stacking_steps=20, stacking_share=0.3, classifier_rate=3e-2)
    plain = compiled(**SHORT, steps=40, classifier_rate=3e-2)
    (*_, before), (*_, after) = train_for(plain, 40)[0], train_for(made, 60)[0]
    assert same(before.state.classifier, after.state.classifier) and same(before.state.vaegan, after.state.vaegan)
    assert before.state.margins == () and after.state.margins.sum() == 20 * 64
    x = jnp.concatenate([batch_at(number).features for number in range(40, 60)])
    span = after.state.span  # Wider than where these margins were gathered: by a few per cent the share may differ.
    moved = made.score(after, x)
    assert span.low.shape == x.shape[1:] and abs(float(np.mean(moved.surface >= SEEN)) - 0.3) < 0.05
    unmoved = plain.score(before._replace(state=before.state._replace(span=span)), x)
    empty = after.state._replace(margins=jnp.zeros_like(after.state.margins))  # Then gamma is 0.
    np.testing.assert_array_equal(made.score(after._replace(state=empty), x).classes, unmoved.classes)
    odds = lambda found: (
        jax.scipy.special.logsumexp(found.classes[:, SEEN:], 1)
        - jax.scipy.special.logsumexp(found.classes[:, :SEEN], 1)
    )
    apart = np.asarray(odds(moved) - odds(unmoved))
    np.testing.assert_allclose(apart, apart.mean(), atol=1e-3)  # The same gamma for all: ranks stay.


def test_a_map_of_attributes_changes_what_is_drawn_of_unseen_surfaces_alone():
    plain, mapped = (compiled(**SHORT, map_attributes=flag) for flag in (False, True))
    *_, run = train_for(plain, 10)[0]
    first, second = (made.step(run, batch_at(10), step_key(10))[0].state for made in (plain, mapped))
    assert same(first.vaegan, second.vaegan) and same(run.state.vaegan, second.vaegan)
    assert not same(first.classifier, second.classifier)


@pytest.fixture(scope="module")
def shown():
    """(step, state after 7 steps) of a detector that is shown images of unseen surfaces."""
    made = compiled(**SHORT, show_unseen=True)
    return made.step, train_for(made, 7, classes=range(CLASSES))[0][-1]


def test_embeddings_of_unseen_surfaces_that_are_shown_are_learned_and_nothing_else_of_them(shown):
    step, run = shown
    assert (run.state.counts > 0).all() and list(run.state.seen > 0) == [True] * SEEN + [False] * 2
    batch = batch_at(1, range(CLASSES))
    hidden = jnp.where(batch.label[:, None] == 1, 3.0, batch.features)
    at = lambda number: run._replace(state=run.state._replace(step=jnp.asarray(number, jnp.int32)))
    both = lambda number: [step(at(number), batch._replace(features=x), jax.random.key(0))
                           for x in (batch.features, hidden)]  # fmt: skip
    for number in (0, 7, 10):  # CE-VAE, VAEGAN and classifier; in between is the average.
        assert same(*both(number)), number
    one, other = (after.state for after, _ in both(4))
    assert np.array_equal(one.sums[:SEEN], other.sums[:SEEN]) and not np.array_equal(one.sums[SEEN:], other.sums[SEEN:])


def test_images_that_are_no_numbers_show_in_the_loss_of_every_phase():
    made = compiled(mode="A", backbone_steps=1, ce_steps=1, average_steps=1, gan_steps=1)
    batch = Batch(jnp.ones((4, 16, 16, 1)).at[1, 2, 3].set(jnp.nan), surface=jnp.arange(4))
    run = made.init(batch)
    for phase in range(5):
        at = run._replace(state=run.state._replace(step=jnp.asarray(phase, jnp.int32)))
        _, metrics = made.step(at, batch, jax.random.key(0))
        assert np.isnan(metrics["loss"]), phase


def test_tf_vaegan_reads_attributes_of_unit_length_and_learns_what_to_feed_back():
    made = compiled(ce_steps=1, average_steps=2, tf_vaegan=True)
    *_, before, after = train_for(made, 4)[0]
    assert not same(before.state.vaegan.feedback.params, after.state.vaegan.feedback.params)
    found = made.score(after, jnp.asarray(blobs(range(SEEN), 5, 3)[0]))
    np.testing.assert_allclose(np.linalg.norm(found.embedding, axis=1), 1, rtol=1e-5)
