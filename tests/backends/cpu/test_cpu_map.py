"""Scheduled maps against the golden value: types, sizes around vectors, specials, layouts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cpu_cases import as_numbers, graph_of, inputs_of, program_of, require_close, run_compiled

from uol.backends.cpu.expressions.fast_functions import FAST
from uol.backends.cpu.expressions.spec_expressions import is_total
from uol.backends.cpu.frame import open_frame
from uol.codegen.specs.nodes import Read
from uol.ir import interpret
from uol.ir.program.dtype_encoding import decode, encode
from uol.ir.program.rounding import round_to
from uol.ir.program.walk import walk

SIZES = {"f64": (7, 33), "f32": (0, 1, 7, 16, 33, 257, 70_001), "f16": (33, 257), "bf16": (1, 70_001)}


@pytest.mark.parametrize(("dtype", "size"), [(dtype, size) for dtype, sizes in SIZES.items() for size in sizes])
def test_relu_of_any_size_and_type(dtype: str, size: int) -> None:
    program = program_of("relu", types={"T": dtype}, ranks={"S": 1}, dims={"S": size})
    inputs = inputs_of(program, special=True)
    result = run_compiled(graph_of(program), inputs)["y"]
    require_close(result, interpret(program, as_numbers(program, inputs))["y"], dtype, 0)


FUNCTIONS = """
op functions(x: T[N]) -> (gelu: T[N], silu: T[N], sigmoid: T[N], hyperbolic: T[N], power: T[N]) for T in (f64, f32, f16, bf16) {
  gelu[n]       = T(0.5 * acc(x[n]) * (1 + erf(0.7071067811865476 * acc(x[n]))))
  silu[n]       = T(acc(x[n]) / (1 + exp(-acc(x[n]))))
  sigmoid[n]    = T(1 / (1 + exp(-acc(x[n]))))
  hyperbolic[n] = T(tanh(acc(x[n])))
  power[n]      = T(exp(acc(x[n])))
}
"""


@pytest.mark.parametrize("dtype", ["f64", "f32", "f16", "bf16"])
def test_functions_within_kernels(dtype: str) -> None:
    program = program_of(FUNCTIONS, types={"T": dtype}, dims={"N": 1001})
    inputs = inputs_of(program, special=True)
    golden = interpret(program, as_numbers(program, inputs))
    result = run_compiled(graph_of(program), inputs)
    x = np.nan_to_num(np.abs(decode(inputs["x"], dtype)))
    for name, values in golden.items():
        require_close(result[name], values, dtype, 8, np.abs(values) + (x if name == "gelu" else 0))


@pytest.mark.parametrize("size", [3, 39, 41, 64, 3001])
def test_a_dear_function_on_an_open_size_is_done_in_vectors_of_three_lengths(size: int) -> None:
    text = "op f(x: f32[N]) -> (y: f32[N]) { y[n] = x[n] * erf(x[n]) }"
    x = np.random.default_rng(size).standard_normal(size).astype(np.float32)
    golden = interpret(program_of(text, types={}, dims={"N": size}), {"x": x})["y"]
    require_close(run_compiled(graph_of(program_of(text, types={})), {"x": x}, dims={"N": size})["y"], golden, "f32", 8, golden)


LAYOUTS = {
    "transposed": ((40, 37), {"a": (1, 40)}),
    "broadcast over rows": ((40, 37), {"a": (0, 1)}),
    "broadcast over columns": ((5, 300), {"a": (1, 0)}),
    "every second": ((6, 33), {"a": (66, 2)}),
    "scalar": ((7, 9), {"a": (0, 0)}),
    "result transposed": ((33, 50), {"y": (1, 33)}),
    "one row": ((1, 130), {"a": (999, 1)}),
    "large and transposed": ((300, 260), {"a": (1, 300)}),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_layouts(name: str) -> None:
    shape, layouts = LAYOUTS[name]
    program = program_of("add", ranks={"S": 2}, dims={"S_0": shape[0], "S_1": shape[1]})
    inputs = inputs_of(program)
    for tensor, strides in layouts.items():
        if tensor in inputs and 0 in strides:  # what is broadcast is equal along its dims of stride 0
            for dim, stride in enumerate(strides):
                if stride == 0:
                    inputs[tensor] = np.broadcast_to(np.take(inputs[tensor], [0], axis=dim), shape).copy()
    result = run_compiled(graph_of(program, layouts), inputs)["y"]
    require_close(result, inputs["a"].astype(np.float64) + inputs["b"], "f32", 1, np.abs(inputs["a"]) + np.abs(inputs["b"]))


def test_a_channels_last_norm_hoists_nothing_wrong() -> None:
    program = program_of("batch_norm", ranks={"S": 2}, dims={"N": 2, "C": 33, "S_0": 5, "S_1": 4})
    strides = (33 * 20, 1, 4 * 33, 33)
    inputs = inputs_of(program)
    golden = interpret(program, as_numbers(program, inputs), {"eps": 1e-5})["y"]
    result = run_compiled(graph_of(program, {"x": strides, "y": strides}), inputs, {"eps": 1e-5})["y"]
    require_close(result, golden, "f32", 16, np.abs(golden) + 8)


FLOATS = ("f64", "f32", "f16", "bf16")
TYPES = ("f64", "f32", "f16", "bf16", "i64", "i32", "i16", "i8", "u8")
EDGES = np.array(
    [0.0, -0.0, 0.5, -0.5, 1.5, 2.5, -2.5, 127.0, 127.5, 128.0, -128.5, -129.0, 255.0, 255.7, 256.0, 300.0, 32767.4]
)
EDGES = np.concatenate([EDGES, [32768.0, -32769.0, 65504.0, 65519.0, 65520.0, 1e5, 2147483647.0, 2147483648.0, -2147483649.0]])
EDGES = np.concatenate(
    [EDGES, [9.2233720368547e18, 9.3e18, -9.3e18, 1e30, -1e30, 3.4e38, 1e-40, 1e-8, np.inf, -np.inf, np.nan]]
)
WHOLE = np.array(
    [0, 1, -1, 127, 128, 255, 256, -128, -129, 2049, 4097, 32767, 32768, 65535, 65520, 2**24 + 1, 2**31 - 1, -(2**31)]
)
WHOLE = np.concatenate([WHOLE, [2**31, 2**53 + 1, 2**62 + 2**37 + 1, 2**63 - 1, -(2**63), -(2**53) - 1]]).astype(np.int64)


CASTS = "op casts(x: S[N]) -> ({results}) for S in ({types}) {{ {statements} }}".format(
    results=", ".join(f"{t}_: {t}[N]" for t in TYPES),
    types=", ".join(TYPES),
    statements=" ".join(f"{t}_[n] = {t}(x[n])" for t in TYPES),
)


@pytest.mark.parametrize("source", TYPES)
def test_casts_by_rule_4(source: str) -> None:
    given = encode(EDGES, source) if source in FLOATS else encode(WHOLE, source)
    program = program_of(CASTS, types={"S": source}, dims={"N": given.size})
    result = run_compiled(graph_of(program), {"x": given})
    for target in TYPES:
        np.testing.assert_array_equal(decode(result[f"{target}_"], target), round_to(decode(given, source), target), target)


INTEGERS = """
op divide(a: i32[N], b: i32[N]) -> (q: i32[N], r: i32[N], s: i32[N]) {
  q[n] = a[n] / b[n]
  r[n] = a[n] % b[n]
  s[n] = a[n] * b[n] + a[n]
}
"""


def test_integers_floor_wrap_and_never_trap() -> None:
    edges = np.array([0, 1, -1, 2, -2, 3, 7, -7, 2**31 - 1, -(2**31)], np.int64)
    a, b = (side.reshape(-1) for side in np.meshgrid(edges, edges))
    program = program_of(INTEGERS, types={}, dims={"N": a.size})
    result = run_compiled(graph_of(program), {"a": a.astype(np.int32), "b": b.astype(np.int32)})
    divisor = np.where(b == 0, 1, b)
    np.testing.assert_array_equal(result["q"], round_to(np.where(b == 0, 0, a // divisor), "i32"))
    np.testing.assert_array_equal(result["r"], np.where(b == 0, 0, a % divisor))
    np.testing.assert_array_equal(result["s"], round_to(a * b + a, "i32"))


SELECTS = """
op pick(x: f32[N], at: i64[N]) -> (y: f32[N], m: bool[N], g: f32[N]) {
  m[n] = x[n] > 0 or x[n] != x[n]
  y[n] = select(n >= 3, x[n - 3], -x[n])
  g[n] = x[at[n]] else 0.5
}
"""


def test_select_is_lazy_and_gathers_are_guarded() -> None:
    x = np.array([1, -2, np.nan, 0, 5, -6, 7, 8, 9, -10, 11, 12, 13, 14, 15, 16, -17, 18, np.inf], np.float32)
    at = np.array([0, -1, 18, 19, 2**40, -(2**63), *range(13)], np.int64)
    program = program_of(SELECTS, types={}, dims={"N": x.size})
    result = run_compiled(graph_of(program), {"x": x, "at": at})
    shifted = np.concatenate([-x[:3], x[:-3]])
    inside = (at >= 0) & (at < x.size)
    np.testing.assert_array_equal(result["y"], shifted)
    np.testing.assert_array_equal(result["m"], (x > 0) | np.isnan(x))
    np.testing.assert_array_equal(result["g"], np.where(inside, x[np.where(inside, at, 0)], np.float32(0.5)))


CHOSEN = """
op chosen(y: f32[N, C, W], dy: f32[N, C, W]) -> (dx: f32[N, C, W], next: f32[N, C, W]) {
  dx[n, c, w]   = select(y[n, c, w] > 0, dy[n, c, w], 0)
  next[n, c, w] = select(w + 1 < W, y[n, c, w + 1], 0)
}
"""


@pytest.mark.parametrize("open_dims", [(), ("C",), ("N", "C", "W")])
def test_an_arm_in_range_is_a_vector_whatever_the_sizes(open_dims: tuple[str, ...]) -> None:
    """Where sizes are arguments, too, an element that is there for all indices is read without asking for the condition."""
    dims = {"N": 3, "C": 5, "W": 35}
    program = program_of(CHOSEN, types={}, dims={d: n for d, n in dims.items() if d not in open_dims})
    graph = graph_of(program)
    (spec,) = graph.specs
    scope = open_frame(spec, FAST).scope
    reads = {e for step in spec.steps for e in walk(step.value) if isinstance(e, Read)}
    assert {e.tensor for e in reads if not e.guard and is_total(e, scope)} == {"y", "dy"}
    (shifted,) = (e for e in reads if e.guard)
    assert not is_total(replace(shifted, guard=(), fill=None), scope)
    inputs = inputs_of(program_of(CHOSEN, types={}, dims=dims))
    y, dy = inputs["y"], inputs["dy"]
    result = run_compiled(graph, inputs, dims={d: dims[d] for d in graph.dims})
    assert np.array_equal(result["dx"], np.where(y > 0, dy, 0))
    assert np.array_equal(result["next"][..., :-1], y[..., 1:]) and not result["next"][..., -1].any()
