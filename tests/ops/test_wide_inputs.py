"""Wide inputs: sums of them are exact in f32 in any order, in nothing narrower; every operator that adds up has some."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from library_programs import program_of
from numpy.typing import NDArray
from orders import ORDERS, narrowed

from uol.conformance.accuracy.contracts import contract
from uol.conformance.accuracy.error_analysis import enclose
from uol.conformance.cases.case_matrix import types_of
from uol.conformance.cases.twin_check import compiled_of
from uol.conformance.cases.verdict import Case
from uol.conformance.gradients.cases import gradient_inputs
from uol.ir.program.rounding import round_to
from uol.ops.inputs import make_inputs
from uol.ops.references.gradients import forward_of
from uol.ops.texts import names
from uol.ops.wide_inputs import BITS, sums_of
from uol.ops.workloads import Workload, wide_workloads_of, workloads_of

LENGTHS = (64, 1000, 4608, 18432)


def factors(terms: int, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of the pairs of a row of `a` and a column of `b` of which one is wide: both, terms in the last dimension."""
    made = make_inputs(program_of(Workload("matmul", {"S": (), "M": 6, "N": 6, "K": terms}), "f32"), "wide", seed)
    a, b = np.asarray(made["a"], np.float64), np.asarray(made["b"], np.float64).T
    wide = [[not np.isin(row, (-1.0, 0.0, 1.0)).all() for row in each] for each in (a, b)]
    pairs = [(m, n) for m, n in product(range(6), range(6)) if wide[0][m] != wide[1][n]]
    assert len(pairs) == 18, "each factor is the wide one somewhere"
    return a[[m for m, _ in pairs]], b[[n for _, n in pairs]]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("terms", LENGTHS)
def test_a_sum_of_products_is_exact_in_every_order(terms: int, order: str) -> None:
    a, b = factors(terms)
    assert np.array_equal(ORDERS[order]((a * b).astype(np.float32)).astype(np.float64), (a * b).sum(-1))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("terms", LENGTHS)
def test_a_sum_and_a_sum_of_squares_are_exact_in_every_order(terms: int, order: str) -> None:
    for op in ("sum", "rms_norm"):
        x = make_inputs(program_of(Workload(op, {"S": (5,), "C": terms}), "f32"), "wide")["x"].astype(np.float64)
        added = x if op == "sum" else x * x
        assert np.array_equal(ORDERS[order](added.astype(np.float32)).astype(np.float64), added.sum(-1))
        assert (x[:, -2:-1] != 0).all() and (x[:, 0] != 0).all(), "a loop loses terms at its ends"
    assert not x.sum(-1).any(), "the mean of values that are squared is 0"


@pytest.mark.parametrize("bits", [11, 8], ids=["TF32 and f16", "bf16"])
@pytest.mark.parametrize("terms", LENGTHS)
def test_narrower_factors_and_accumulators_show(terms: int, bits: int) -> None:
    a, b = factors(terms)
    exact, terms_ = (a * b).sum(-1), (a * b).astype(np.float32)
    assert ((narrowed(a, bits) * narrowed(b, bits)).sum(-1) != exact).mean() > 0.8
    total = np.zeros(len(a), np.float32)
    for k in range(terms_.shape[-1]):
        total = narrowed(total + terms_[:, k], bits)
    assert (total != exact).mean() > 0.8
    assert ((a * b)[:, :-1].sum(-1) != exact).all()


@pytest.mark.parametrize("dtype", ["f64", "f32", "f16", "bf16"])
def test_wide_values_have_every_bit_of_their_type(dtype: str) -> None:
    x = np.abs(make_inputs(program_of(Workload("relu", {"S": (4096,)}), dtype), "wide")["x"].astype(np.float64))
    scaled = np.ldexp(x, BITS[dtype] - 1)
    assert ((x >= 1) & (x < 2) & (scaled % 2 == 1)).all() and np.array_equal(round_to(x, dtype), x)


def test_the_sums_of_a_program_are_found() -> None:
    found = sums_of(program_of(Workload("matmul", {"S": (2,), "M": 3, "N": 4, "K": 5}), "f32"))
    assert (found.terms, found.side, found.squared) == ({"a": 5, "b": 5}, {"a": 0, "b": 1}, set())
    found = sums_of(program_of(Workload("layer_norm", {"S": (2,), "C": 7}), "f32"))
    assert (found.terms, found.side, found.squared) == ({"x": 7}, {}, {"x"})
    found = sums_of(program_of(Workload("scatter_add", {"N": 9, "D": 2}, {"places": 3}), "f32"))
    assert set(found.terms) == {"x"} and not found.side


@pytest.mark.parametrize(
    ("op", "dims", "least"),
    [
        ("sum", {"S": (5,), "C": 18432}, 1.0),
        ("dot", {"S": (5,), "K": 18432}, 1.0),
        ("matmul", {"S": (), "M": 6, "N": 6, "K": 4608}, 0.75),
        ("linear_grad", {"S": (4608,), "N": 5, "K": 6}, 1.0),
    ],
)
def test_the_contract_admits_one_value_of_such_sums(op: str, dims: dict[str, int], least: float) -> None:
    forward, workload = forward_of(op), Workload(op, dims)
    program = compiled_of(Case(op, "cpu", "f32", workload, "wide"))[1]
    values = make_inputs(program, "wide")
    if forward is not None:
        values = gradient_inputs(Case(op, "cpu", "f32", workload, "wide"), forward, program)
    admitted = enclose(program, values, {}, contract("cpu")).results.values()
    assert np.mean(np.concatenate([(e.low == e.high).reshape(-1) for e in admitted])) >= least


def adds_up(op: str) -> bool:
    types = types_of(op, ["f32"])
    return bool(types) and bool(sums_of(program_of(workloads_of(op)[0], types[0])).terms)


def test_every_operator_that_adds_up_has_long_sums() -> None:
    assert [op for op in names() if not wide_workloads_of(op) and adds_up(op)] == []


def test_gradients_have_the_long_sums_of_their_forward() -> None:
    assert [replace(w, op="linear") for w in wide_workloads_of("linear_grad")] == list(wide_workloads_of("linear"))


def test_lengths_reach_those_of_the_paths() -> None:
    """A 3 x 3 convolution of 512 channels adds up 4,608 products, a feed-forward layer of large models 18,432."""
    largest: dict[str, int] = {}
    chosen: dict[str, Callable[[Workload], int]] = {
        "conv2d": lambda w: int(np.prod([w.flat_dims[n] for n in "DRS"])),
        "linear": lambda w: w.flat_dims["K"],
        "sum": lambda w: w.flat_dims["C"],
    }
    for op, length in chosen.items():
        largest[op] = max(map(length, wide_workloads_of(op)))
    assert largest == {"conv2d": 18432, "linear": 18432, "sum": 18432}
