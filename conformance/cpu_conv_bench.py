"""ResNet-50's convolutions on the CPU, against PyTorch in the same process.

    python -m uol.conformance.cpu_conv_bench [--one-core] [FILTER ...]

Each line is one distinct convolution at batch 1, with its inference norm and relu, channels-last on both sides: PyTorch's
convolution alone, PyTorch's convolution, norm and relu, and one uol operator. Timings alternate (A B C A B C); given are
medians and 10th percentiles in ms. `--one-core` measures CPU time of one thread, which a busy machine disturbs least; a
FILTER such as 3x3 or 1x1 picks lines.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from uol.conformance.bench_options import bench_options

ROUNDS = 6
SECONDS_PER_ROUND = 0.08
Run = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Convolution:
    """Channels, height (and width), outputs, filter height (and width), stride, padding."""

    c: int
    h: int
    o: int
    r: int
    stride: int
    pad: int

    @property
    def p(self) -> int:
        """The result's height (and width)."""
        return (self.h + 2 * self.pad - self.r) // self.stride + 1

    @property
    def flop(self) -> int:
        return 2 * self.c * self.o * self.r * self.r * self.p * self.p

    def __str__(self) -> str:
        return f"{self.r}x{self.r}/{self.stride} {self.c}x{self.h}x{self.h} -> {self.o}"


def resnet50_convolutions() -> Counter[Convolution]:
    """The distinct convolutions of a forward pass on one 224 x 224 image, and how often each occurs."""
    import torch
    import torchvision

    found: Counter[Convolution] = Counter()

    def note(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...], result: torch.Tensor) -> None:
        assert isinstance(module, torch.nn.Conv2d)
        found[
            Convolution(
                module.in_channels,
                inputs[0].shape[2],
                module.out_channels,
                module.kernel_size[0],
                module.stride[0],
                int(module.padding[0]),
            )
        ] += 1

    with torch.device("meta"):
        net = torchvision.models.resnet50(weights=None).eval()
        for module in net.modules():
            if isinstance(module, torch.nn.Conv2d):
                module.register_forward_hook(note)
        net(torch.empty(1, 3, 224, 224))
    return found


def contenders(case: Convolution) -> dict[str, Run]:
    """PyTorch's convolution, PyTorch's three modules, and ours, checked against each other."""
    import torch
    from torch.nn import functional

    from uol.compiler import compile as compile_operator

    dims = {"N": 1, "C": case.c, "H": case.h, "W": case.h, "O": case.o, "R": case.r, "S": case.r}
    layouts = {
        "x": (case.c * case.h * case.h, 1, case.c * case.h, case.c),
        "w": (1, case.o, case.r * case.c * case.o, case.c * case.o),
        "y": (case.o * case.p * case.p, 1, case.o * case.p, case.o),
    }
    attrs = {"stride": case.stride, "pad": case.pad, "eps": 1e-5}
    kernel = compile_operator("conv2d_bn_relu", "cpu", "f32", dims, attrs, strides=layouts).loaded
    torch.manual_seed(0)
    last = torch.channels_last
    x = torch.randn(1, case.c, case.h, case.h).to(memory_format=last)
    w = torch.randn(case.o, case.c, case.r, case.r) / (case.c * case.r * case.r) ** 0.5
    gamma, beta, mean, var = torch.rand(case.o), torch.randn(case.o), torch.randn(case.o), torch.rand(case.o) + 0.5
    y = torch.empty(1, case.o, case.p, case.p).to(memory_format=last)
    ours, theirs = w.permute(2, 3, 1, 0).contiguous(), w.to(memory_format=last)

    def convolution() -> torch.Tensor:
        return functional.conv2d(x, theirs, stride=case.stride, padding=case.pad)

    def eager() -> torch.Tensor:
        return functional.batch_norm(convolution(), mean, var, gamma, beta, eps=1e-5).relu_()

    def uol() -> None:
        kernel(x, ours, gamma, beta, mean, var, y, 1e-5)

    uol()
    torch.testing.assert_close(y, eager(), rtol=1e-4, atol=1e-4)
    return {"conv": convolution, "eager": eager, "uol": uol}


def alternate(runs: Mapping[str, Run], clock: Callable[[], float]) -> dict[str, tuple[float, float]]:
    """(median, 10th percentile) in ms, the contenders taking turns."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()
    for _ in range(ROUNDS):
        for name, run in runs.items():
            end = clock() + SECONDS_PER_ROUND
            while clock() < end:
                start = clock()
                run()
                times[name].append((clock() - start) * 1e3)
    return {name: (statistics.median(t), sorted(t)[len(t) // 10]) for name, t in times.items()}


def main() -> None:
    options = bench_options(__doc__ or "", "3x3, 1x1, 7x7: only these")
    import torch

    totals = dict.fromkeys(("conv", "eager", "uol"), 0.0)
    with torch.inference_mode():
        for case, count in resnet50_convolutions().items():
            if options.filters and f"{case.r}x{case.r}" not in options.filters:
                continue
            measured = alternate(contenders(case), options.clock)
            shown = "  ".join(f"{name} {median:7.3f} / {low:7.3f}" for name, (median, low) in measured.items())
            ratio = measured["eager"][0] / measured["uol"][0]
            print(
                f"{case!s:28s} x{count}  {shown} ms  {case.flop / measured['uol'][0] / 1e6:5.0f} GF/s  {ratio:5.2f}x",
                flush=True,
            )
            for name, (median, _) in measured.items():
                totals[name] += count * median
    print("all, by count:  " + "  ".join(f"{name} {total:.1f} ms" for name, total in totals.items()))


if __name__ == "__main__":
    main()
