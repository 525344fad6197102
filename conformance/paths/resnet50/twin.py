"""The same network in plain PyTorch: names, shapes and types of its state are those of `module`, which it does not read.

Written as torchvision writes its own; only that weights are cast where pictures are narrow, as `torch.autocast` does it.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from uol.conformance.paths.resnet50.sizes import Sizes


class Conv(nn.Conv2d):
    """A convolution in the type of its input."""

    def forward(self, x: Tensor) -> Tensor:
        return functional.conv2d(x, self.weight.to(x.dtype), None, self.stride, self.padding)


class Block(nn.Module):
    """A bottleneck."""

    def __init__(self, inputs: int, width: int, stride: int, widen: bool) -> None:
        super().__init__()
        self.conv1 = Conv(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = Conv(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = Conv(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.downsample = None
        if widen:
            self.downsample = nn.Sequential(Conv(inputs, 4 * width, 1, stride, bias=False), nn.BatchNorm2d(4 * width))

    def forward(self, x: Tensor) -> Tensor:
        identity = x if self.downsample is None else self.downsample(x)
        y = functional.relu(self.bn1(self.conv1(x)), inplace=True)
        y = functional.relu(self.bn2(self.conv2(y)), inplace=True)
        y = self.bn3(self.conv3(y))
        y += identity
        return functional.relu(y, inplace=True)


class TorchResNet(nn.Module):
    """The network. Weights are drawn as torchvision draws them."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.conv1 = Conv(3, sizes.width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(sizes.width)
        channels, self.names = sizes.width, [f"layer{n}" for n in range(1, len(sizes.blocks) + 1)]
        for stage, name in enumerate(self.names):
            width = sizes.width << stage
            first = Block(channels, width, min(stage, 1) + 1, True)
            rest = [Block(4 * width, width, 1, False) for _ in range(sizes.blocks[stage] - 1)]
            setattr(self, name, nn.Sequential(first, *rest))
            channels = 4 * width
        self.fc = nn.Linear(channels, sizes.classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        y: Any = functional.relu(self.bn1(self.conv1(x)), inplace=True)
        y = functional.max_pool2d(y, 3, 2, 1)
        for name in self.names:
            y = getattr(self, name)(y)
        y = functional.adaptive_avg_pool2d(y, 1).flatten(1)
        return functional.linear(y, self.fc.weight.to(y.dtype), self.fc.bias.to(y.dtype))


def torch_loss(scores: Tensor, labels: Tensor) -> Tensor:
    """The cross-entropy with smoothed labels, in f32 at least."""
    return functional.cross_entropy(scores if scores.itemsize == 8 else scores.float(), labels, label_smoothing=0.1)
