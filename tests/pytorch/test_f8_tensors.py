"""f8 through the face: PyTorch's float8 tensors, and numpy arrays of bit patterns."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import uol
from uol.compiler import compile as compile_for
from uol.ir import parse
from uol.ir.errors import ShapeError, TypeCheckError
from uol.ir.program.dtype_encoding import encode, f8_values

TORCH = {"f8e4m3": torch.float8_e4m3fn, "f8e5m2": torch.float8_e5m2}
EITHER = "for T in (f8e4m3, f8e5m2)"
narrow = uol.op(
    "op face_f8_narrow(x: f32[*S]) -> (y: f8e4m3[*S], z: f8e5m2[*S]) { y[*s] = f8e4m3(x[*s])  z[*s] = f8e5m2(x[*s]) }"
)
scale = uol.op(f"op face_f8_scale(x: T[*S], w: f32[*S]) -> (y: f32[*S]) {EITHER} {{ y[*s] = acc(x[*s]) * w[*s] }}")
rectify = uol.op(f"op face_f8_rectify(x: T[N, M]) -> (y: T[N, M]) {EITHER} {{ y[n, m] = max(x[n, m], 0) }}")


def test_results_are_float8_tensors() -> None:
    x = torch.linspace(-400, 400, 999).reshape(3, 333)
    for result, dtype in zip(narrow(x), TORCH.values(), strict=True):
        assert result.dtype == dtype
        assert torch.equal(result.view(torch.uint8), x.to(dtype).view(torch.uint8))


def test_what_is_too_large_saturates_or_is_infinite() -> None:
    four, five = narrow(torch.tensor([1e6, -torch.inf, torch.nan]))
    assert torch.equal(four[:2].float(), torch.tensor([448.0, -448.0]))
    assert torch.equal(five[:2].float(), torch.tensor([torch.inf, -torch.inf]))
    assert four[2].float().isnan()
    assert five[2].float().isnan()


@pytest.mark.parametrize("dtype", TORCH.values(), ids=str)
def test_float8_tensors_are_taken_in_any_layout(dtype: torch.dtype) -> None:
    x = torch.randn(5, 8, generator=torch.Generator().manual_seed(1)).to(dtype)
    for given in (x, x.view(torch.uint8).t().contiguous().t().view(dtype), x[:, ::2], x[1:]):
        assert torch.equal(rectify(given).float(), given.float().relu())


@pytest.mark.parametrize("dtype", TORCH.values(), ids=str)
def test_a_gradient_passes_by_a_float8_input(dtype: torch.dtype) -> None:
    x, w = torch.randn(7).to(dtype), torch.randn(7, requires_grad=True)
    scale(x, w).sum().backward()
    assert torch.equal(w.grad, x.float())  # type: ignore[arg-type]


def test_it_traces_without_graph_breaks() -> None:
    x, w = torch.randn(4, 6), torch.randn(4, 6)
    traced = torch.compile(
        lambda a, b: torch.ops.uol.face_f8_scale(torch.ops.uol.face_f8_narrow(a)[0], b), fullgraph=True, backend="eager"
    )
    assert torch.equal(traced(x, w), x.to(torch.float8_e4m3fn).float() * w)
    torch.library.opcheck(torch.ops.uol.face_f8_narrow.default, (x,))


def test_another_type_is_refused() -> None:
    with pytest.raises(TypeCheckError, match="does not admit f32 for x"):
        rectify(torch.randn(2, 3))


@pytest.mark.parametrize("dtype", TORCH)
def test_numpy_arrays_hold_bit_patterns(dtype: str) -> None:
    op = parse(f"op patterns(x: T[N]) -> (y: T[N], z: f16[N]) {EITHER} {{ y[n] = x[n]  z[n] = f16(x[n]) }}")[0]
    compiled = compile_for(op, "cpu", dtype, {"N": 256})
    patterns = np.arange(256, dtype=np.uint8)
    copied, wide = compiled(patterns)
    number = ~np.isnan(f8_values(dtype))  # any NaN is as good as another
    np.testing.assert_array_equal(copied[number], patterns[number])
    np.testing.assert_array_equal(wide.astype(np.float64), f8_values(dtype))
    np.testing.assert_array_equal(compiled(encode(f8_values(dtype), dtype))[1], wide)
    with pytest.raises(ShapeError, match=f"bit patterns of {dtype}, uint8") as error:
        compiled(np.zeros(256, np.float32))
    assert error.value.hint == f"write uol.ir.encode(x, {dtype!r})"
