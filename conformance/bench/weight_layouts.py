"""Would weights that are laid out once be worth keeping? Products and convolutions of the models of `graphs.bench` on one core,
with weights as PyTorch has them, and as the kernels' panels have them: inputs before outputs.

    UOL_NUM_THREADS=1 python -m uol.conformance.bench.weight_layouts

GFLOP/s by processor time, the best of several runs in turns. What a layout that is made once saves is the difference; keeping
it costs its memory, and a check of the weights' version at each call.
"""

from __future__ import annotations

import time
import timeit
from collections.abc import Callable, Mapping

import torch

from uol.conformance.command import run_command
from uol.ops import text

RUNS = 7
LINEAR = ((512, 512, 512), (512, 1408, 512), (788, 3072, 768), (788, 768, 768), (64, 512, 512))
"""Rows, outputs, inputs."""
CONVOLUTION = ((8, 64, 56, 64, 3), (8, 256, 14, 256, 3), (8, 512, 7, 512, 3), (8, 1024, 14, 256, 1), (8, 512, 7, 2048, 1))
"""Images, channels, height and width, outputs, window."""

Call = Callable[[], object]


def best_s(calls: Mapping[str, Call]) -> dict[str, float]:
    """Processor seconds of each, in turns."""
    best = dict.fromkeys(calls, float("inf"))
    for call in calls.values():
        call()
    for _ in range(RUNS):
        for name, call in calls.items():
            best[name] = min(best[name], timeit.timeit(call, number=2, timer=time.process_time) / 2)
    return best


def linear(rows: int, outputs: int, inputs: int) -> tuple[float, dict[str, float]]:
    """Operations, and the seconds of each layout."""
    x, w = torch.randn(rows, inputs), torch.randn(outputs, inputs)
    turned = w.t().contiguous()
    calls: dict[str, Call] = {"as given": lambda: text.matmul(x, w.t()), "laid out": lambda: text.matmul(x, turned)}
    return 2.0 * rows * outputs * inputs, best_s(calls)


def convolution(images: int, channels: int, size: int, outputs: int, window: int) -> tuple[float, dict[str, float]]:
    """Operations, and the seconds of each layout, of images as they are and channels-last."""
    x, w, pad = torch.randn(images, channels, size, size), torch.randn(outputs, channels, window, window), window // 2
    last, turned = x.contiguous(memory_format=torch.channels_last), w.permute(2, 3, 1, 0).contiguous().permute(3, 2, 0, 1)
    calls: dict[str, Call] = {
        "as given": lambda: text.conv2d(x, w, pad=pad),
        "laid out": lambda: text.conv2d(x, turned, pad=pad),
        "channels last, as given": lambda: text.conv2d(last, w, pad=pad),
        "channels last, laid out": lambda: text.conv2d(last, turned, pad=pad),
    }
    return 2.0 * images * size * size * outputs * channels * window * window, best_s(calls)


def main() -> int:
    """The command."""
    with torch.no_grad():
        for measured, rows in ((linear, LINEAR), (convolution, CONVOLUTION)):
            for sizes in rows:
                operations, seconds = measured(*sizes)
                shown = "  ".join(f"{name} {operations / s / 1e9:6.1f}" for name, s in seconds.items())
                print(f"{measured.__name__:12} {' x '.join(map(str, sizes)):22} {shown}  GFLOP/s", flush=True)
    return 0


if __name__ == "__main__":
    run_command(main)
