"""The conditions of `where` hold in any order: what one of them says about a divisor is known to all."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

import uol
from uol.ir import BoundsError, Library, Program, ShapeError, check, instantiate, parse
from uol.ir.program.render import show

GROUPED = "op f(x: f32[N, H]; G: int) -> (y: f32[N, G]) where {} {{ y[n, g] = sum[c < H/G](x[n, g*(H/G) + c]) }}"
CHAIN = "op f(x: f32[A], y: f32[B], z: f32[C], w: f32[D]) -> (r: f32[]) where {} {{ r[] = sum[a](x[a]) }}"


def program(text: str, **dims: int) -> Program:
    ops = parse(text)
    given = {"attrs": {"G": dims.pop("G")}} if "G" in dims else {}
    return instantiate(ops[-1], Library(ops), types={}, dims=dims, **given)


def shown(found: Program) -> set[str]:
    return {show(fact) for fact in found.facts}


@pytest.mark.parametrize("clauses", ["H % G == 0, G > 0", "G > 0, H % G == 0", "H % G == 0 and G > 0", "G > 0 and H % G == 0"])
def test_a_divisor_is_positive_by_a_condition_behind_it(clauses: str) -> None:
    text = GROUPED.format(clauses)
    check(parse(text)[0], Library())
    found = program(text, G=3, H=12)
    assert show(found.stages[0].value) == show(program(GROUPED.format("G > 0, H % G == 0"), G=3, H=12).stages[0].value)
    with pytest.raises(ShapeError, match="does not hold: H = 10, G = 3"):
        program(text, G=3, H=10)
    with pytest.raises(ShapeError, match="does not hold: G = 0"):
        program(text, G=0, H=12)


CONDITIONS = ("A % B == 0", "B % C == 0", "B >= C", "C >= 2", "D == A / B + C")


def test_every_order_says_the_same() -> None:
    """A chain: the divisor of the first is positive by the third, which takes the fourth."""
    expected = shown(program(CHAIN.format(", ".join(reversed(CONDITIONS)))))
    for order in itertools.permutations(CONDITIONS):
        assert shown(program(CHAIN.format(", ".join(order)))) == expected


@pytest.mark.parametrize("clauses", ["A % B == 0, B % A == 0", "A % B == 0", "A % B == 0, A / B > 0", "A % B == 0, B >= 0"])
def test_what_needs_itself_is_an_error_at_the_first(clauses: str) -> None:
    with pytest.raises(BoundsError, match="the divisor `B` is not known to be positive") as caught:
        program(CHAIN.format(clauses))
    assert caught.value.hint == "add `where B > 0`"
    assert caught.value.span is not None
    assert caught.value.span.column == CHAIN.index("{}") + 5


def test_a_caller_owes_them_in_any_order() -> None:
    callee = GROUPED.format("H % G == 0, G > 0").replace("op f", "op grouped")
    caller = "op g(x: f32[N, H]; K: int) -> (y: f32[N, K]) where {} {{ y[n, k] = grouped(x; G=K)[n, k] }}"
    for clauses in ("H % K == 0, K > 0", "K > 0, H % K == 0"):
        ops = parse(callee + "\n" + caller.format(clauses))
        check(ops[1], Library(ops))
        assert not instantiate(ops[1], Library(ops), types={}).checks
    ops = parse(callee + "\n" + caller.format("K >= 0"))
    with pytest.raises(ShapeError, match="`grouped` needs `G > 0`, but G = 0"):
        instantiate(ops[1], Library(ops), types={}, dims={"N": 2, "H": 4}, attrs={"K": 0})


BY_ROWS = """op pieces_by_rows(x: f32[H], g: f32[G]) -> (y: f32[G]) where H % G == 0, H >= G, G > 0 {
  y[i] = x[i * (H/G)] * g[i]
}"""


def test_a_call_that_breaks_one_says_which() -> None:
    op = uol.op(BY_ROWS)
    assert op(torch.arange(6.0), torch.ones(3)).tolist() == [0, 2, 4]
    with pytest.raises(ShapeError, match="needs H % G == 0, but H = 7, G = 3"):
        op(torch.arange(7.0), torch.ones(3))
    with pytest.raises(ShapeError, match="needs G > 0, but G = 0"):
        op(torch.arange(6.0), torch.ones(0))
    kernel = uol.compile(op, "cpu", dims={"H": None, "G": None})
    with pytest.raises(ShapeError, match="G > 0"):
        kernel(np.zeros(6, np.float32), np.zeros(0, np.float32))
