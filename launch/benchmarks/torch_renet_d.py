"""ReNet-D in PyTorch, as its users would write it: the yardstick of `launch.bench --against torch`.

The same layers, loss and optimiser. PyTorch aligns a transposed convolution the other way round, so with the kernels of
`load` it computes the mirror image of our network: load, mirror the input, mirror the output, and they are equal.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


class Module(nn.Module):
    """Convolution or stride-2 deconvolution, batch normalisation, ReLU."""

    def __init__(self, inputs: int, outputs: int, size: int, up: bool):
        super().__init__()
        half = size // 2
        self.conv = (
            nn.ConvTranspose2d(inputs, outputs, size, 2, half, output_padding=1)
            if up
            else nn.Conv2d(inputs, outputs, size, padding=half)
        )
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.norm(self.conv(x)))


class ReNetD(nn.Module):
    """The published network. [B, C, H, W] in [0, 1] -> the same."""

    def __init__(self, *, stem: int, widths: tuple[int, ...], kernels: tuple[int, ...], channels: int = 1):
        super().__init__()
        self.stem = nn.ModuleList(nn.Conv2d(channels, stem, k, padding=k // 2) for k in (1, 3, 5))
        ins = [3 * stem, *widths[:-1]]
        self.encoder = nn.ModuleList(Module(*io, k, False) for *io, k in zip(ins, widths, kernels, strict=True))
        last = len(widths) - 1
        self.decoder = nn.ModuleList(
            Module(widths[i], ins[i], kernels[i], up=i < last) for i in reversed(range(len(widths)))
        )
        self.heads = nn.ModuleList(nn.ConvTranspose2d(3 * stem, channels, k, padding=k // 2) for k in (1, 3, 5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(torch.cat([conv(x) for conv in self.stem], 1))
        for level, module in enumerate(self.encoder):
            x = module(x)
            if level < len(self.encoder) - 1:
                x = F.max_pool2d(x, 2)
        for module in self.decoder:
            x = module(x)
        return torch.sigmoid(sum(head(x) for head in self.heads) / 3)


def load(net: ReNetD, params: dict[str, Any], batch_stats: dict[str, Any]) -> None:
    """Copies the weights of a `jaxdefect.detectors.renet_d` state. See the module's docstring for the mirror."""
    mirrored = lambda kernel: torch.tensor(np.asarray(kernel)[::-1, ::-1].transpose(3, 2, 0, 1).copy())
    upright = lambda kernel: torch.tensor(np.asarray(kernel).transpose(2, 3, 0, 1).copy())
    as_tensor = lambda array: torch.tensor(np.asarray(array))
    with torch.no_grad():
        for conv, k in zip(net.stem, (1, 3, 5), strict=True):
            conv.weight.copy_(mirrored(params["stem"][f"kernel{k}"]))
            conv.bias.copy_(as_tensor(params["stem"][f"bias{k}"]))
        for head, k in zip(net.heads, (1, 3, 5), strict=True):
            head.weight.copy_(upright(params["heads"][f"kernel{k}"]))
            head.bias.copy_(as_tensor(params["heads"][f"bias{k}"]))
        for number, module in enumerate([*net.encoder, *net.decoder]):
            ours, stats = params[f"ConvNorm_{number}"], batch_stats[f"ConvNorm_{number}"]
            turned = upright if isinstance(module.conv, nn.ConvTranspose2d) else mirrored
            module.conv.weight.copy_(turned(ours["kernel"]))
            module.conv.bias.copy_(as_tensor(ours["bias"]))
            module.norm.weight.copy_(as_tensor(ours["scale"]))
            module.norm.bias.copy_(as_tensor(ours["shift"]))
            module.norm.running_mean.copy_(as_tensor(stats["mean"]))
            module.norm.running_var.copy_(as_tensor(stats["var"]))


def ssim_loss(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """1 - SSIM, 11-tap Gaussian of sigma 1.5, valid windows, range 1."""
    taps = torch.exp(-0.5 * ((torch.arange(11, device=a.device) - 5) / 1.5) ** 2)
    taps = (taps / taps.sum()).to(a)
    channels = a.shape[1]
    rows, columns = (taps.view(s).expand(channels, 1, *s[2:]) for s in ((1, 1, 11, 1), (1, 1, 1, 11)))
    smooth = lambda x: F.conv2d(F.conv2d(x, rows, groups=channels), columns, groups=channels)
    mu, nu = smooth(a), smooth(b)
    var, war, cov = smooth(a * a) - mu**2, smooth(b * b) - nu**2, smooth(a * b) - mu * nu
    ratio = (2 * mu * nu + 1e-4) * (2 * cov + 9e-4) / ((mu**2 + nu**2 + 1e-4) * (var + war + 9e-4))
    return 1 - ratio.mean()


def loss_of(net: ReNetD, batch: torch.Tensor, *, alpha: float, penalty: float) -> torch.Tensor:
    """alpha * L1 + (1 - alpha) * (1 - SSIM) + penalty * |w|_F."""
    rebuilt = net(batch)
    norm = torch.sqrt(sum((w**2).sum() for w in net.parameters() if w.ndim > 1))
    return alpha * (rebuilt - batch).abs().mean() + (1 - alpha) * ssim_loss(rebuilt, batch) + penalty * norm


def train_step(
    loss_of: Callable[..., torch.Tensor], net: ReNetD, optimizer: torch.optim.Optimizer, batch: torch.Tensor, *,
    alpha: float, penalty: float,
) -> torch.Tensor:  # fmt: skip
    """One update; its loss. loss_of: that of this module, or what torch.compile makes of it."""
    optimizer.zero_grad(set_to_none=True)
    loss = loss_of(net, batch, alpha=alpha, penalty=penalty)
    loss.backward()
    optimizer.step()
    return loss


def detect(net: ReNetD, images: torch.Tensor, *, box: int, threshold: float) -> torch.Tensor:
    """uint8 [B, 1, H, W] -> masks bool [B, H, W]: squared residual, mean filter, threshold."""
    dtype = next(net.parameters()).dtype
    images = images.to(torch.float32) / 255
    rebuilt = net(images.to(dtype).contiguous(memory_format=torch.channels_last)).to(torch.float32)
    residual = ((images - rebuilt) ** 2).mean(1, keepdim=True)
    padded = F.pad(residual, (box // 2,) * 4, mode="replicate")
    return F.avg_pool2d(padded, box, 1)[:, 0] > threshold
