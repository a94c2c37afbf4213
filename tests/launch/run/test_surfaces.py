"""Surfaces in words."""

import numpy as np

from launch.run.surfaces import words


def test_words_are_the_clearest_attributes():
    names = ["dark", "round", "large", "smooth"]
    assert words(names, np.array([0.1, 0.9, 0.5, 0.44])) == ["round", "large"]
    assert words(names, np.array([0.1, 0.9, 0.8, 0.7]), at_most=2) == ["round", "large"]
    assert words(names, np.array([-0.1, 0.0, -0.3, -1.0])) == []
