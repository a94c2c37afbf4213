"""The map of attributes to learned embeddings: exact on seen classes without a penalty, blind to unseen ones."""

import jax.numpy as jnp
import numpy as np

from jaxdefect.zero_shot.attribute_map import map_attributes

RNG = np.random.default_rng(0)
SEEN = jnp.arange(6) < 4
unit = lambda rows: (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)
TABLE, LEARNED = unit(RNG.uniform(0, 1, (6, 9))), unit(RNG.normal(size=(6, 9)))


def test_without_a_penalty_the_embeddings_of_seen_classes_are_reproduced():
    np.testing.assert_allclose(map_attributes(TABLE, LEARNED, SEEN, 0.0)[:4], LEARNED[:4], atol=1e-3)


def test_a_turned_space_is_turned_back_where_the_seen_classes_span_it():
    turn, _ = np.linalg.qr(RNG.normal(size=(3, 3)))
    table = unit(RNG.normal(size=(8, 3)))
    mapped = map_attributes(jnp.asarray(table), jnp.asarray(table @ turn, jnp.float32), jnp.arange(8) < 6, 0.0)
    np.testing.assert_allclose(mapped, table @ turn, atol=1e-3)


def test_nothing_is_asked_of_the_embeddings_of_unseen_classes():
    other = np.where(np.asarray(SEEN)[:, None], LEARNED, 7)
    np.testing.assert_array_equal(*(map_attributes(TABLE, rows, SEEN, 0.1) for rows in (LEARNED, other)))


def test_embeddings_have_unit_length_and_a_heavy_penalty_leaves_the_centre_alone():
    np.testing.assert_allclose(np.linalg.norm(map_attributes(TABLE, LEARNED, SEEN, 0.1), axis=1), 1, rtol=1e-5)
    centre = unit(LEARNED[:4].mean(0))
    np.testing.assert_allclose(map_attributes(TABLE, LEARNED, SEEN, 1e6), np.tile(centre, (6, 1)), atol=1e-4)
