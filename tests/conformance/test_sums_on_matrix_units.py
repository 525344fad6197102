"""What is owed of sums of products of f16 and bf16, and of f32 in parts: what matrix units make of them passes, however
products are grouped, and narrower arithmetic does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from library_programs import program_of
from numpy.typing import NDArray
from orders import narrowed

from uol.conformance.accuracy.comparison import Comparison, compare, held_to_typical
from uol.conformance.accuracy.contracts import Contract, contract
from uol.conformance.accuracy.error_analysis import enclose
from uol.ir.program.dtype_encoding import encode
from uol.ops.workloads import Workload

LENGTHS = (2, 7, 8, 9, 64, 1000, 4608, 18432)
ROWS, COLS = 4, 5
Floats = NDArray[np.float64]


def judged(a: Floats, b: Floats, result: Floats, dtype: str, owed: Contract) -> Comparison:
    """As `uol conform` judges a matmul on drawn values."""
    program = program_of(Workload("matmul", {"S": (), "M": ROWS, "N": COLS, "K": a.shape[1]}), dtype)
    admitted, typical = (enclose(program, {"a": a, "b": b}, {}, each)["y"] for each in (owed, owed.as_a_rule()))
    actual = encode(result, dtype)
    return held_to_typical(compare(actual, admitted, dtype), actual, typical, dtype)


def drawn(terms: int, seed: int, dtype: str, positive: bool = False) -> tuple[Floats, Floats]:
    random = np.random.default_rng(seed)
    a, b = random.standard_normal((ROWS, terms)), random.standard_normal((terms, COLS))
    if positive:
        a, b = np.abs(a), np.abs(b)
    if dtype == "f32":
        return a.astype(np.float32).astype(np.float64), b.astype(np.float32).astype(np.float64)
    bits = {"f16": 11, "bf16": 8}[dtype]
    return narrowed(a, bits).astype(np.float64), narrowed(b, bits).astype(np.float64)


def truncated(a: Floats, b: Floats, group: int) -> Floats:
    """Groups of products and the sum so far: each part to a multiple of the last of 24 bits behind the greatest's leading one,
    toward zero, added, and to an f32 toward zero. In numpy, apart from the twin's."""
    total = np.zeros((a.shape[0], b.shape[1]))
    for first in range(0, a.shape[1], group):
        left, right = a[:, first : first + group, None], b[None, first : first + group, :]
        parts = np.concatenate([left * right, total[:, None]], axis=1)
        powers = np.concatenate([power(left) * power(right), power(total[:, None])], axis=1)
        step = np.maximum(powers.max(axis=1, keepdims=True), 1e-300) * 2.0**-24
        total = to_f32(np.trunc(parts / step).sum(axis=1) * step[:, 0])
    return total


def power(values: Floats) -> Floats:
    return np.where(values == 0, 0.0, np.ldexp(1.0, np.frexp(values)[1] - 1))


def to_f32(values: Floats) -> Floats:
    near = values.astype(np.float32)
    below = np.where(np.abs(near.astype(np.float64)) > np.abs(values), np.nextafter(near, np.float32(0)), near)
    return np.asarray(below, np.float64)


@pytest.mark.parametrize("dtype", ["f16", "bf16"])
@pytest.mark.parametrize("terms", LENGTHS)
def test_sums_of_matrix_units_pass(terms: int, dtype: str) -> None:
    for seed, positive in ((1, False), (2, True)):
        a, b = drawn(terms, seed, dtype, positive)
        for group in (4, 8):
            found = judged(a, b, truncated(a, b, group), dtype, contract("cuda"))
            assert found.ok, (group, positive, found.reason)


def worst_of_two() -> tuple[Floats, Floats]:
    """Two products of which the lesser loses almost the last kept bit of the greater, twice in a row, and the sum as much."""
    a, b = np.zeros((ROWS, 3)), np.zeros((3, COLS))
    a[:, 0], b[0] = 1.0, 1.0
    a[:, 1:], b[1:] = 2.0**-12 * (2 - 2.0**-10), 2.0**-12 * (2 - 2.0**-10)
    return a, b


