"""A ResNet with torchvision's weights makes the maps it makes there."""

import numpy as np
import pytest

from jaxdefect.backbones import weights
from tests.drilled import drilled
from tests.jaxdefect.backbones.plain_layers import convolved, maps, normalised, pooled, relu
from tests.jaxdefect.backbones.weight_files import RNG, resnet, save


def resnet_maps(state, image, blocks, bottleneck):
    def norm(x, name):
        mean, var, gain, shift = (
            state[f"{name}.{key}"][:, None, None] for key in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / np.sqrt(var + 1e-5) * gain + shift

    x = pooled(relu(norm(convolved(image, state["conv1.weight"], 2, 3), "bn1")), 1)
    maps = []
    for stage, count in enumerate(blocks):
        for number in range(count):
            name, stride, y = f"layer{stage + 1}.{number}", 2 if stage and not number else 1, x
            plan = [(1, 0), (stride, 1), (1, 0)] if bottleneck else [(stride, 1), (1, 1)]
            for layer, (step, padding) in enumerate(plan, 1):
                y = norm(convolved(y, state[f"{name}.conv{layer}.weight"], step, padding), f"{name}.bn{layer}")
                y = relu(y) if layer < len(plan) else y
            if f"{name}.downsample.0.weight" in state:
                x = norm(convolved(x, state[f"{name}.downsample.0.weight"], stride), f"{name}.downsample.1")
            x = relu(x + y)
        maps.append(x)
    return maps


@pytest.mark.parametrize(
    "name, blocks, bottleneck", [("resnet18", (2, 2, 2, 2), False), *drilled(("resnet50", (3, 4, 6, 3), True))]
)
def test_a_resnet_of_torchvision_makes_the_maps_it_makes_there(tmp_path, name, blocks, bottleneck):
    state, image = resnet(blocks, bottleneck), RNG.uniform(size=(35, 35, 3)).astype(np.float32)
    variables = weights.load(save(tmp_path / "net.safetensors", state), name)
    expected = resnet_maps(state, normalised(image), blocks, bottleneck)
    for ours, theirs in zip(maps(name, variables, image[None], 35), expected, strict=True):
        np.testing.assert_allclose(ours[0], theirs.transpose(1, 2, 0), atol=1e-4 * theirs.max())
