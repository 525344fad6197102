"""The admitted interval: it holds the golden value and honest float32 arithmetic, and not what a broken kernel gives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from turns import by_turns

from uol.binding.named_binding import bind_names
from uol.conformance.accuracy.comparison import compare
from uol.conformance.accuracy.contracts import SumError, contract, unit_roundoff
from uol.conformance.accuracy.error_analysis import Enclosed, enclose
from uol.conformance.accuracy.interval import Array, Enclosure, point
from uol.conformance.accuracy.reductions import fold
from uol.ir import Library, Program, instantiate, interpret, parse
from uol.ir.program.rounding import round_to
from uol.ir.syntax.surface import Op
from uol.ops.inputs import kinds, make_inputs
from uol.ops.texts import library, names
from uol.ops.workloads import Workload, workloads_of


def program_of(workload: Workload, dtype: str) -> Program:
    op = library().get(workload.op)
    assert op is not None
    types = {t.variable: dtype if dtype in t.types else t.types[0] for t in op.domain}
    return instantiate(op, library(), types=types, ranks=workload.ranks, dims=workload.flat_dims, attrs=workload.attrs)


def scalars_of(op: Op | None, workload: Workload, program: Program) -> dict[str, float]:
    assert op is not None
    attrs = bind_names(op, {t.variable: t.types[0] for t in op.domain}, workload.dims, workload.attrs).attrs
    return {s.name: round_to(attrs[s.name], s.dtype).item() for s in program.scalars}  # as a launch passes them


def admitted(workload: Workload, dtype: str, kind: str, seed: int = 1) -> tuple[Program, dict[str, Array], Enclosed]:
    program = program_of(workload, dtype)
    inputs = make_inputs(program, kind, seed)  # type: ignore[arg-type]
    scalars = scalars_of(library().get(workload.op), workload, program)
    return program, inputs, enclose(program, inputs, scalars, contract("a target without overrides"))


@pytest.mark.parametrize(("half", "name"), by_turns(8, [0, 1], names()))
def test_the_value_is_the_interpreters_and_lies_within(half: int, name: str) -> None:
    """On the representative workload and on the last, in a type and on inputs of either kind by turns."""
    first, *_, last = workloads_of(name)
    known = kinds(name)
    for workload, dtype in (((first, "f32"), (last, "f16")), ((first, "f16"), (last, "f32")))[half]:
        for kind in known if workload is last else known[::2]:
            program, inputs, found = admitted(workload, dtype, kind)
            golden = interpret(program, inputs, scalars_of(library().get(name), workload, program))
            for result in (t.name for t in program.by_role("out")):
                hold(found[result], golden[result], f"{result} of {workload} {dtype} {kind}")


def hold(owed: Enclosure, golden: Array, told: str) -> None:
    scale = float(np.max(np.abs(golden), initial=1.0, where=np.isfinite(golden)))
    np.testing.assert_allclose(owed.value, golden, 1e-12, 1e-13 * scale, equal_nan=True, err_msg=told)
    within = (owed.low <= owed.value) & (owed.value <= owed.high)
    assert np.all(within | np.isnan(owed.value)), told


def in_float32(name: str, x: dict[str, Array]) -> Array:
    """Plain numpy in float32, in numpy's own order of sums."""
    a = {k: v.astype(np.float32) for k, v in x.items()}
    match name:
        case "linear":
            return a["x"] @ a["w"].T + a["b"]
        case "softmax":
            e = np.exp(a["x"] - a["x"].max(-1, keepdims=True))
            return e / e.sum(-1, keepdims=True)
        case "layer_norm":
            mean = a["x"].mean(-1, keepdims=True, dtype=np.float32)
            var = np.square(a["x"] - mean).mean(-1, keepdims=True, dtype=np.float32)
            return (a["x"] - mean) / np.sqrt(var + np.float32(1e-5)) * a["gamma"] + a["beta"]
        case "rms_norm":
            square = np.square(a["x"]).mean(-1, keepdims=True, dtype=np.float32)
            return a["x"] / np.sqrt(square + np.float32(1e-6)) * a["gamma"]
        case "silu":
            return a["x"] / (1 + np.exp(-a["x"]))
        case "div":
            return a["a"] / a["b"]
    raise AssertionError(name)


