"""An optimiser's step over many tensors in one launch, against PyTorch's, on the CPU.

    python -m uol.conformance.foreach_bench [--one-core] [FILTER ...]

Each line is one step over a list of f32 parameters: ResNet-50's, and a thousand of 64 x 64. Median and 10th percentile in ms
of ours, and of PyTorch's fused kernels and its loop over tensors, taking turns. A FILTER such as adamw picks lines.
"""

from __future__ import annotations

from collections.abc import Callable

from uol.conformance.bench_options import bench_options
from uol.conformance.cpu_conv_bench import Run, alternate


def resnet50_shapes() -> list[tuple[int, ...]]:
    """The shapes of its parameters."""
    import torch
    import torchvision

    with torch.device("meta"):
        return [tuple(p.shape) for p in torchvision.models.resnet50(weights=None).parameters()]


def sgd(shapes: list[tuple[int, ...]]) -> dict[str, Run]:
    """SGD with momentum and weight decay."""
    import torch

    import uol

    options = {"lr": 1e-6, "momentum": 0.9, "weight_decay": 1e-4}
    params, grads, buffers = ([torch.ones(s) for s in shapes] for _ in range(3))
    ours = lambda: uol.ops.foreach.sgd_momentum_(params, grads, buffers, **options)  # noqa: E731
    return {"uol": ours, **_theirs(lambda given, **how: torch.optim.SGD(given, **options, **how), shapes)}


def adamw(shapes: list[tuple[int, ...]]) -> dict[str, Run]:
    """AdamW."""
    import torch

    import uol

    params, grads, means, squares = ([torch.ones(s) for s in shapes] for _ in range(4))
    ours = lambda: uol.ops.foreach.adamw_(params, grads, means, squares, step=9, lr=1e-6)  # noqa: E731
    return {"uol": ours, **_theirs(lambda given, **how: torch.optim.AdamW(given, lr=1e-6, **how), shapes)}


def _theirs(make: Callable[..., Run], shapes: list[tuple[int, ...]]) -> dict[str, Run]:
    import torch

    runs: dict[str, Run] = {}
    for name, how in {"PyTorch fused": {"fused": True}, "PyTorch loop": {"foreach": False}}.items():
        params = [torch.ones(s, requires_grad=True) for s in shapes]
        for p in params:
            p.grad = torch.ones_like(p)
        runs[name] = make(params, **how).step  # type: ignore[attr-defined]  # an optimiser's
    return runs


def main() -> None:
    """The command."""
    import torch

    options = bench_options(__doc__ or "", "lines")
    lists = {"ResNet-50": resnet50_shapes(), "1000 of 64x64": [(64, 64)] * 1000}
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
