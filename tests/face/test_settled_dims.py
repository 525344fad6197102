"""Dims whose size an equation of the `where` clause gives."""

from __future__ import annotations

import pytest

import uol
from uol.binding.named_binding import settled_dims
from uol.ir.errors import ShapeError
from uol.ir.syntax.parser import parse

CONV = {"C": 12, "O": 4, "R": 3, "S": 3}


@pytest.mark.parametrize(
    ("where", "given", "found"),
    [
        ("A == B*k", {"A": 12}, 4),
        ("B*k == A", {"A": 0}, 0),
        ("A + 2 == 2*(B - 1)", {"A": 6}, 5),
        ("A == B*k", {"A": 7}, None),
        ("A + 9 == B - A", {"A": 1}, 11),
        ("A == -B", {"A": 2}, None),
        ("A == B*B", {"A": 4}, None),
        ("A == B / 2", {"A": 4}, None),
        ("A >= B", {"A": 4}, None),
        ("A == A*B*0", {"A": 0}, None),
        ("A == B*k", {}, None),
    ],
)
def test_what_an_equation_gives(where: str, given: dict[str, int], found: int | None) -> None:
    (op,) = parse(f"op f(x: f32[A], z: f32[B]; k: int = 3) -> (y: f32[A]) where {where} {{ y[i] = x[i] }}")
    assert settled_dims(op, {"A": None, "B": None, **given}, {"k": 3})["B"] == found


def test_one_equation_may_give_what_the_next_one_needs() -> None:
    (op,) = parse("op f(x: f32[A], z: f32[B], w: f32[D]) -> (y: f32[A]) where A == 2*B, B == D + 1 { y[i] = x[i] }")
    assert settled_dims(op, {"A": 8, "B": None, "D": None}, {}) == {"A": 8, "B": 4, "D": 3}


def test_channels_of_a_group_are_no_argument() -> None:
    kernel = uol.compile("conv2d", "cpu", "f32", CONV, {"groups": 2, "pad": 1})
    assert kernel.module.graph.dims == ("N", "H", "W")
    assert kernel.request.instance.flat_dims["D"] == 6
    fixed = uol.compile("conv2d", "cuda", "f32", {**CONV, "N": 1, "H": 5, "W": 5}, {"groups": 2, "pad": 1})
    assert fixed.request.instance.flat_dims["D"] == 6


def test_a_size_that_no_equation_admits_is_refused() -> None:
    with pytest.raises(ShapeError, match="conv2d"):
        uol.compile("conv2d", "cpu", "f32", CONV, {"groups": 5})
