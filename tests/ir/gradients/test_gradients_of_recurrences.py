"""The gradient of a recurrence is made of recurrences, without a division; that of a running product, too."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable

import numpy as np
import pytest
import torch

from uol.backends import registry
from uol.codegen.indexing.arithmetic import value_at
from uol.codegen.lowering import lower
from uol.codegen.work import work_of
from uol.ir import Library, check, instantiate, interpret, parse, print_op
from uol.ir.gradients import gradient
from uol.ir.syntax.surface import Op

FORWARD = [*itertools.product(("<=", "<"), (">", ">="), ("<=", "<"))]
BACKWARD = [*itertools.product((">=", ">"), ("<", "<="), (">=", ">"))]
HOLDS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
FACTORS: dict[str, tuple[str, Callable[[torch.Tensor, int], torch.Tensor]]] = {
    "elements": ("a[r, k]", lambda a, k: a[:, k]),
    "neighbours": ("exp((a[r, k - 1] else 0) - a[r, k])", lambda a, k: torch.exp((a[:, k - 1] if k else 0) - a[:, k])),
}


def state(ends: tuple[str, str, str], factor: str) -> Op:
    of_sum, of_term, of_result = ends
    value = f"c[r, i] * sum[j {of_sum} i](b[r, j] * prod[k {of_term} j, k {of_result} i]({factor}))"
    (op,) = parse(f"op f(a: T[R, N], b: T[R, N], c: T[R, N]) -> (y: T[R, N]) for T in (f64, f32) {{ y[r, i] = {value} }}")
    return op


def by_definition(ends: tuple[str, str, str], factor: Callable[[torch.Tensor, int], torch.Tensor], *given: torch.Tensor):
    a, b, c = given
    of_sum, of_term, of_result = (HOLDS[sign] for sign in ends)
    places, columns = range(a.shape[1]), []
    for i in places:
        terms = [b[:, j] * 1 for j in places if of_sum(j, i)]
        for number, j in enumerate(j for j in places if of_sum(j, i)):
            for k in places:
                if of_term(k, j) and of_result(k, i):
                    terms[number] = terms[number] * factor(a, k)
        columns.append(c[:, i] * sum(terms, torch.zeros_like(a[:, 0])))
    return torch.stack(columns, 1)


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("ends", FORWARD + BACKWARD, ids="".join)
def test_it_is_that_of_autograd_where_factors_are_0(ends: tuple[str, str, str], factor: str) -> None:
    op, rng = state(ends, FACTORS[factor][0]), np.random.default_rng(0)
    arrays = {name: rng.standard_normal((3, 5)) for name in ("a", "b", "c", "dy")}
    arrays["a"][0, 2] = arrays["a"][1, 0] = arrays["a"][1, 3] = arrays["a"][2, 4] = 0
    tensors = [torch.from_numpy(arrays[name]).requires_grad_() for name in "abc"]
    y = by_definition(ends, FACTORS[factor][1], *tensors)
    expected = torch.autograd.grad(y, tensors, torch.from_numpy(arrays["dy"]))
    text = gradient(op, Library([op]))
    check(text, Library([op]))
    found = interpret(instantiate(text, Library([op]), types={"T": "f64"}, dims={"R": 3, "N": 5}), arrays)
    for name, want in zip("abc", expected, strict=True):
        np.testing.assert_allclose(found[f"d{name}"], want.numpy(), 1e-10, 1e-12, err_msg=print_op(text))


def growth(op: Op, library: Library) -> float:
    """By how much the work grows with a row of four times the length."""
    found = []
    for length in (64, 256):
        program = instantiate(op, library, types={"T": "f32"}, dims={"R": 2, "N": length})
        specs = lower(program, registry.get("cpu"), {}).specs
        found.append(sum(value_at(n, {}) for spec in specs for n in work_of(spec).operations.values()))
    return found[1] / found[0]


@pytest.mark.parametrize("ends", [FORWARD[0], FORWARD[3], FORWARD[6], BACKWARD[0], BACKWARD[1]], ids="".join)
def test_gradients_of_every_order_grow_as_the_row_does(ends: tuple[str, str, str]) -> None:
    op = state(ends, "a[r, k]")
    for _ in range(3):
        assert growth(op, Library([op])) == pytest.approx(4, rel=0.02)
        op = gradient(op, Library([op]))


@pytest.mark.parametrize("relation", ["<=", "<", ">=", ">"])
def test_running_products_are_no_exception(relation: str) -> None:
    (op,) = parse(f"op f(a: T[R, N]) -> (y: T[R, N]) for T in (f64, f32) {{ y[r, i] = prod[k {relation} i](a[r, k]) }}")
    a, dy = np.random.default_rng(1).standard_normal((2, 3, 6))
    a[0, 2] = a[1, 0] = a[1, 4] = a[2, 5] = 0
    tensor = torch.from_numpy(a).requires_grad_()
    ones, side = torch.ones(3, 6, 6, dtype=torch.float64), HOLDS[relation](np.arange(6)[None], np.arange(6)[:, None])
    y = torch.where(torch.from_numpy(side), tensor[:, None, :], ones).prod(-1)
    (expected,) = torch.autograd.grad(y, tensor, torch.from_numpy(dy))
    text, library = gradient(op, Library([op])), Library([op])
    program = instantiate(text, library, types={"T": "f64"}, dims={"R": 3, "N": 6})
    np.testing.assert_allclose(interpret(program, {"a": a, "dy": dy})["da"], expected.numpy(), 1e-10, 1e-12)
    assert growth(text, library) == pytest.approx(4, rel=0.02)
    assert growth(gradient(text, library), library) == pytest.approx(4, rel=0.02)


@pytest.mark.parametrize("sizes", [(2, 5, 3), (5, 2, 4), (1, 2, 2), (3, 1, 5)])
@pytest.mark.parametrize("ends", FORWARD + BACKWARD, ids="".join)
def test_results_terms_and_factors_may_have_sizes_of_their_own(ends: tuple[str, str, str], sizes: tuple[int, int, int]) -> None:
    """What a factor's cotangent is made of has one element a factor, not one a result."""
    of_sum, of_term, of_result = ends
    (op,) = parse(f"""op f(a: T[N], b: T[J], c: T[K]) -> (y: T[K], z: T[K]) for T in (f64, f32) {{
      y[i] = c[i] * sum[j {of_sum} i](b[j] * prod[k {of_term} j, k {of_result} i](a[k]))
      z[i] = c[i] - prod[k {of_result} i](a[k] * (1 + a[k]))
    }}""")
    dims, rng = dict(zip("NJK", sizes, strict=True)), np.random.default_rng(0)
    given = {n: rng.standard_normal(dims[d]) for n, d in (("a", "N"), ("b", "J"), ("c", "K"), ("dy", "K"), ("dz", "K"))}
    a, b, c = tensors = [torch.from_numpy(given[name]).requires_grad_() for name in "abc"]
    in_sum, after, before = (HOLDS[sign] for sign in ends)
    one, results = torch.ones(1, dtype=torch.float64), list[torch.Tensor]()
    for i in range(dims["K"]):
        within = [[k for k in range(dims["N"]) if after(k, j) and before(k, i)] for j in range(dims["J"])]
        terms = [b[j] * a[within[j]].prod() for j in range(dims["J"]) if in_sum(j, i)]
        factors = [a[k] * (1 + a[k]) for k in range(dims["N"]) if before(k, i)]
        results.append(torch.stack([c[i] * sum(terms, 0 * one[0]), c[i] - torch.stack([one[0], *factors]).prod()]))
    seeds = torch.from_numpy(np.stack([given["dy"], given["dz"]], 1))
    expected = torch.autograd.grad(torch.stack(results), tensors, seeds, allow_unused=True)
    text, library = gradient(op, Library([op])), Library([op])
    found = interpret(instantiate(text, library, types={"T": "f64"}, dims=dims), given)
    for name, want in zip("abc", expected, strict=True):
        np.testing.assert_allclose(found[f"d{name}"], np.zeros(1) if want is None else want.numpy(), 1e-10, 1e-12)


