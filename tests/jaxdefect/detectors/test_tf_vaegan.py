"""TF-VAEGAN, the baseline of SBAD."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxdefect.detectors import tf_vaegan
from tests.jaxdefect.detectors.unseen_surfaces import SEEN, SETTINGS, blobs, same, train_for


def test_the_baseline_reads_attributes_of_unit_length_and_learns_what_to_feed_back():
    settings = SETTINGS | {"ce_steps": 1, "average_steps": 2}
    del settings["tf_vaegan"]
    detector = tf_vaegan.make(**settings)
    (_, _, _, before, after), _ = train_for(detector, 4)
    assert not same(before.vaegan.feedback.params, after.vaegan.feedback.params)
    found = jax.jit(detector.score)(after, jnp.asarray(blobs(range(SEEN), 5, 3)[0]))
    np.testing.assert_allclose(np.linalg.norm(found.embedding, axis=1), 1, rtol=1e-5)