@pytest.mark.parametrize("name", ["linear", "softmax", "layer_norm", "rms_norm", "silu", "div"])
@pytest.mark.parametrize("dtype", ["f32", "f16"])
def test_honest_float32_arithmetic_is_admitted(name: str, dtype: str) -> None:
    for workload in workloads_of(name):
        _, inputs, found = admitted(workload, dtype, "random")
        actual = np.asarray(in_float32(name, inputs))
        result = compare(actual.astype(np.float16 if dtype == "f16" else np.float32), found["y"], dtype)
        assert result.ok, f"{workload}: {result.reason}"


def test_half_precision_sums_are_not_admitted() -> None:
    workload = Workload("linear", {"S": (16,), "N": 16, "K": 512})
    _, inputs, found = admitted(workload, "f16", "random")
    honest = in_float32("linear", inputs).astype(np.float16)
    assert compare(honest, found["y"], "f16").ok
    sums = np.zeros((16, 16), np.float16)
    for k in range(512):
        sums += np.outer(inputs["x"][:, k], inputs["w"][:, k]).astype(np.float16)
    assert not compare((sums + inputs["b"]).astype(np.float16), found["y"], "f16").ok


@pytest.mark.parametrize("k", [0, 100, 256])
def test_a_dropped_term_is_not_admitted(k: int) -> None:
    workload = Workload("linear", {"S": (65,), "N": 63, "K": 257})
    for kind in ("exact", "random"):
        _, inputs, found = admitted(workload, "f32", kind)
        short = dict(inputs)
        short["x"] = inputs["x"].copy()
        short["x"][:, k] = 0
        result = compare(in_float32("linear", short), found["y"], "f32")
        assert not result.ok, kind


def test_small_integers_must_be_met_exactly() -> None:
    for name in ("linear", "matmul", "conv2d", "conv2d_bias", "max_pool2d", "add", "mul", "relu"):
        for workload in workloads_of(name):
            _, _, found = admitted(workload, "f32", "exact")
            assert found["y"].exact, f"{workload} has a slack of {np.max(found['y'].high - found['y'].low)}"


def test_a_folded_batch_norm_is_exact_only_without_an_epsilon() -> None:
    exact = Workload("conv2d_bn", {"N": 1, "C": 3, "H": 5, "W": 5, "O": 7, "R": 3, "S": 3}, {"eps": 0.0})
    rounding = Workload("conv2d_bn", exact.dims, {"eps": 1e-5})
    owed = [admitted(w, "f32", "exact")[2]["y"] for w in (exact, rounding)]
    slack = [np.max(o.high - o.low) for o in owed]
    assert 0 < slack[0] < slack[1] < 1e-3  # sqrt owes one ulp on some targets


def test_argmax_has_the_scores_it_was_picked_from() -> None:
    workload = Workload("argmax", {"S": (3,), "C": 5})
    _, inputs, found = admitted(workload, "f32", "random")
    assert np.array_equal(found["y"].value, inputs["x"].argmax(-1))
    assert np.array_equal(found.scores["y"].value, inputs["x"])
    assert found.scores["y"].exact


def test_a_condition_that_rounding_may_turn_admits_both_arms() -> None:
    (op,) = parse("""op step(x: T[N], w: T[N]) -> (y: T[]) for T in (f32, f16) {
      y[] = T(select(sum[n](acc(x[n]) * acc(w[n])) > 0, f32(1), f32(2)))
    }""")
    program = instantiate(op, Library(), types={"T": "f32"}, dims={"N": 3})
    near = {"x": np.array([1.0, 1.0, 2.0**-30]), "w": np.array([0.1, -0.1, 1.0])}
    found = enclose(program, near, {}, contract("any"))["y"]
    assert (found.value, found.low, found.high) == (1.0, 1.0, 2.0)
    far = {"x": np.array([1.0, 1.0, 1.0]), "w": np.array([0.1, -0.1, 1.0])}
    assert enclose(program, far, {}, contract("any"))["y"].exact


