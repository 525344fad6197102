"""A row that is one of the model paths (`conformance/paths`) at the sizes of its checks, beside its twin in plain PyTorch."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from uol.conformance.bench.rows import Call, Contenders, Pass

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

Path = Literal["moe", "cmap", "resnet50"]
NAMES: Mapping[Path, str] = {
    "moe": "moe N=512 E=128 top=4 D=512 F=1024",
    "cmap": "cmap N=2 C=64 8x28x28 L=32",
    "resnet50": "resnet50 digits N=32",
}
SEED = 0
WARM_CALLS = 2
COMPARED = 2
"""Gradients of a step that are compared, of the last parameters: norms magnify what is rounded differently behind them."""


@dataclass(frozen=True, slots=True)
class PathRow:
    """moe is a layer of experts, beside the fastest of PyTorch's forms of it (a loop, padded batches, grouped products), with
    all of its gradients, none added up. The others are a training step, with each side's SGD at a rate of 0, so that
    every step does the same work: cmap's result is the mean of its squares, resnet50 learns digits of 32 x 32."""

    path: Path
    narrow: bool = False

    @property
    def name(self) -> str:
        return f"{self.path} narrow" if self.narrow else NAMES[self.path]

    @property
    def passes(self) -> tuple[Pass, ...]:
        return ("forward", "forward + backward") if self.path == "moe" else ("step",)

    def work(self, passed: Pass) -> None:
        return None

    def quick(self) -> PathRow:
        return replace(self, narrow=True)

    def contenders(self, passed: Pass) -> Contenders:
        import torch

        from uol.pytorch.bridge import forget_sizes

        forget_sizes()
        torch.manual_seed(SEED)
        if self.path == "moe":
            return _layer_of_experts("narrow" if self.narrow else "check", passed)
        return _STEPS[self.path]("narrow" if self.narrow else "check")


def _layer_of_experts(size: str, passed: Pass) -> Contenders:
    import torch

    from uol.conformance.paths.moe import layer, twin
    from uol.conformance.paths.moe.forms import FORMS
    from uol.conformance.paths.moe.sizes import SIZES

    sizes = SIZES[size]
    shape = (sizes.width, sizes.hidden, sizes.experts, sizes.top)
    ours = layer.MixtureOfExperts(*shape)
    x = torch.randn(sizes.tokens, sizes.width)

    def call(module: nn.Module) -> Call:
        return _forward(module, x) if passed == "forward" else _with_gradients(module, x)

    def in_form(name: str) -> Call:
        theirs = twin.MixtureOfExperts(*shape, products=FORMS[name])
        theirs.load_state_dict(ours.state_dict(), assign=True)
        return call(theirs)

    return Contenders(call(ours), min((in_form(name) for name in FORMS), key=_seconds))


def _forward(module: nn.Module, x: Tensor) -> Call:
    return lambda: module(x)[:3]


def _with_gradients(module: nn.Module, x: Tensor) -> Call:
    import torch

    x = x.clone().requires_grad_()
    inputs = [x, *module.parameters()]

    def call() -> Sequence[Tensor]:
        with torch.enable_grad():
            results = module(x)[:3]
            return *(r.detach() for r in results), *torch.autograd.grad(results, inputs, [torch.ones_like(r) for r in results])

    return call


def _seconds(call: Call) -> float:
    """The best of some calls."""
    found = []
    for _ in range(WARM_CALLS + 1):
        start = time.perf_counter()
        call()
        found.append(time.perf_counter() - start)
    return min(found)


def _cmap(size: Literal["check", "narrow"]) -> Contenders:
    from uol.conformance.paths.cmap.draw import draw

    drawn = draw(size, "f32", SEED)
    return _steps(
        (drawn.module, lambda: drawn.module(*drawn.inputs).square().mean()),
        (drawn.twin, lambda: drawn.twin(*drawn.inputs).square().mean()),
    )


def _digits(size: Literal["check", "narrow"]) -> Contenders:
    from uol.conformance.paths.resnet50 import task
    from uol.conformance.paths.resnet50.sizes import SIZES

    sizes = task.DIGITS if size == "check" else SIZES["narrow"]
    batch = _of_size(task.batch(SEED, 0), sizes.batch, sizes.classes)
    ours, theirs = (task.build(SEED, side, sizes).train() for side in ("uol", "pytorch"))
    return _steps((ours, lambda: task.training_loss(ours, batch)), (theirs, lambda: task.training_loss(theirs, batch)))


def _of_size(batch: tuple[Tensor, ...], count: int, classes: int) -> tuple[Tensor, ...]:
    images, labels = batch
    return images[:count], labels[:count] % classes


_STEPS: Mapping[Path, Callable[[Literal["check", "narrow"]], Contenders]] = {"cmap": _cmap, "resnet50": _digits}
Side = tuple["nn.Module", Callable[[], "Tensor"]]
"""A network, and its loss."""


def _steps(ours: Side, theirs: Side) -> Contenders:
    import torch

    import uol

    def steps(side: Side, optimiser: Callable[..., torch.optim.Optimizer]) -> Call:
        network, loss = side
        return _step(network, loss, optimiser(network.parameters(), lr=0.0, momentum=0.9))

    return Contenders(steps(ours, uol.SGD), steps(theirs, torch.optim.SGD))


def _step(network: nn.Module, loss: Callable[[], Tensor], optimiser: torch.optim.Optimizer) -> Call:
    import torch

    parameters = list(network.parameters())

    def call() -> Sequence[Tensor]:
        optimiser.zero_grad()
        with torch.enable_grad():
            found = loss()
            found.backward()
        optimiser.step()
        return (found.detach(), *(p.grad for p in parameters[-COMPARED:] if p.grad is not None))

    return call
