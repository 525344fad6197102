"""Calls that PyTorch takes, or refuses, in a way of its own: what `uol.ops` does is the same."""

from __future__ import annotations

import pytest
import torch

import uol


def test_a_slope_is_of_a_channel() -> None:
    x, slope = torch.randn(2, 3, 3), torch.randn(3)
    torch.testing.assert_close(uol.ops.text.prelu(x, slope), torch.nn.functional.prelu(x, slope))
    torch.testing.assert_close(uol.ops.text.prelu(x, slope=slope[:1]), torch.nn.functional.prelu(x, slope[:1]))
    with pytest.raises(uol.ShapeError, match="prelu"):
        uol.ops.text.prelu(torch.randn(2, 4, 3), slope)


def test_results_share_no_memory() -> None:
    x, v = torch.randn(3, 4), torch.empty(6)
    for out in ((v[:3], v[:3]), (v[:3], v[2:5])):
        with pytest.raises(uol.TypeCheckError, match="var_mean: tensors of out share memory"):
            uol.ops.text.var_mean(x, out=out)
    uol.ops.text.var_mean(x, out=(v[:3], v[3:]))
    torch.testing.assert_close(v[:3], x.var(-1))


def test_a_default_may_be_infinite() -> None:
    clipped = uol.op(
        "op clipped(x: T[*S]; low: float = -inf, high: float = inf) -> (y: T[*S]) for T in (f64, f32) "
        "{ y[*s] = min(max(x[*s], low), high) }"
    )
    x = torch.randn(5)
    assert torch.equal(clipped(x), x)
    assert torch.equal(clipped(x, low=0.0), x.clamp(min=0))
    assert torch.equal(clipped(x, low=-float("inf"), high=0.5), x.clamp(max=0.5))


def test_dims_without_a_letter_broadcast() -> None:
    cases = (
        ("...ij,...jk->...ik", (2, 3, 4), (2, 4, 5)),
        ("...ij,jk->...ik", (6, 2, 3, 4), (4, 5)),
        ("...ij,...jk", (6, 1, 3, 4), (2, 4, 5)),
        ("b...i,b...i->b...", (2, 5, 3), (2, 1, 3)),
        ("...,...->...", (2, 5, 3), (5, 3)),
        ("i...->...", (2, 3)),
        ("...i->i", (2, 5, 3)),
        ("...->...", ()),
    )
    for equation, *shapes in cases:
        operands = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
        wanted, found = torch.einsum(equation, *operands), uol.ops.einsum(equation, *operands)
        torch.testing.assert_close(found, wanted)
        cotangent = torch.randn_like(wanted)
        torch.testing.assert_close(
            torch.autograd.grad(found, operands, cotangent), torch.autograd.grad(wanted, operands, cotangent)
        )


@pytest.mark.parametrize(
    ("equation", "shapes", "message"),
    [
        ("...i...->i", [(2, 3)], "`...` twice in one place"),
        ("ij->...i", [(2, 3)], "`...` in the result alone"),
        ("...ij,jk->ik", [(4,), (4, 5)], "operand 0 has 1 dims, and 2 letters"),
        ("...i,...i->...", [(2, 3), (4, 3)], "`...` is [2] and [4]"),
    ],
)
def test_dims_without_a_letter_that_do_not_fit(equation: str, shapes: list[tuple[int, ...]], message: str) -> None:
    with pytest.raises(uol.UolError) as raised:
        uol.ops.einsum(equation, *map(torch.ones, shapes))
    assert message in str(raised.value)
    assert raised.value.hint


TRUTH = torch.tensor([[True, False, True, False], [False, False, True, True]])


@pytest.mark.parametrize("name", ["eq", "ne", "lt", "le", "gt", "ge", "maximum", "minimum"])
def test_truth_values_compare(name: str) -> None:
    assert torch.equal(getattr(uol.ops.text, name)(TRUTH, TRUTH.flip(1)), getattr(torch, name)(TRUTH, TRUTH.flip(1)))


def test_truth_values_have_extrema_and_casts() -> None:
    assert torch.equal(uol.ops.text.amax(TRUTH), TRUTH.amax(-1))
    assert torch.equal(uol.ops.text.amin(TRUTH), TRUTH.amin(-1))
    numbers = torch.tensor([0.0, -0.0, 2.0, float("nan"), -float("inf")])
    for x in (numbers, torch.tensor([0, -1, 2**31 - 1], dtype=torch.int32), TRUTH):
        assert torch.equal(uol.ops.cast(x, dtype=torch.bool), x.to(torch.bool))
        assert torch.equal(uol.ops.cast(x == x, dtype=torch.float16), (x == x).to(torch.float16))


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.uint8])
def test_places_of_extrema_of_integers(dtype: torch.dtype) -> None:
    x = torch.tensor([[3, 1, 3, 1], [2, 2, 0, 0], [7, 2**31 - 1, 7, 0]]).to(dtype)
    for name in ("argmax", "argmin"):
        assert torch.equal(getattr(uol.ops.text, name)(x), getattr(torch, name)(x, -1))
    assert torch.equal(torch.stack(uol.ops.max_with_index(x)), torch.stack([x.amax(-1).to(dtype), x.argmax(-1).to(dtype)]))


@pytest.mark.parametrize("dtype", [torch.int32, torch.int16, torch.int8, torch.uint8])
def test_powers_of_integers_wrap(dtype: torch.dtype) -> None:
    low, high = torch.iinfo(dtype).min, torch.iinfo(dtype).max
    bases = torch.tensor([*range(-5, 8), 46341, low, high]).to(dtype)
    powers = torch.tensor([0, 1, 2, 3, 31, 32, 33, 100, -1, -2, -3, low, high]).clamp(low, high).to(dtype)
    assert torch.equal(uol.ops.pow(bases[:, None], powers), torch.pow(bases[:, None], powers))
