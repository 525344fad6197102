"""ResNet-50 in training (He et al., 2015; the stride is on the 3x3 convolution, as in torchvision) by uol's operators alone.

Names and shapes of its state are torchvision's. Weights are f32 and wide; activations have the type of the pictures: a weight
is cast where it is used, and its gradient comes back wide (master weights). Behind `keep_copies` the casts are those that the
optimiser has written. Norms take their wide parameters as they are.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from uol.conformance.paths.resnet50.sizes import Sizes
from uol.pytorch.bridge import operator
from uol.pytorch.in_place import in_place_function
from uol.pytorch.optimisers.narrow_copies import NarrowCopies

EXPANSION = 4

_add, _cast, _linear, _loss = (operator(name) for name in ("add", "cast", "linear", "cross_entropy"))
_conv, _max_pool, _average = operator("conv2d"), operator("max_pool2d"), operator("global_avg_pool2d")
_TRAINING = {form: in_place_function(f"batch_norm{form}_mixed") for form in ("", "_relu", "_add_relu")}
_INFERENCE = {form: operator(f"conv2d_bn{form}") for form in ("", "_relu", "_add_relu")}


def cast(x: Tensor, dtype: torch.dtype) -> Tensor:
    """`x` in another type; itself where it has it."""
    if x.dtype is dtype:
        return x
    found: Any = _cast(x, dtype=dtype)
    typed: Tensor = found
    return typed


def narrowed(weight: Tensor, dtype: torch.dtype, copies: NarrowCopies | None) -> Tensor:
    """A weight in the type of the activations."""
    return copies(weight) if copies is not None and copies.dtype is dtype else cast(weight, dtype)


class Convolution(nn.Conv2d):
    """Without a bias: a norm follows."""

    copies: NarrowCopies | None = None

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        nn.init.kaiming_normal_(self.weight, mode="fan_out", nonlinearity="relu")

    @property
    def windows(self) -> dict[str, int]:
        """Stride and padding as the operators take them."""
        return {"stride": self.stride[0], "pad": int(self.padding[0])}

    def forward(self, x: Tensor) -> Any:
        return _conv(x, narrowed(self.weight, x.dtype, self.copies), **self.windows)


class Norm(nn.BatchNorm2d):
    """The norm of a convolution's result, with what follows it: `form` is "", "_relu" or "_add_relu", for which `z` is added.

    In training by the statistics of the batch, which the running ones follow; else the norm is the convolution's epilogue.
    """

    def after(self, conv: Convolution, x: Tensor, form: str, *z: Tensor) -> Any:
        """The norm of `conv(x)`, and what follows it."""
        if not self.training:
            own = (cast(t, x.dtype) for t in (conv.weight, *self.statistics))
            return _INFERENCE[form](x, *own, *z, eps=self.eps, **conv.windows)
        count: Any = self.num_batches_tracked
        now = count.int()  # the vector units of some machines add no 64 bits
        count.copy_(_add(now, torch.ones_like(now)))
        return _TRAINING[form](conv(x), *self.statistics, *z, momentum=self.momentum, eps=self.eps)

    @property
    def statistics(self) -> tuple[Tensor, ...]:
        """Scale, shift, and the running statistics."""
        assert self.running_mean is not None and self.running_var is not None  # as this norm is made
        return self.weight, self.bias, self.running_mean, self.running_var


class Bottleneck(nn.Module):
    """relu(x' + norm(conv 1x1(relu(norm(conv 3x3(relu(norm(conv 1x1(x)))))))), where x' is x, or its projection."""

    def __init__(self, inputs: int, width: int, stride: int, *, project: bool) -> None:
        super().__init__()
        self.conv1, self.bn1 = Convolution(inputs, width, 1), Norm(width)
        self.conv2, self.bn2 = Convolution(width, width, 3, stride), Norm(width)
        self.conv3, self.bn3 = Convolution(width, width * EXPANSION, 1), Norm(width * EXPANSION)
        self.downsample: nn.Sequential | None = None
        if project:
            self.downsample = nn.Sequential(Convolution(inputs, width * EXPANSION, 1, stride), Norm(width * EXPANSION))

    def forward(self, x: Tensor) -> Any:
        y = self.bn1.after(self.conv1, x, "_relu")
        y = self.bn2.after(self.conv2, y, "_relu")
        z = x
        if self.downsample is not None:
            conv, norm = self.downsample
            assert isinstance(conv, Convolution) and isinstance(norm, Norm)
            z = norm.after(conv, x, "")
        return self.bn3.after(self.conv3, y, "_add_relu", z)


class Head(nn.Linear):
    """The scores of the classes."""

    copies: NarrowCopies | None = None

    def forward(self, x: Tensor) -> Any:
        return _linear(x, *(narrowed(each, x.dtype, self.copies) for each in (self.weight, self.bias)))


class ResNet(nn.Module):
    """x [N, 3, H, W] in f64, f32, f16 or bf16 -> scores [N, classes] in the same type."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        inputs = sizes.width
        self.conv1, self.bn1 = Convolution(3, inputs, 7, 2), Norm(inputs)
        self.stages = len(sizes.blocks)
        for stage, blocks in enumerate(sizes.blocks):
            width, made = sizes.width * 2**stage, []
            for block in range(blocks):
                made.append(Bottleneck(inputs, width, 2 if stage and not block else 1, project=not block))
                inputs = width * EXPANSION
            self.add_module(f"layer{stage + 1}", nn.Sequential(*made))
        self.fc = Head(inputs, sizes.classes)

    def keep_copies(self, dtype: torch.dtype) -> NarrowCopies:
        """Computes with copies of the weights in a narrow type from now on, made here, which an optimiser is to be given."""
        copies = NarrowCopies(dtype)
        for module in self.modules():
            if isinstance(module, Convolution | Head):
                module.copies = copies
                for weight in module.parameters(recurse=False):
                    copies(weight)
        return copies

    def forward(self, x: Tensor) -> Any:
        y: Any = self.bn1.after(self.conv1, x, "_relu")
        y = _max_pool(y, kernel=3, stride=2, pad=1)
        for stage in range(self.stages):
            y = getattr(self, f"layer{stage + 1}")(y)
        return self.fc(_average(y))


SMOOTHING = 0.1


def loss(scores: Tensor, labels: Tensor) -> Any:
    """The cross-entropy with smoothed labels, in f32 at least."""
    wide = cast(scores, torch.float32) if scores.itemsize < 4 else scores
    return _loss(wide, labels, label_smoothing=SMOOTHING)
