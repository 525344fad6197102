"""One run: the first step of a training on a cold cache, in which everything happens at once.

    python -m uol.conformance.fork_safety.first_step DELAY_S [START]

A thread compiles operators and their gradients; after DELAY_S, in the midst of it, a DataLoader starts two workers by START
(fork, spawn or forkserver), which compile and run operators of their own, and share some of the thread's; meanwhile the first
step of a small network runs. PyTorch's threads have worked before, as they have in any training. Every value is compared with
PyTorch's. Exit status 0 where all agree.
"""

from __future__ import annotations

import sys
import threading
import time

import torch
from torch.utils.data import DataLoader, Dataset

import uol

ROWS, COLUMNS = 64, 3000
"""Enough elements that a kernel runs on several threads."""
COMPILED = ("gelu", "softmax", "mish", "silu", "tanh", "softplus")


def values(number: int) -> torch.Tensor:
    return torch.linspace(-3, 3 + number, ROWS * COLUMNS).reshape(ROWS, COLUMNS)


class Activations(Dataset[torch.Tensor]):
    """What a worker computes by uol: softmax(gelu(x))."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, number: int) -> torch.Tensor:
        found: torch.Tensor = uol.ops.text.softmax(uol.ops.text.gelu(values(number)))
        return found


def right(found: torch.Tensor, number: int) -> bool:
    """Is that what PyTorch computes?"""
    expected = torch.softmax(torch.nn.functional.gelu(values(number).double()), -1)
    return torch.allclose(found.double(), expected, rtol=1e-4, atol=1e-9)


def compile_operators(wrong: list[str]) -> None:
    """Forwards and gradients, for the first time in this process."""
    for name in COMPILED:
        x = values(0).requires_grad_()
        getattr(uol.ops.text, name)(x).sum().backward()
        if x.grad is None or not x.grad.isfinite().all():
            wrong.append(f"the gradient of {name}")


def step(wrong: list[str]) -> None:
    """A layer and its gradient, beside PyTorch's."""
    x, w = values(1), torch.linspace(-1, 1, 8 * COLUMNS).reshape(8, COLUMNS)
    ours, theirs = w.clone().requires_grad_(), w.clone().requires_grad_()
    uol.ops.text.matmul(x, ours.t()).square().sum().backward()
    (x @ theirs.t()).square().sum().backward()
    assert ours.grad is not None and theirs.grad is not None
    if not torch.allclose(ours.grad, theirs.grad, rtol=1e-3, atol=1e-3 * float(theirs.grad.abs().max())):
        wrong.append("the gradient of the step")


def main() -> int:
    delay_s, start = float(sys.argv[1]), (sys.argv[2] if len(sys.argv) > 2 else "fork")
    wrong: list[str] = []
    (values(0) @ values(0).t()).sum()  # PyTorch's threads are there from now on
    thread = threading.Thread(target=compile_operators, args=(wrong,))
    thread.start()
    time.sleep(delay_s)
    batches = iter(DataLoader(Activations(), batch_size=None, num_workers=2, multiprocessing_context=start))
    step(wrong)
    wrong += [f"batch {number}" for number, batch in enumerate(batches) if not right(batch, number)]
    thread.join()
    for each in wrong:
        print(f"wrong: {each}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
