"""Windows along rows: maxima, their places and gradients by residues, against PyTorch in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from cpu_cases import graph_of, program_of, run_compiled
from torch.nn import functional as F
from turns import by_turns

import uol
from uol.backends.cpu import legalise
from uol.backends.cpu.operands.interiors import interior_of
from uol.codegen.specs.interleaved import interleaved
from uol.codegen.specs.nodes import Fold, Reduce, Store
from uol.ir.syntax.printer import print_op
from uol.operators.gradients import gradient_op
from uol.operators.registry import catalogue

pytestmark = pytest.mark.usefixtures("own_cache")
THEIRS: dict[int, Any] = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
OURS: dict[int, Any] = {1: uol.ops.text.max_pool1d, 2: uol.ops.text.max_pool2d, 3: uol.ops.text.max_pool3d}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few terms are enough."""
    monkeypatch.setattr(legalise, "FEWEST_PRODUCTS", 0)


def image(*shape: int, dtype: torch.dtype = torch.float32, last: bool = False, values: int = 0) -> torch.Tensor:
    """Random numbers; with `values`, only so many different ones."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(values, shape, generator=generator) if values else torch.randn(shape, generator=generator)
    return x.to(dtype).contiguous(memory_format=torch.channels_last if last else torch.contiguous_format)


def require_equal(x: torch.Tensor, kernel: int, stride: int, pad: int, dilation: int = 1) -> None:
    """Maxima are the same numbers; a gradient is a sum, rounded once."""
    dims = x.dim() - 2
    given, exact = x.clone().requires_grad_(), x.double().requires_grad_()
    y = OURS[dims](given, kernel=kernel, stride=stride, pad=pad, dilation=dilation)
    z = THEIRS[dims](exact, kernel, stride, pad, dilation)
    torch.testing.assert_close(y.double(), z, rtol=0, atol=0, equal_nan=True)
    dy = image(*z.shape, dtype=x.dtype).contiguous(memory_format=_format(x))
    (found,), (expected,) = torch.autograd.grad(y, given, dy), torch.autograd.grad(z, exact, dy.double())
    eps = torch.finfo(x.dtype).eps
    torch.testing.assert_close(found.double(), expected, rtol=4 * eps, atol=4 * eps)


def _format(x: torch.Tensor) -> torch.memory_format:
    last = x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()
    return torch.channels_last if last else torch.contiguous_format


WINDOWS = [(3, 2, 1, 1), (2, 2, 0, 1), (3, 1, 1, 1), (2, 3, 1, 1), (5, 2, 2, 1), (3, 2, 1, 2), (4, 4, 2, 1)]
"""Kernel, stride, padding, dilation."""


@pytest.mark.parametrize("window", by_turns(2, WINDOWS))
def test_windows_in_two_dims(window: tuple[int, int, int, int]) -> None:
    require_equal(image(2, 5, 19, 37), *window)


@pytest.mark.parametrize("window", WINDOWS[::3])
def test_windows_where_channels_are_innermost(window: tuple[int, int, int, int]) -> None:
    require_equal(image(2, 9, 11, 12, last=True), *window)


@pytest.mark.parametrize(("dtype", "last"), [(torch.float64, False), (torch.float16, False), (torch.bfloat16, True)])
def test_other_types(dtype: torch.dtype, last: bool) -> None:
    require_equal(image(2, 3, 15, 22, dtype=dtype, last=last), 3, 2, 1)


def test_one_and_three_dims() -> None:
    require_equal(image(2, 3, 101), 3, 2, 1)
    require_equal(image(1, 2, 5, 9, 21), 3, 2, 1)


@pytest.mark.parametrize("last", [False, True])
def test_of_equal_values_the_first(last: bool) -> None:
    require_equal(image(2, 4, 21, 30, last=last, values=2), 3, 2, 1)


@pytest.mark.parametrize("stride", [1, 2])
def test_nan_and_infinities(stride: int) -> None:
    """A NaN is the maximum; of several, PyTorch takes the last for its place, and the language the first."""
    x = image(2, 3, 17, 35)
    x[0, :, ::5, ::7], x[1, 1, 4:9, 6:20] = torch.nan, torch.inf
    require_equal(x, 3, stride, 1)


def test_a_window_of_nothing_but_least_values() -> None:
    x = torch.full((1, 1, 6, 20), -torch.inf)
    assert torch.equal(uol.ops.text.max_pool2d(x, kernel=3, stride=2, pad=1), F.max_pool2d(x, 3, 2, 1))


@pytest.mark.parametrize("dtype", ["i32", "f32", "i64"])
def test_places_of_windows(dtype: str) -> None:
    """The first of equal values and the first NaN, with the least values of a type among those that are compared."""
    text = """op places(x: T[H, W]) -> (at: i64[H, W - 2], least: i64[H, W - 2]) for T in (i32, f32, i64) where W > 2 {
  at[h, q] = argmax[s < 3](x[h, q + s])
  least[h, q] = argmin[s < 3](x[h, q + s])
}"""
    kinds = {"i32": (np.int32, -(2**31)), "f32": (np.float32, np.nan), "i64": (np.int64, -(2**63))}
    kind, special = kinds[dtype]
    x = np.random.default_rng(0).integers(0, 3, (3, 41)).astype(kind)
    x[x == 0] = special
    graph = graph_of(program_of(text, types={"T": dtype}, dims={"H": 3, "W": 41}))
    found = run_compiled(graph, {"x": x})
    windows = np.stack([x[:, s : s + 39] for s in range(3)])
    assert np.array_equal(found["at"], windows.argmax(0))
    assert np.array_equal(found["least"], windows.argmin(0))


def _gradient_specs(**dims: int) -> tuple[Reduce, Reduce]:
    op = catalogue().get("max_pool2d")
    assert op is not None
    text = print_op(gradient_op(op, ("x",)).op)
    places, placed = graph_of(program_of(text, dims=dims, attrs={"kernel": 3, "stride": 2, "pad": 1})).specs
    assert isinstance(places, Reduce) and isinstance(placed, Reduce)
    return places, placed


def test_residues_lie_beside_each_other() -> None:
    """One kernel with a fold for each of four residues; what a stride leaves over has kernels of its own."""
    _, placed = _gradient_specs(N=1, C=2, H=12, W=16)
    steps = [type(step) for step in placed.steps]
    assert (steps.count(Fold), steps.count(Store)) == (4, 4)
    assert interleaved(placed) == (placed,)


def test_the_interior_needs_no_guard() -> None:
    places, placed = _gradient_specs(N=1, C=2, H=12, W=16)
    inside = interior_of(places)
    assert (inside.first, inside.last) == (1, 8)
    assert (interior_of(placed).first, interior_of(placed).last) == (1, 7)
    assert interior_of(inside.spec).length == 8