def test_a_target_that_flushes_subnormals_owes_less() -> None:
    workload = Workload("mul", {"S": (2,)})
    program = program_of(workload, "f32")
    tiny = {"a": np.array([2.0**-70, 1.0]), "b": np.array([2.0**-70, 1.0])}
    strict = enclose(program, tiny, {}, contract("cuda"))["y"]
    loose = enclose(program, tiny, {}, replace(contract("cuda"), flushed_arithmetic=True))["y"]
    assert strict.low[0] == 2.0**-140
    assert (loose.low[0], loose.high[0], loose.low[1]) == (0.0, 2.0**-140, 1.0)


def test_dot_instructions_of_bf16_flush_what_is_subnormal() -> None:
    """Factors, and what is summed; where nothing is, as little is owed as elsewhere."""
    program = program_of(Workload("matmul", {"S": (), "M": 40, "K": 30, "N": 40}), "bf16")
    a, b = np.full((40, 30), 2.0**-130), np.full((30, 40), 1.0)
    a[1], a[2], b[:, 1] = 2.0**-100, 2.0, 2.0**-30
    strict, loose = (enclose(program, {"a": a, "b": b}, {}, contract(target))["y"] for target in ("cuda", "cpu"))
    assert strict.low[0, 0] > 29 * 2.0**-130
    assert loose.low[0, 0] <= 0 < loose.high[0, 0] < 2.0**-120  # a factor
    assert strict.low[1, 1] > 0 >= loose.low[1, 1]  # a sum
    assert loose.low[2, 0] > 60 * (1 - 2.0**-17)
    without = {"a": np.abs(a) + 1, "b": np.abs(b) + 1}
    strict, loose = (enclose(program, without, {}, contract(target))["y"] for target in ("any", "cpu"))
    assert (strict.low == loose.low).all() and (strict.high == loose.high).all()


def test_overflow_of_the_accumulator_is_admitted_as_infinity() -> None:
    workload = Workload("mul", {"S": (1,)})
    program = program_of(workload, "f32")
    huge = {"a": np.array([3e38]), "b": np.array([3e38])}
    found = enclose(program, huge, {}, contract("any"))["y"]
    assert compare(np.array([np.inf], np.float32), found, "f32").ok
    assert not compare(np.array([3e38], np.float32), found, "f32").ok


def test_a_divisor_that_may_be_zero_makes_the_quotient_infinite_on_its_side() -> None:
    from uol.conformance.accuracy.interval import Enclosure, divide, point

    one = point(np.array([1.0, 1.0, 1.0]))
    divisor = Enclosure(np.array([1.0, -1.0, 1.0]), np.array([0.0, -2.0, -1.0]), np.array([2.0, 0.0, 1.0]))
    found = divide(one, divisor)
    assert found.low.tolist() == [0.5, -np.inf, -np.inf]
    assert found.high.tolist() == [np.inf, -0.5, np.inf]


def test_a_sum_of_squares_that_rounding_may_make_0_admits_0() -> None:
    """The deviations of equal numbers from a mean that has rounded: their squares are never negative, and have a root."""
    program = program_of(Workload("std", {"S": (), "C": 256}), "f64")
    found = enclose(program, {"x": np.full(256, 0.1)}, {}, contract("a target without overrides"))["y"]
    assert found.low <= 0.0 < found.value <= found.high < 1e-13


@pytest.mark.parametrize("order", [1, -1])
def test_products_in_any_order_are_admitted_where_partial_ones_are_subnormal(order: int) -> None:
    factors = np.random.default_rng(0).standard_normal(520).astype(np.float32)[::order]
    assert 0 < abs(float(np.prod(factors.astype(np.float64)))) < 2.0**-126
    for made in (np.multiply.reduce(factors), np.multiply.reduce(factors[::2]) * np.multiply.reduce(factors[1::2])):
        assert compare(np.asarray(made), product_of(factors), "f32").ok
    assert not compare(np.asarray(np.float32(1e-3)), product_of(factors), "f32").ok
    for short in (factors[:40], np.append(factors, np.float32(0))):  # no product is subnormal, or a factor is 0
        owed = product_of(short)
        assert compare(np.asarray(np.multiply.reduce(short)), owed, "f32").ok
        assert np.all(owed.high - owed.low <= 1e-5 * np.abs(owed.value))


def product_of(factors: Array) -> Enclosure:
    return fold("prod", point(factors.astype(np.float64)), None, 0, "f32", SumError(unit_roundoff("f32")))