def test_few_products_may_lose_more_than_a_rounding_each() -> None:
    """The bound of sums that round to nearest is too narrow for groups of a matrix unit."""
    a, b = worst_of_two()
    program = program_of(Workload("matmul", {"S": (), "M": ROWS, "N": COLS, "K": 3}), "f16")
    lost = (a @ b - truncated(a, b, 1)).max()
    for owed, admits in ((contract("any"), False), (contract("cuda"), True)):
        found = enclose(program, {"a": a, "b": b}, {}, owed)["y"]
        assert bool((found.low <= a @ b - lost).all()) is admits


@pytest.mark.parametrize("target", ["cuda", "hip"])
@pytest.mark.parametrize("terms", [64, 1000, 4608, 18432])
def test_narrower_arithmetic_fails(terms: int, target: str) -> None:
    a, b = drawn(terms, 5, "f16")
    total = np.zeros((ROWS, COLS), np.float32)
    for k in range(terms):
        total = narrowed(total + (a[:, k, None] * b[k]).astype(np.float32), 11)
    faults = {
        "bf16 factors": narrowed(a, 8).astype(np.float64) @ narrowed(b, 8).astype(np.float64),
        "f16 accumulator": total.astype(np.float64),
        "the last term dropped": a[:, :-1] @ b[:-1],
    }
    assert {name: judged(a, b, y, "f16", contract(target)).ok for name, y in faults.items()} == dict.fromkeys(faults, False)


@pytest.mark.parametrize("shape", [{"M": 2, "N": 2, "K": 3}, {"M": 40, "N": 40, "K": 30}])
def test_gfx90a_may_take_subnormal_factors_for_zero(shape: dict[str, int]) -> None:
    """Of f16, too, whose subnormal numbers begin below 2^-14; in small products and in large ones."""
    program = program_of(Workload("matmul", {"S": (), **shape}), "f16")
    m, n, k = shape.values()
    a, b = np.full((m, k), 2.0**-15), np.full((k, n), 1.0)
    a[1] = 2.0**-14
    owed = {target: enclose(program, {"a": a, "b": b}, {}, contract(target))["y"] for target in ("hip", "cuda", "cpu")}
    assert owed["hip"].low[0, 0] <= 0 < owed["hip"].high[0, 0]
    assert owed["cuda"].low[0, 0] > 0 < owed["cpu"].low[0, 0]
    assert owed["hip"].low[1, 1] > k * 2.0**-14 * (1 - 2.0**-16)


def test_tf32_is_owed_where_it_is_allowed_alone() -> None:
    for terms in (64, 4608, 18432):
        a, b = drawn(terms, 9, "f32")
        owed = contract("cuda")
        tf32 = truncated(dropped(a, 11), dropped(b, 11), 4)
        bf16 = dropped(a, 8) @ dropped(b, 8)
        assert judged(a, b, tf32, "f32", owed.in_tf32()).ok
        assert not judged(a, b, tf32, "f32", owed).ok
        assert not judged(a, b, bf16, "f32", owed.in_tf32()).ok
        narrow = drawn(terms, 9, "f16")
        assert not judged(*narrow, dropped(narrow[0], 8) @ dropped(narrow[1], 8), "f16", owed.in_tf32()).ok


def nearest(values: Floats, bits: int) -> Floats:
    """To a significand of so many bits; halves go away from zero."""
    word = values.astype(np.float32).view(np.uint32) + np.uint32(2 ** (23 - bits))
    return dropped(word.view(np.float32).astype(np.float64), bits)


def in_parts(a: Floats, b: Floats, at_once: int) -> Floats:
    """Each factor as the sum of two of TF32, and three products for one of f32; the sums of so many products begin at 0."""
    (a_part, b_part) = (nearest(each, 11) for each in (a, b))
    a_rest, b_rest = (dropped((each - part) * 2.0**12, 11) for each, part in ((a, a_part), (b, b_part)))
    total = np.zeros((a.shape[0], b.shape[1]), np.float32)
    for first in range(0, a.shape[1], at_once):
        k = slice(first, first + at_once)
        rests = np.concatenate([a_part[:, k], a_rest[:, k]], axis=1), np.concatenate([b_rest[k], b_part[k]])
        sums = truncated(a_part[:, k], b_part[k], 4) + truncated(*rests, 4) * 2.0**-12
        total += sums.astype(np.float32)
    return total.astype(np.float64)


