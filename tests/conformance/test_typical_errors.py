"""The RMS of a sum's errors beside what they are as a rule: no legal order fails, narrower arithmetic does at any length."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from library_programs import program_of
from numpy.typing import NDArray
from orders import ORDERS, Single, narrowed

from uol.conformance.accuracy.comparison import Comparison, compare, held_to_typical
from uol.conformance.accuracy.contracts import contract
from uol.conformance.accuracy.error_analysis import enclose
from uol.conformance.accuracy.interval import point
from uol.ir.program.dtype_encoding import encode
from uol.ops.inputs import Array
from uol.ops.workloads import Workload

LENGTHS = (64, 1000, 4608, 18432)
OWED = contract("cuda")


Dims = dict[str, int | tuple[int, ...]]


def judged(op: str, inputs: dict[str, Array], result: NDArray[Any], dims: Dims) -> Comparison:
    """As `uol conform` judges a result in f32."""
    program = program_of(Workload(op, dims), "f32")
    admitted, typical = (enclose(program, inputs, {}, owed)["y"] for owed in (OWED, OWED.as_a_rule()))
    actual = encode(np.asarray(result, np.float64), "f32")
    return held_to_typical(compare(actual, admitted, "f32"), actual, typical, "f32")


def drawn(shape: tuple[int, ...], seed: int) -> Single:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def product_of(terms: int, seed: int) -> tuple[dict[str, Array], Single, Dims]:
    """Inputs of a matmul of 4 x 5, its terms, its dims."""
    a, b = drawn((4, terms), seed), drawn((terms, 5), seed + 1)
    inputs: dict[str, Array] = {"a": a.astype(np.float64), "b": b.astype(np.float64)}
    return inputs, a[:, None, :] * b.T[None], {"S": (), "M": 4, "N": 5, "K": terms}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("terms", LENGTHS)
def test_no_legal_order_fails(terms: int, order: str) -> None:
    for seed in range(3):
        inputs, products, dims = product_of(terms, seed)
        found = judged("matmul", inputs, ORDERS[order](products), dims)
        assert found.ok and 0 < found.rms < 0.6
        for x in (drawn((1, terms), seed), np.abs(drawn((1, terms), seed)), drawn((7, terms), seed)):
            summed = judged("sum", {"x": x.astype(np.float64)}, ORDERS[order](x), {"S": (len(x),), "C": terms})
            assert summed.ok and summed.rms < 0.8


@pytest.mark.parametrize("terms", LENGTHS)
def test_narrower_arithmetic_fails_on_random_values(terms: int) -> None:
    inputs, products, dims = product_of(terms, 5)
    a, b = (inputs[name].astype(np.float32) for name in "ab")
    total = np.zeros((4, 5), np.float32)
    for k in range(terms):
        total = narrowed(total + products[..., k], 11)
    faults = {
        "TF32 factors": narrowed(a, 11).astype(np.float64) @ narrowed(b, 11),
        "bf16 factors": narrowed(a, 8).astype(np.float64) @ narrowed(b, 8),
        "f16 accumulator": total,
        "the last term dropped": products[..., :-1].sum(-1, dtype=np.float64),
    }
    assert {name: judged("matmul", inputs, y, dims).ok for name, y in faults.items()} == dict.fromkeys(faults, False)


def test_the_bound_of_each_error_misses_it_at_great_lengths() -> None:
    """What the RMS is there for."""
    inputs, _, dims = product_of(18432, 5)
    result = narrowed(inputs["a"], 11).astype(np.float64) @ narrowed(inputs["b"], 11)
    program = program_of(Workload("matmul", dims), "f32")
    assert compare(encode(result, "f32"), enclose(program, inputs, {}, OWED)["y"], "f32").ok
    found = judged("matmul", inputs, result, dims)
    assert not found.ok and found.rms > 4 and found.share < 1
    assert found.reason.startswith("each error is within the contract, but their RMS is")


@pytest.mark.parametrize("op", ["softmax", "layer_norm", "cumsum", "scatter_add"])
def test_what_is_typical_is_within_what_is_admitted(op: str) -> None:
    from uol.conformance.cases.twin_check import prepare
    from uol.conformance.cases.verdict import Case
    from uol.ops.workloads import workloads_of

    ready = prepare(Case(op, "cpu", "f32", workloads_of(op)[0]))
    most, rule = (enclose(ready.program, ready.values, ready.scalars, owed)["y"] for owed in (OWED, OWED.as_a_rule()))
    assert (most.low <= rule.low).all() and (rule.high <= most.high).all()
    assert (rule.high - rule.low).sum() < (most.high - most.low).sum()


def test_what_has_failed_or_is_no_float_stays_as_it_was() -> None:
    bad = Comparison(False, "NaN", 1)
    assert held_to_typical(bad, np.zeros(1, np.float32), point(np.ones(1)), "f32") is bad
    whole = Comparison(True, "", 1)
    assert held_to_typical(whole, np.zeros(1, np.int64), point(np.ones(1, np.int64)), "i64") is whole


def test_a_user_whose_sums_may_be_worse_has_typical_errors_that_are() -> None:
    from uol.ops.accuracy import register_contract

    register_contract("own_of_ten_times", {"reductions": {"sum": 10.0}})
    assert contract("cuda", "own_of_ten_times").typical == 10 * OWED.typical
