"""An optimiser's step over many tensors in one launch, against PyTorch's, on the CPU.

    python -m uol.conformance.foreach_bench [--one-core] [FILTER ...]

Each line is one step over a list of f32 parameters: ResNet-50's, and a thousand of 64 x 64. Median and 10th percentile in ms
of ours, and of PyTorch's fused kernels and its loop over tensors, taking turns. A FILTER such as adamw picks lines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from uol.conformance.bench_options import bench_options
from uol.conformance.cpu_conv_bench import Run, alternate

if TYPE_CHECKING:
    from torch import Tensor

Shape = tuple[int, ...]


def resnet50_shapes() -> list[Shape]:
    """The shapes of its parameters."""
    import torch
    import torchvision

    with torch.device("meta"):
        return [tuple(p.shape) for p in torchvision.models.resnet50(weights=None).parameters()]


def sgd(shapes: list[Shape]) -> dict[str, Run]:
    """SGD with momentum and weight decay."""
    import torch

    from uol.pytorch import foreach

    params, grads, buffers = ([torch.ones(s) for s in shapes] for _ in range(3))
    return {
        "uol": lambda: foreach.sgd_momentum_(params, grads, buffers, lr=1e-6, weight_decay=1e-4),
        "PyTorch fused": torch.optim.SGD(with_gradients(shapes), 1e-6, 0.9, weight_decay=1e-4, fused=True).step,
        "PyTorch loop": torch.optim.SGD(with_gradients(shapes), 1e-6, 0.9, weight_decay=1e-4, foreach=False).step,
    }


def adamw(shapes: list[Shape]) -> dict[str, Run]:
    """AdamW."""
    import torch

    from uol.pytorch import foreach

    params, grads, means, squares = ([torch.ones(s) for s in shapes] for _ in range(4))
    return {
        "uol": lambda: foreach.adamw_(params, grads, means, squares, step=9, lr=1e-6),
        "PyTorch fused": torch.optim.AdamW(with_gradients(shapes), lr=1e-6, fused=True).step,
        "PyTorch loop": torch.optim.AdamW(with_gradients(shapes), lr=1e-6, foreach=False).step,
    }


def with_gradients(shapes: list[Shape]) -> list[Tensor]:
    """Parameters whose gradients are there."""
    import torch

    params = [torch.ones(s, requires_grad=True) for s in shapes]
    for p in params:
        p.grad = torch.ones_like(p)
    return params


def main() -> None:
    """The command."""
    import torch

    options = bench_options(__doc__ or "", "lines")
    lists: dict[str, list[Shape]] = {"ResNet-50": resnet50_shapes(), "1000 of 64x64": [(64, 64)] * 1000}
    for name, shapes in lists.items():
        for step in (sgd, adamw):
            title = f"{step.__name__} {name}"
            if options.filters and not any(f in title for f in options.filters):
                continue
            with torch.no_grad():
                times = alternate(step(shapes), options.clock)
            print(f"{title:24}" + "   ".join(f"{who} {mid:7.3f} / {low:7.3f}" for who, (mid, low) in times.items()), flush=True)


if __name__ == "__main__":
    main()