@pytest.mark.parametrize("terms", [64, 100, 1000, 4608, 18432])
def test_three_products_in_tf32_are_one_in_f32(terms: int) -> None:
    """Within the contract of f32, where the sums of few of them are added as floats are; not where units cut off all."""
    for seed, positive in ((1, False), (2, True)):
        a, b = drawn(terms, seed, "f32", positive)
        found = judged(a, b, in_parts(a, b, 16), "f32", contract("cuda"))
        assert found.ok, (positive, found.reason)
        if positive and terms > 1000:
            assert not judged(a, b, in_parts(a, b, terms), "f32", contract("cuda")).ok


def dropped(values: Floats, bits: int) -> Floats:
    """To a significand of so many bits, the rest left out, as a matrix unit reads a register."""
    word = values.astype(np.float32).view(np.uint32) & np.uint32(2**32 - 2 ** (24 - bits))
    return word.view(np.float32).astype(np.float64)


def test_a_user_whose_sums_may_be_worse_has_matrix_sums_that_are() -> None:
    from uol.ops.accuracy import register_contract

    register_contract("sums_of_ten_times", {"reductions": {"sum": 10.0}})
    own: Any = contract("cuda", "sums_of_ten_times")
    assert own.growth["matrix_sum"] == 10.0


def test_sums_by_segments_may_be_of_a_matrix_unit_too() -> None:
    """gfx90a takes a subnormal f16 for zero; sm_80 multiplies it, and drops what lies behind 24 bits of the greatest."""
    program = program_of(Workload("grouped_matmul_grad", {"M": 2, "D": 1, "E": 1, "F": 1}), "f16")
    inputs = {"x": np.ones((2, 1)), "expert": np.zeros(2, np.int64), "w": np.ones((1, 1, 1)), "dy": np.array([[2.0**-20], [0]])}
    owed = {target: enclose(program, inputs, {}, contract(target, "grouped_matmul_grad"))["dw"] for target in ("cuda", "hip")}
    assert owed["cuda"].low.item() == 2.0**-20 and owed["hip"].low.item() <= 0 < owed["hip"].high.item()
    terms = 64
    dy = np.ones((terms, 1)) + np.arange(terms)[:, None] / 1024
    inputs = {"x": np.full((terms, 1), 1 + 2.0**-10), "expert": np.zeros(terms, np.int64), "w": np.ones((1, 1, 1)), "dy": dy}
    program = program_of(Workload("grouped_matmul_grad", {"M": terms, "D": 1, "E": 1, "F": 1}), "f16")
    owed["cuda"] = enclose(program, inputs, {}, contract("cuda", "grouped_matmul_grad"))["dw"]
    for group in (4, 8, 16):
        found = truncated(dy.T, inputs["x"], group).item()
        assert owed["cuda"].low.item() <= found <= owed["cuda"].high.item()


@pytest.mark.parametrize("op", ["linear_relu_grad", "linear_gelu_grad"])
def test_factors_that_a_program_makes_are_of_the_type_of_which_they_are_made(op: str) -> None:
    """A gradient that is cut off, or rounded, before it is multiplied is of f16, in whatever tensor it waits."""
    program = program_of(Workload(op, {"S": (1,), "N": 1, "K": 1}), "f16")
    inputs = {tensor.name: np.ones([1] * len(tensor.shape)) for tensor in program.by_role("in")}
    inputs["dy"] = np.full((1, 1), 2.0**-20)
    owed = {target: enclose(program, inputs, {}, contract(target, op))["dx"] for target in ("cuda", "hip")}
    assert owed["cuda"].low.item() > 0
    assert owed["hip"].low.item() <= 0 < owed["hip"].high.item()
