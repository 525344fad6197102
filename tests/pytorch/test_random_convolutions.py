"""Convolutions of one to three dims, transposed too, whose every parameter differs from axis to axis, as PyTorch has them."""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest
import torch

import uol

F = torch.nn.functional
AXES = ("d", "h", "w")
EDGES = {"d": ("front", "back"), "h": ("top", "bottom"), "w": ("left", "right")}


@dataclass(frozen=True, slots=True)
class Windows:
    """The parameters of each axis, outermost first; `pads` are (before, behind)."""

    stride: list[int]
    dilation: list[int]
    pads: list[tuple[int, int]]
    extra: list[int]
    groups: int

    @staticmethod
    def draw(rng: random.Random, dims: int) -> Windows:
        """No two axes have the same stride or dilation; a transposed result grows by less than the stride."""
        stride, dilation = rng.sample((1, 2, 3), dims), rng.sample((1, 2, 3), dims)
        pads = [(rng.randint(0, 3), rng.randint(0, 3)) for _ in range(dims)]
        return Windows(stride, dilation, pads, [rng.randint(0, s - 1) for s in stride], rng.choice((1, 2, 3)))

    def options(self, *, transposed: bool) -> dict[str, int]:
        """As our texts name them: a single axis has the short names."""
        axes = AXES[3 - len(self.stride) :]
        found = {"groups": self.groups}
        for axis, stride, dilation, (low, high), extra in zip(
            axes, self.stride, self.dilation, self.pads, self.extra, strict=True
        ):
            end = "" if len(axes) == 1 else f"_{axis}"
            first, behind = EDGES[axis]
            found |= {f"stride{end}": stride, f"dilation{end}": dilation, f"pad_{first}": low, f"pad_{behind}": high}
            found |= {f"output_pad{end}": extra} if transposed else {}
        return found


def theirs(x: torch.Tensor, w: torch.Tensor, at: Windows, *, transposed: bool) -> torch.Tensor:
    """PyTorch pads both ends alike: here an input is padded, and a transposed result is whole first, then cut."""
    dims, given = len(at.stride), {"stride": at.stride, "dilation": at.dilation, "groups": at.groups}
    if not transposed:
        around = [pad for pads in reversed(at.pads) for pad in pads]
        return getattr(F, f"conv{dims}d")(F.pad(x, around), w, **given)
    whole = getattr(F, f"conv_transpose{dims}d")(x, w, **given)
    ends = reversed([(-low, extra - high) for (low, high), extra in zip(at.pads, at.extra, strict=True)])
    return F.pad(whole, [pad for pads in ends for pad in pads])


def agree(seed: int) -> None:
    """Forward, and the gradients by data and weights, in f64."""
    rng = random.Random(seed)
    dims, transposed = rng.choice((1, 2, 3)), rng.random() < 0.5
    at = Windows.draw(rng, dims)
    torch.manual_seed(seed)
    window, size = [rng.randint(1, 3) for _ in range(dims)], [rng.randint(7, 10) for _ in range(dims)]
    into, out = at.groups * rng.randint(1, 3), at.groups * rng.randint(1, 3)
    shape = (into, out // at.groups) if transposed else (out, into // at.groups)
    x, w = torch.randn(rng.randint(1, 2), into, *size), torch.randn(*shape, *window)
    name = f"conv_transpose{dims}d" if transposed else f"conv{dims}d"
    ours, expected = ([t.double().requires_grad_() for t in (x, w)] for _ in range(2))
    y = getattr(uol.ops.text, name)(*ours, **at.options(transposed=transposed))
    owed = theirs(*expected, at, transposed=transposed)
    torch.testing.assert_close(y, owed, msg=lambda text: f"{name}, {at}: {text}")
    dy = torch.randn_like(owed)
    for leaves, result in ((ours, y), (expected, owed)):
        result.backward(dy)
        assert all(leaf.grad is not None for leaf in leaves)
    torch.testing.assert_close([t.grad for t in ours], [t.grad for t in expected], msg=lambda text: f"{name}, {at}: {text}")


@pytest.mark.parametrize("seed", range(12))
def test_some(seed: int) -> None:
    agree(seed)


@pytest.mark.soak
@pytest.mark.parametrize("block", range(10))
def test_many(block: int) -> None:
    for seed in range(1000 + 20 * block, 1020 + 20 * block):
        agree(seed)
