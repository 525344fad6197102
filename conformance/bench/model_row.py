"""A row that is a PyTorch module as users have it, frozen for inference or with its layers replaced, beside itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Literal

from uol.conformance.bench.rows import Call, Contenders, Pass
from uol.ir.errors import MissingToolError

if TYPE_CHECKING:
    import torch
    from torch import nn

Side = Literal["uol", "PyTorch"]
Format = Literal["row-major", "channels-last"]

SEED = 0
TOKENS, WIDTH, HEADS = 128, 512, 8
"""Of the encoder layer: the base size of "Attention Is All You Need", table 3, on sentences of 128 tokens."""
WARM_CALLS = 2
COMPARED = 2
"""Gradients of a training step that are compared, of the last parameters: a batch norm at batch 8 magnifies what is rounded
differently behind it, from layer to layer."""


@dataclass(frozen=True, slots=True)
class ModelRow:
    """`use`: inference is `uol.freeze` beside the module in evaluation; training is `uol.replace` beside the module, both with
    PyTorch's SGD at a rate of 0, so that each step does the same work. Each side's weights and inputs lie in the memory format
    that is faster for that side, as users choose it; an encoder layer has row-major alone."""

    model: Literal["resnet50", "encoder layer"]
    use: Literal["inference", "training"]
    batch: int

    @property
    def name(self) -> str:
        return f"{self.model} N={self.batch} {self.use}"

    @property
    def passes(self) -> tuple[Pass, ...]:
        return ("forward",) if self.use == "inference" else ("step",)

    def work(self, passed: Pass) -> None:
        return None

    def quick(self) -> ModelRow:
        return replace(self, batch=1)

    def contenders(self, passed: Pass) -> Contenders:
        def compiled() -> Call:
            return self.call("PyTorch", faster_format(self, "PyTorch"), compiled=True)

        ours, theirs = (self.call(side, faster_format(self, side)) for side in SIDES)
        return Contenders(ours, theirs, compiled)

    def call(self, side: Side, order: Format, *, compiled: bool = False) -> Call:
        """One side in a memory format, built anew from the seed; `compiled`: by torch.compile."""
        import torch

        torch.manual_seed(SEED)
        module, inputs = _BUILT[self.model](self.batch)
        module.train(self.use == "training")
        if order == "channels-last":
            module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # PyTorch's stubs lack it
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        if compiled:
            module.compile()
        module = _ours(module) if side == "uol" else module
        return _inference(module, inputs) if self.use == "inference" else _training(module, inputs)


SIDES: tuple[Side, ...] = ("uol", "PyTorch")


@cache
def faster_format(row: ModelRow, side: Side) -> Format:
    """By the time of a call of each, once in a process."""
    orders: tuple[Format, ...] = ("row-major", "channels-last") if row.model == "resnet50" else ("row-major",)
    return min(orders, key=lambda order: _seconds(row.call(side, order))) if len(orders) > 1 else orders[0]


def _ours(module: nn.Module) -> nn.Module:
    """For inference or for training, as the module is set, with kernels for its own sizes, whatever was measured before."""
    import uol
    from uol.pytorch.bridge import forget_sizes

    forget_sizes()
    if not module.training:
        return uol.freeze(module)
    uol.replace(module)
    return module


def _inference(module: nn.Module, inputs: torch.Tensor) -> Call:
    import torch

    def call() -> Sequence[torch.Tensor]:
        with torch.inference_mode():
            return (module(inputs),)

    return call


def _training(module: nn.Module, inputs: torch.Tensor) -> Call:
    import torch

    parameters = list(module.parameters())
    optimiser = torch.optim.SGD(parameters, lr=0.0, momentum=0.9)

    def call() -> Sequence[torch.Tensor]:
        optimiser.zero_grad()
        with torch.enable_grad():
            loss = module(inputs).square().mean()
            loss.backward()
        optimiser.step()
        return (loss.detach(), *(p.grad for p in parameters[-COMPARED:] if p.grad is not None))

    return call


def _seconds(call: Call) -> float:
    for _ in range(WARM_CALLS):
        call()
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _resnet50(batch: int) -> tuple[nn.Module, torch.Tensor]:
    import torch

    try:
        from torchvision.models import resnet50
    except ModuleNotFoundError as error:
        raise MissingToolError("torchvision is not installed", hint="pip install torchvision") from error
    return resnet50(weights=None), torch.randn(batch, 3, 224, 224)


def _encoder_layer(batch: int) -> tuple[nn.Module, torch.Tensor]:
    import torch
    from torch import nn

    layer = nn.TransformerEncoderLayer(WIDTH, HEADS, 4 * WIDTH, dropout=0.0, activation="gelu", batch_first=True)
    return layer, torch.randn(batch, TOKENS, WIDTH)


_BUILT: dict[str, Callable[[int], tuple[nn.Module, torch.Tensor]]] = {"resnet50": _resnet50, "encoder layer": _encoder_layer}