NESTED: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "y[r] = sum[i](sum[j <= i](b[r, j] * prod[k > j, k <= i](a[r, k])))": lambda a, b: states(a, b).sum(1),
    "y[r] = sum[i](b[r, i] * sum[j <= i](b[r, j] * prod[k > j, k <= i](a[r, k])))": lambda a, b: (b * states(a, b)).sum(1),
    "x[r, i] = sum[j <= i](b[r, j] * prod[k > j, k <= i](a[r, k]))  y[r] = sum[i](x[r, i] * x[r, i])": lambda a, b: (
        states(a, b).square().sum(1)
    ),
    "y[r] = sum[i](a[r, i] * sum[j <= i](b[r, j]))": lambda a, b: (a * b.cumsum(1)).sum(1),
    "y[r] = sum[i](exp(sum[j <= i](b[r, j] * sum[k >= j](a[r, k]))))": lambda a, b: (
        (b * a.flip(1).cumsum(1).flip(1)).cumsum(1).exp().sum(1)
    ),
    "y[r] = sum[m](sum[i <= m](b[r, i] * sum[j <= i](b[r, j] * prod[k > j, k <= i](a[r, k]))))": lambda a, b: (
        (b * states(a, b)).cumsum(1).sum(1)
    ),
}


def states(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    found = [b[:, 0]]
    for at in range(1, b.shape[1]):
        found.append(a[:, at] * found[-1] + b[:, at])
    return torch.stack(found, 1)


@pytest.mark.parametrize("body", NESTED)
def test_within_another_reduction_they_stay_recurrences(body: str) -> None:
    """And their gradient grows as the row does, not as its third power."""
    (op,) = parse(f"op f(a: T[R, N], b: T[R, N]) -> (y: T[R]) for T in (f64, f32) {{ {body} }}")
    text, library = gradient(op, Library([op])), Library([op])
    a, b = np.random.default_rng(2).standard_normal((2, 3, 6))
    a[0, 2] = a[1, 0] = a[1, 4] = a[2, 5] = 0
    tensors, dy = [torch.from_numpy(t).requires_grad_() for t in (a, b)], np.random.default_rng(3).standard_normal(3)
    expected = torch.autograd.grad(NESTED[body](*tensors), tensors, torch.from_numpy(dy))
    program = instantiate(text, library, types={"T": "f64"}, dims={"R": 3, "N": 6})
    known = {"a": a, "b": b, "dy": dy}
    found = interpret(program, {t.name: known[t.name] for t in program.by_role("in")})
    for name, want in zip("ab", expected, strict=True):
        np.testing.assert_allclose(found[f"d{name}"], want.numpy(), 1e-10, 1e-12, err_msg=print_op(text))
    assert growth(op, library) < 4.1
    assert growth(text, library) < 4.1
