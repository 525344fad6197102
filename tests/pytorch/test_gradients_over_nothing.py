"""Gradients of reductions over a dim of 0: of what is empty they are empty, and what meets nothing gets 0, as in PyTorch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from turns import by_turns

import uol
from uol.ir import Library, interpret, parse
from uol.ir.checker.instantiation import dim_names, instantiate
from uol.ir.gradients import gradient

INF = float("inf")


def largest(x: torch.Tensor, dim: int = -1) -> torch.Tensor:
    """The law of the language: over nothing it is -inf."""
    return x.amax(dim) if x.shape[dim] else x.sum(dim) - INF


Reference = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
FORMS: dict[str, Reference] = {
    "max[c](x[r, c])": lambda x, w: largest(x),
    "min[c](x[r, c])": lambda x, w: -largest(-x),
    "max[c](x[r, c]) + sum[c](x[r, c])": lambda x, w: largest(x) + x.sum(-1),
    "max(max[c](x[r, c]), 2)": lambda x, w: largest(x).clamp(min=2),
    "sum[d](max[c](x[r, c] * w[d]))": lambda x, w: largest(x[:, None] * w[:, None]).sum(-1),
    "sum[d](w[d]) + max[c](x[r, c] * x[r, c])": lambda x, w: w.sum() + largest(x * x),
    "max[c, d](x[r, c] * w[d])": lambda x, w: largest((x[:, :, None] * w).flatten(1)),
    "max[c, d < 2](x[r, c] * w[d])": lambda x, w: largest((x[:, :, None] * w[:2]).flatten(1)),
    "max[c <= r](x[r, c])": lambda x, w: largest(x.masked_fill(torch.ones(x.shape).triu(1).bool(), -INF)),
    "prod[c](x[r, c])": lambda x, w: x.prod(-1),
    "sum[c](max[d](x[r, c] * w[d]))": lambda x, w: largest(x[:, :, None] * w).sum(-1),
    "select(C > 0, max[c](x[r, c]), 7)": lambda x, w: largest(x) if x.shape[1] else x.sum(-1) + 7,
}
SHAPES = [(3, 0, 2), (3, 4, 2), (0, 4, 2), (0, 0, 2), (1, 0, 3), (3, 1, 3)]


def text_of(number: int, form: str) -> str:
    head = f"op over_nothing_{number}(x: T[R, C], w: T[D]) -> (y: T[R]) for T in (f64, f32) where D >= 2"
    return f"{head} {{ y[r] = {form} }}"


@pytest.mark.parametrize("at", by_turns(2, list(enumerate(FORMS))), ids=lambda at: at[1])
def test_where_there_is_nothing_the_gradient_is_empty_or_zero(at: tuple[int, str], own_cache: object) -> None:
    number, form = at
    op = uol.op(text_of(number, form))
    for rows, columns, width in SHAPES:
        x, w = torch.randn(rows, columns), torch.rand(width) + 0.5
        mine, theirs = ([t.clone().requires_grad_() for t in (x, w)] for _ in range(2))
        y, expected = op(*mine), FORMS[form](*theirs)
        torch.testing.assert_close(y, expected)
        ways = ((y, mine), (expected, theirs))
        found, owed = (torch.autograd.grad(v.sum(), of, allow_unused=True, materialize_grads=True) for v, of in ways)
        torch.testing.assert_close(found, owed)


@pytest.mark.parametrize(("number", "form"), list(enumerate(FORMS)))
def test_one_gradient_is_for_all_sizes(number: int, form: str) -> None:
    """As a kernel that takes dims as arguments, and by the definition of the language."""
    (op,) = parse(text_of(number, form))
    text, library = gradient(op, Library([op])), Library([op])
    kernel = uol.compile(text, "cpu", "f64", dict.fromkeys(dim_names(text)))
    for rows, columns, width in SHAPES:
        rng = np.random.default_rng(rows + columns + width)
        known = {"x": rng.standard_normal((rows, columns)), "w": rng.random(width) + 0.5, "dy": rng.standard_normal(rows)}
        x, w = (torch.from_numpy(known[name]).requires_grad_() for name in "xw")
        y = FORMS[form](x, w)
        owed = torch.autograd.grad(y, (x, w), torch.from_numpy(known["dy"]), allow_unused=True, materialize_grads=True)
        known["y"] = y.detach().numpy()
        given = {p.name: known[p.name] for p in text.params}
        dims = {n: s for n, s in {"R": rows, "C": columns, "D": width}.items() if n in dim_names(text)}
        program = instantiate(text, library, types={"T": "f64"}, dims=dims, folds=False)
        made = kernel(*given.values())
        by_kernel = dict(zip([r.name for r in text.results], made if isinstance(made, tuple) else (made,), strict=True))
        for results in (by_kernel, interpret(program, given)):
            for name, expected in zip(("dx", "dw"), owed, strict=True):
                np.testing.assert_allclose(results[name], expected.numpy(), rtol=1e-12, atol=1e-12)
