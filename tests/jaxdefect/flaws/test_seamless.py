"""The Poisson blend is what a dense solver of the same equations gives."""

import jax
import numpy as np
import pytest

from jaxdefect.flaws import seamless

blend = jax.jit(seamless.blend)


def pair(height=11, width=14, channels=2, seed=0):
    return np.random.default_rng(seed).uniform(0, 1, (2, height, width, channels)).astype(np.float32)


def dense_blend(image, source, top, left, rows, columns):
    """Mixed gradients between every two neighbours of which one is inside, the image's values around: one equation for
    each pixel inside."""
    solved = image.astype(np.float64).copy()
    inside = [(top + y, left + x) for y in range(rows) for x in range(columns)]
    number = {pixel: i for i, pixel in enumerate(inside)}
    for channel in range(image.shape[2]):
        ours, theirs = image[..., channel].astype(np.float64), source[..., channel].astype(np.float64)
        matrix, right = np.zeros((len(inside),) * 2), np.zeros(len(inside))
        for (y, x), i in number.items():
            for neighbour in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                steps = [values[y, x] - values[neighbour] for values in (ours, theirs)]
                matrix[i, i] += 1
                right[i] += steps[1] if abs(steps[1]) > abs(steps[0]) else steps[0]
                if neighbour in number:
                    matrix[i, number[neighbour]] -= 1
                else:
                    right[i] += ours[neighbour]
        for pixel, value in zip(inside, np.linalg.solve(matrix, right), strict=True):
            solved[(*pixel, channel)] = value
    return solved


RECTANGLES = [  # top, left, rows, columns; of an image of 11 x 14 pixels
    (3, 4, 4, 5), (1, 1, 9, 12), (1, 1, 1, 1), (9, 12, 1, 1), (1, 5, 9, 2), (4, 1, 2, 12), (1, 8, 3, 5), (7, 1, 3, 6),
]  # fmt: skip


@pytest.mark.parametrize("rectangle", RECTANGLES)
def test_it_solves_poissons_equation(rectangle):
    image, source = pair()
    np.testing.assert_allclose(blend(image, source, *rectangle), dense_blend(image, source, *rectangle), atol=2e-5)


@pytest.mark.parametrize("rectangle", RECTANGLES)
def test_outside_of_the_rectangle_not_a_bit_changes(rectangle):
    image, source = pair(seed=1)
    top, left, rows, columns = rectangle
    blended = np.array(blend(image, source, *rectangle))
    assert (blended[top : top + rows, left : left + columns] != image[top : top + rows, left : left + columns]).all()
    blended[top : top + rows, left : left + columns] = image[top : top + rows, left : left + columns]
    np.testing.assert_array_equal(blended, image)


def test_an_image_blended_with_itself_or_with_a_flatter_one_stays_as_it_is():
    image = pair()[0]
    for source in (image, np.full_like(image, 0.3), 0.2 + 0.7 * image):
        np.testing.assert_allclose(blend(image, source, 2, 3, 6, 7), image, atol=1e-6)


def test_onto_a_flat_image_a_flat_rimmed_source_comes_as_it_is():
    image, source = np.full((2, 20, 16, 1), 0.4, np.float32)
    source[6:12, 5:10] = 0.9
    np.testing.assert_allclose(blend(image, source, 3, 3, 12, 10), source, atol=1e-5)


@pytest.mark.parametrize("first, count", [(0, 12), (1, 10), (3, 4), (11, 1)])
def test_the_sine_transform_is_orthogonal_and_keeps_to_its_pixels(first, count):
    waves = np.asarray(seamless._sines(12, first, count))
    np.testing.assert_allclose(waves.T @ waves, np.diag(np.arange(12) < count), atol=1e-6)
    pixels = np.arange(12)
    np.testing.assert_allclose(waves @ waves.T, np.diag((pixels >= first) & (pixels < first + count)), atol=1e-6)
