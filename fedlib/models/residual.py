"""Residual networks."""

from __future__ import annotations

import torch
from torch import nn


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with batch norm, added to their input (He et al., 2016, figure 2).

    The first of them has the ``stride``, and goes from ``inputs`` to ``outputs`` channels.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), _norm(outputs), nn.ReLU()
        )
        self.second = nn.Sequential(
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), _norm(outputs)
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), _norm(outputs)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.second(self.first(x)) + self.shortcut(x))


def _norm(channels: int) -> nn.Module:
    # Only parameters travel, so there are no running statistics.
    return nn.BatchNorm2d(channels, track_running_stats=False)


def _resnet(channels: int, widths: tuple[int, ...], blocks: int, classes: int) -> nn.Module:
    """Build a residual network for small images. Each stage but the first halves their sides."""
    layers: list[nn.Module] = [
        nn.Conv2d(channels, widths[0], 3, 1, 1, bias=False), _norm(widths[0]), nn.ReLU(),
    ]  # fmt: skip
    inputs = widths[0]
    for stage, width in enumerate(widths):
        for block in range(blocks):
            layers.append(ResidualBlock(inputs, width, 2 if stage and not block else 1))
            inputs = width
    head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, classes))
    return nn.Sequential(*layers, *head)


def resnet20(shape: tuple[int, int, int], n_classes: int) -> nn.Module:
    """ResNet-20 (He et al., 2016, section 4.2; centered_clipping, section VI-A).

    It has three stages of three blocks, with 16, 32 and 64 channels. A shortcut that changes the
    size is a convolution. There are 272,474 parameters on colour images with 10 classes.
    """
    return _resnet(shape[0], (16, 32, 64), 3, n_classes)


def resnet20_code(shape: tuple[int, int, int], n_classes: int) -> nn.Module:
    """The network that the code of centered_clipping's authors calls ResNet-20.

    It has two blocks in a stage, where ResNet-20 has three, and twice the width: 696,618 parameters
    on colour images with 10 classes.
    """
    return _resnet(shape[0], (32, 64, 128), 2, n_classes)


def resnet9(shape: tuple[int, int, int], n_classes: int) -> nn.Module:
    """ResNet-9 (centered_clipping, section VI-A), with the widths of the authors' code.

    It has four stages of one block, with 64 to 512 channels: 4,949,412 parameters on colour images
    with 100 classes.
    """
    return _resnet(shape[0], (64, 128, 256, 512), 1, n_classes)


def resnet18(shape: tuple[int, int, int], n_classes: int) -> nn.Module:
    """ResNet-18 for small images (He et al., 2016; residual_reweighting, section 4).

    It has 11,173,962 parameters on colour images with 10 classes.
    """
    return _resnet(shape[0], (64, 128, 256, 512), 2, n_classes)
