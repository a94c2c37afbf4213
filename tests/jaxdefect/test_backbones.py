"""Backbones have the structure their weights were trained in, and see images as those nets do."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdefect import backbones
from jaxdefect.training import loop

TORCHVISION = {  # parameters in all and those of the classifier
    "resnet18": (11_689_512, 513_000),
    "resnet50": (25_557_032, 2_049_000),
    "resnet101": (44_549_160, 2_049_000),
    "squeezenet": (1_235_496, 513_000),
    "vgg16": (138_357_544, 123_642_856),
    "vgg19": (143_667_240, 123_642_856),
}
SIDES = {"resnet": [56, 28, 14, 7], "vgg": [224, 112, 56, 28, 14], "squeeze": [55, 27, 13], "small": [32, 16, 8, 4, 2]}


@pytest.mark.parametrize("name", backbones.names())
def test_parameters_and_maps_are_as_many_as_published(name):
    backbone = backbones.load(name)
    variables = jax.eval_shape(partial(backbones.init, backbone), jax.random.key(0))
    if name in TORCHVISION:
        whole, head = TORCHVISION[name]
        assert sum(leaf.size for leaf in jax.tree.leaves(variables["params"])) == whole - head
    maps = jax.eval_shape(partial(backbones.maps, backbone), variables, jnp.zeros((2, 70, 90, 1)))
    (sides,) = (sides for family, sides in SIDES.items() if name.startswith(family))
    assert [found.shape for found in maps] == [(2, s, s, c) for s, c in zip(sides, backbone.channels, strict=True)]


def test_grey_is_the_same_in_all_colours_and_each_colour_has_its_own_normalisation(small):
    backbone, variables = small
    grey = jax.random.uniform(jax.random.key(1), (2, 64, 64, 1))
    colour = jnp.repeat(grey, 3, -1)
    see = loop.jit_once(partial(backbones.features, backbone))
    np.testing.assert_allclose(see(variables, grey), see(variables, colour), rtol=1e-6)
    expected = (np.asarray(colour) - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(backbones.normalised(backbone, variables, colour), expected, atol=1e-5)


def test_images_of_any_size_are_seen_at_the_size_of_the_backbone(small):
    backbone, variables = small
    see = lambda images: loop.jit_once(partial(backbones.features, backbone))(variables, images)
    ramp = lambda height, width: (jnp.linspace(0, 1, height)[:, None] * jnp.linspace(0, 1, width))[None, ..., None]
    near, other = see(ramp(64, 64)), see(ramp(64, 64)[:, ::-1])
    for shape in ((128, 200), (40, 300)):
        assert jnp.linalg.norm(see(ramp(*shape)) - near) < 0.1 * jnp.linalg.norm(other - near)


def test_features_are_the_average_of_the_last_map_and_do_not_depend_on_neighbours(small):
    backbone, variables = small
    images = jax.random.uniform(jax.random.key(1), (3, 40, 50, 1))
    see = loop.jit_once(partial(backbones.features, backbone))
    features, maps = see(variables, images), loop.jit_once(partial(backbones.maps, backbone))(variables, images)
    assert features.shape == (3, backbone.channels[-1])
    np.testing.assert_allclose(features, maps[-1].mean((1, 2)), rtol=1e-5)
    np.testing.assert_allclose(features[1:2], see(variables, images[1:2]), atol=1e-5)


def test_random_weights_follow_the_key(small):
    backbone, variables = small
    draw = loop.jit_once(partial(backbones.init, backbone))
    jax.tree.map(np.testing.assert_array_equal, draw(jax.random.key(0)), variables)
    assert not np.array_equal(
        draw(jax.random.key(1))["params"]["conv1"]["kernel"], variables["params"]["conv1"]["kernel"]
    )


def test_an_unknown_name_is_answered_with_the_nearest_and_all():
    with pytest.raises(ValueError, match="no backbone named 'resnet_18'; did you mean 'resnet18'.*resnet101.*vgg19"):
        backbones.load("resnet_18")
