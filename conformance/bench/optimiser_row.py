"""A row that is an optimiser's step over many tensors: one launch (`uol.ops.foreach`) beside PyTorch's optimiser."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING, Literal

from uol.conformance.bench.rows import Call, Contenders, Pass, smaller
from uol.conformance.bench.work import Work
from uol.ir.errors import ToolchainError

if TYPE_CHECKING:
    import torch

Shape = tuple[int, ...]
Step = Literal["sgd_momentum", "adamw"]
Way = Literal["fused", "loop"]
LR = 1e-3


@dataclass(frozen=True, slots=True)
class OptimiserRow:
    """A step on f32 tensors: `count` of one shape, or the parameters of torchvision's ResNet-50 where `shape` is None. PyTorch
    steps with its fused kernels, or in its loop over tensors, which is what one gets by default on a CPU."""

    step: Step
    way: Way
    count: int = 1
    shape: Shape | None = None

    @property
    def name(self) -> str:
        tensors = "ResNet-50" if self.shape is None else f"{self.count} of {'x'.join(map(str, self.shape))}"
        return f"{self.step} {tensors}, PyTorch {self.way}"

    @property
    def passes(self) -> tuple[Pass, ...]:
        return ("step",)

    def work(self, passed: Pass) -> Work:
        """Bytes: parameters and what is kept of them are read and written, gradients read."""
        elements = sum(map(prod, resnet50_shapes() if self.shape is None else [self.shape] * self.count))
        return Work(0, 4.0 * elements * {"sgd_momentum": 5, "adamw": 7}[self.step])

    def quick(self) -> OptimiserRow:
        shape = (64, 64) if self.shape is None else self.shape
        return replace(self, count=smaller(self.count), shape=tuple(map(smaller, shape)))

    def contenders(self, passed: Pass) -> Contenders:
        shapes = resnet50_shapes() if self.shape is None else [self.shape] * self.count
        return {"sgd_momentum": _sgd, "adamw": _adamw}[self.step](shapes, fused=self.way == "fused")


def resnet50_shapes() -> list[Shape]:
    """The shapes of its parameters. Raises ToolchainError without torchvision."""
    try:
        from torchvision.models import resnet50
    except ImportError as error:
        raise ToolchainError("the parameters are torchvision's, which is missing", hint="install uol[paths]") from error
    import torch

    with torch.device("meta"):
        return [tuple(p.shape) for p in resnet50(weights=None).parameters()]


def _sgd(shapes: list[Shape], *, fused: bool) -> Contenders:
    import torch

    from uol.pytorch import foreach

    params, grads, buffers = (_lists(shapes, value) for value in (1.0, 0.5, 0.0))
    theirs = _parameters(shapes)
    optimiser = torch.optim.SGD(theirs, LR, 0.9, weight_decay=1e-4, fused=fused, foreach=False)

    def ours() -> list[torch.Tensor]:
        foreach.sgd_momentum_(params, grads, buffers, lr=LR, weight_decay=1e-4)
        return params

    return Contenders(ours, _stepping(optimiser, theirs))


def _adamw(shapes: list[Shape], *, fused: bool) -> Contenders:
    import torch

    from uol.pytorch import foreach

    params, grads, means, squares = (_lists(shapes, value) for value in (1.0, 0.5, 0.0, 0.0))
    theirs = _parameters(shapes)
    optimiser = torch.optim.AdamW(theirs, LR, fused=fused, foreach=False)
    taken = 0

    def ours() -> list[torch.Tensor]:
        nonlocal taken
        taken += 1
        foreach.adamw_(params, grads, means, squares, step=taken, lr=LR)
        return params

    return Contenders(ours, _stepping(optimiser, theirs))


def _lists(shapes: list[Shape], value: float) -> list[torch.Tensor]:
    import torch

    return [torch.full(shape, value) for shape in shapes]


def _parameters(shapes: list[Shape]) -> list[torch.Tensor]:
    """The same values on PyTorch's side, with their gradients."""
    found = [p.requires_grad_() for p in _lists(shapes, 1.0)]
    for parameter, gradient in zip(found, _lists(shapes, 0.5), strict=True):
        parameter.grad = gradient
    return found


def _stepping(optimiser: torch.optim.Optimizer, params: list[torch.Tensor]) -> Call:
    def call() -> list[torch.Tensor]:
        optimiser.step()
        return params

    return call
