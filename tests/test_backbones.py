"""Backbones have the structure their weights were trained in, and see images as those nets do."""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxdefect import backbones, parallel
from jaxdefect.networks import blocks
from jaxdefect.networks.convolution import max_pool3
from jaxdefect.training import loop, optim

TORCHVISION = {  # parameters in all and those of the classifier
    "resnet18": (11_689_512, 513_000),
    "resnet50": (25_557_032, 2_049_000),
    "resnet101": (44_549_160, 2_049_000),
    "squeezenet": (1_235_496, 513_000),
    "vgg16": (138_357_544, 123_642_856),
    "vgg19": (143_667_240, 123_642_856),
}
SIDES = {"resnet": [56, 28, 14, 7], "vgg": [224, 112, 56, 28, 14], "squeeze": [55, 27, 13], "small": [32, 16, 8, 4, 2]}


def quick(function):
    return jax.jit(function, compiler_options=loop.quick_to_compile())


@pytest.fixture(scope="module")
def small():
    backbone = backbones.load("small", width=4)
    return backbone, quick(partial(backbones.init, backbone))(jax.random.key(0))


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


@pytest.mark.parametrize("side", [3, 4, 12, 13])
def test_the_pool_of_three_equals_that_of_flax(side):
    x = jax.random.normal(jax.random.key(side), (2, side, side + 1, 3))
    np.testing.assert_array_equal(max_pool3(x), nn.max_pool(x, (3, 3), (2, 2)))


def test_grey_is_the_same_in_all_colours_and_each_colour_has_its_own_normalisation(small):
    backbone, variables = small
    grey = jax.random.uniform(jax.random.key(1), (2, 64, 64, 1))
    colour = jnp.repeat(grey, 3, -1)
    see = quick(partial(backbones.features, backbone))
    np.testing.assert_allclose(see(variables, grey), see(variables, colour), rtol=1e-6)
    expected = (np.asarray(colour) - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(backbones.normalised(backbone, variables, colour), expected, atol=1e-5)


def test_images_of_any_size_are_seen_at_the_size_of_the_backbone(small):
    backbone, variables = small
    see = lambda images: quick(partial(backbones.features, backbone))(variables, images)
    ramp = lambda height, width: (jnp.linspace(0, 1, height)[:, None] * jnp.linspace(0, 1, width))[None, ..., None]
    near, other = see(ramp(64, 64)), see(ramp(64, 64)[:, ::-1])
    for shape in ((128, 200), (40, 300)):
        assert jnp.linalg.norm(see(ramp(*shape)) - near) < 0.1 * jnp.linalg.norm(other - near)


def test_features_are_the_average_of_the_last_map_and_do_not_depend_on_neighbours(small):
    backbone, variables = small
    images = jax.random.uniform(jax.random.key(1), (3, 40, 50, 1))
    see = quick(partial(backbones.features, backbone))
    features, maps = see(variables, images), quick(partial(backbones.maps, backbone))(variables, images)
    assert features.shape == (3, backbone.channels[-1])
    np.testing.assert_allclose(features, maps[-1].mean((1, 2)), rtol=1e-5)
    np.testing.assert_allclose(features[1:2], see(variables, images[1:2]), atol=1e-5)


def test_random_weights_follow_the_key(small):
    backbone, variables = small
    draw = quick(partial(backbones.init, backbone))
    jax.tree.map(np.testing.assert_array_equal, draw(jax.random.key(0)), variables)
    assert not np.array_equal(
        draw(jax.random.key(1))["params"]["conv1"]["kernel"], variables["params"]["conv1"]["kernel"]
    )


def test_the_small_one_learns_to_tell_two_surfaces_apart(small):
    """Batch statistics and weights move, and images it was not trained on are told apart in eval mode."""
    backbone, variables = small
    adam = optim.adam(1e-2, b1=0.9, b2=0.999)
    head = jnp.zeros((backbone.channels[-1], 2))
    player = optim.init_player(adam, {"params": {"net": variables["params"], "head": head}})
    player = player._replace(batch_stats=variables["batch_stats"])
    labels = jnp.arange(16) % 2

    def surfaces(key):  # upright and level stripes in noise
        noise = 0.3 * jax.random.uniform(key, (16, 64, 64, 1))
        stripes = jnp.broadcast_to(jnp.sin(jnp.arange(64) / 2), (64, 64))
        return 0.4 + noise + 0.1 * jnp.where(labels[:, None, None], stripes, stripes.T)[..., None]

    def step(player, key):
        def loss(params):
            images = backbones.normalised(backbone, variables, surfaces(key))
            maps, stats = blocks.apply(backbone.net, params["net"], player.batch_stats, images, train=True)
            logits = maps[-1].mean((1, 2)) @ params["head"]
            value = optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()
            return value, (stats, value)

        return optim.update_player(adam, loss, player)

    step = quick(parallel.on_one_device(step))
    for seed in range(25):
        player, _ = step(player, jax.random.key(seed))
    learnt = {"params": player.params["net"], "batch_stats": player.batch_stats, "input": variables["input"]}
    assert np.abs(learnt["batch_stats"]["bn1"]["mean"]).max() > 0
    see = quick(partial(backbones.features, backbone))
    logits = see(learnt, surfaces(jax.random.key(100))) @ player.params["head"]
    assert (logits.argmax(-1) == labels).all()


def test_an_unknown_name_is_answered_with_the_nearest_and_all():
    with pytest.raises(ValueError, match="no backbone named 'resnet_18'; did you mean 'resnet18'.*resnet101.*vgg19"):
        backbones.load("resnet_18")
