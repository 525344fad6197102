"""Attention on the CPU: the oracle and the kernel in strips, within the accuracy contract."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from attention_cases import FORWARD, GRADIENTS, SIZES, attention_case
from cpu_cases import BACKEND
from every_floor import kernels_agree, ready
from turns import by_turns

import uol
from uol.backends.cpu.operands import attention_packing
from uol.backends.cpu.schedules import attentions
from uol.backends.cpu.schedules.depth import Depth
from uol.backends.cpu.schedules.kinds import Strips
from uol.codegen.lowering import lower
from uol.codegen.specs.nodes import Attention
from uol.ir import Library, instantiate
from uol.operators.registry import find_operator

NAMES = (*FORWARD, *(f"{n}_by_lse" for n in GRADIENTS))


@pytest.fixture
def strips(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything in strips, gradients too, and those in parallel."""
    monkeypatch.setattr(attention_packing, "FEW_ROWS", 0)
    monkeypatch.setattr(attention_packing, "MOST_SHARED_BYTES", 0)
    monkeypatch.setattr(attentions, "PARALLEL_FROM_PRODUCTS", 0)


@pytest.mark.parametrize(("name", "dtype"), by_turns(8, NAMES, ["f32", "f64", "f16", "bf16"]))
@pytest.mark.usefixtures("strips")
def test_types(name: str, dtype: str) -> None:
    case = ready(attention_case(name, "odd", dtype))
    assert case is not None
    assert kernels_agree(case)
    kernels = case.compiled("cpu").module.kernels
    fused = [k for k in kernels if isinstance(k.spec, Attention)]
    assert len(fused) == (1 if name in FORWARD else 2)
    assert all(isinstance(k.schedule, Strips) for k in fused)


@pytest.mark.parametrize(("name", "sizes"), by_turns(9, NAMES, list(SIZES)))
@pytest.mark.usefixtures("strips")
def test_sizes(name: str, sizes: str) -> None:
    case = ready(attention_case(name, sizes))
    assert case is not None
    assert kernels_agree(case)


@pytest.mark.parametrize(("name", "special"), by_turns(8, ["bare", *NAMES], ["nan", "inf", "low", "late"]))
@pytest.mark.usefixtures("strips")
def test_special_values(name: str, special: str) -> None:
    case = ready(attention_case(name, "wide", special=special))
    assert case is not None
    assert kernels_agree(case)


def test_a_row_that_sees_nothing_is_0() -> None:
    case = ready(attention_case("masked_attention", "odd"))
    assert case is not None
    y = case.compiled("cpu").run(case.buffers)["y"]
    assert not y[:, :, ::3].any()
    assert np.isfinite(y).all()


def test_what_does_not_fit_the_stack_is_several_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    case = ready(attention_case("attention", "odd"))
    assert case is not None
    for bytes_of_a_strip, is_fused in ((37 * 4, True), (37 * 4 - 1, False)):
        monkeypatch.setattr(attention_packing, "STRIP_BYTES", bytes_of_a_strip)
        assert any(isinstance(s, Attention) for s in lower(case.program, BACKEND, {}).specs) == is_fused


def test_a_few_rows_are_several_kernels() -> None:
    case = ready(attention_case("causal_attention", "wide"))  # two heads of 7 rows share a key
    assert case is not None
    assert any(isinstance(s, Attention) for s in lower(case.program, BACKEND, {}).specs)
    case = ready(attention_case("causal_attention", "one"))
    assert case is not None
    assert not any(isinstance(s, Attention) for s in lower(case.program, BACKEND, {}).specs)


@pytest.mark.parametrize(
    ("rows", "cols"), [(70, 130), (130, 70), *(pytest.param(*s, marks=pytest.mark.soak) for s in ((100, 100), (7, 200)))]
)
@pytest.mark.usefixtures("own_cache")
def test_beyond_the_diagonal(rows: int, cols: int) -> None:
    """Tiles and vectors that are left out, on both sides of the diagonal, and rows and cols that nothing is seen of."""
    generator = torch.Generator().manual_seed(0)
    shapes = ((2, 4, rows, 16), (2, 2, cols, 16), (2, 2, cols, 8))
    q, k, v = (torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes)
    ours, theirs = ([x.to(dtype).requires_grad_() for x in (q, k, v)] for dtype in (torch.float32, torch.float64))
    y = uol.ops.causal_attention(*ours)
    dy = torch.randn(y.shape, generator=generator, dtype=torch.float64)
    scores = theirs[0] @ theirs[1].repeat_interleave(2, 1).mT / 4
    seen = torch.ones(rows, cols, dtype=torch.bool).tril()
    expected = scores.masked_fill(~seen, -torch.inf).softmax(-1) @ theirs[2].repeat_interleave(2, 1)
    torch.testing.assert_close(y.double(), expected, rtol=1e-5, atol=1e-5)
    found = torch.autograd.grad(y, ours, dy.float())
    for ours_, theirs_ in zip(found, torch.autograd.grad(expected, theirs, dy), strict=True):
        torch.testing.assert_close(ours_.double(), theirs_, rtol=1e-4, atol=1e-5)


def test_sums_of_a_gradient_share_their_products_where_the_scores_fit() -> None:
    """Not beyond a diagonal, where most of them are left out instead, and not where they take much memory."""

    def fused(name: str, length: int) -> int:
        dims = {"B": 2, "H": 8, "G": 8, "L": length, "M": length, "D": 64, "E": 64}
        program = instantiate(find_operator(name), Library(), types={"T": "f32"}, dims=dims)
        return sum(isinstance(spec, Attention) for spec in lower(program, BACKEND, {}).specs)

    assert fused("attention_grad", 256) == 0
    assert fused("attention_grad", 2048) == 2
    assert fused("causal_attention_grad", 256) == 2
    assert fused("attention", 256) == 1


@pytest.mark.usefixtures("own_cache")
def test_what_a_kernel_reads_unwritten_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fault: a block of a long sum does not keep within the limits of its axis. What is beyond them in the strip is NaN in all
    tests (`stale_memory`), not what a fresh process would find."""
    right = Depth.points
    monkeypatch.setattr(Depth, "points", lambda self, frame, scope, block: right(self, frame, replace(scope, limits={}), block))
    q = torch.randn(1, 2, 512, 16)
    compiled = uol.compile("causal_attention", "cpu", "f32", {"B": 1, "H": 2, "L": 512, "G": 2, "M": 512, "D": 16, "E": 16})
    assert np.isnan(compiled(*[q.numpy()] * 3)).any()


@pytest.mark.parametrize("wrt", [False, True])
def test_a_long_sum_reads_nothing_beyond_the_diagonal(wrt: bool) -> None:
    """512 cols are summed in blocks. What an earlier call left in a strip, NaN here, is of no row that comes after."""
    torch.manual_seed(0)
    q, k, v = (torch.randn(1, 4, 512, 16, requires_grad=wrt) for _ in range(3))
    for _ in range(2):
        nan = [torch.full_like(x, torch.nan).requires_grad_(wrt) for x in (q, k, v)]
        lost = uol.ops.causal_attention(*nan)
        if wrt:
            lost.sum().backward()
        y = uol.ops.causal_attention(q, k, v)
        expected = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        torch.testing.assert_close(y, expected, rtol=1e-5, atol=1e-5)
        if wrt:
            found, theirs = (torch.autograd.grad(each.square().sum(), (q, k, v)) for each in (y, expected))
            torch.testing.assert_close(found, theirs, rtol=1e-4, atol=1e-4)
