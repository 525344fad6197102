"""The oracle against the golden value, on operators of every kind, and against the scheduled kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cpu_cases import as_numbers, channels_last, graph_of, inputs_of, program_of, require_close, weights_last

import uol
from uol.backends.cpu.oracle import oracle
from uol.ir import interpret
from uol.ir.errors import ShapeError
from uol.ir.program.dtype_encoding import encode

CASES: dict[str, dict[str, Any]] = {
    "relu": {"ranks": {"S": 2}, "dims": {"S_0": 3, "S_1": 5}},
    "gelu": {"ranks": {"S": 1}, "dims": {"S": 100}},
    "softmax": {"ranks": {"S": 1}, "dims": {"S": 5, "C": 33}},
    "layer_norm": {"ranks": {"S": 1}, "dims": {"S": 5, "C": 33}},
    "argmax": {"ranks": {"S": 1}, "dims": {"S": 5, "C": 33}},
    "linear": {"ranks": {"S": 1}, "dims": {"S": 7, "K": 33, "N": 10}},
    "max_pool2d": {"dims": {"N": 2, "C": 3, "H": 9, "W": 8}, "attrs": {"kernel": 3, "stride": 2, "pad": 1}},
    "conv2d": {
        "dims": {"N": 2, "C": 4, "H": 9, "W": 8, "O": 6, "D": 2, "R": 3, "S": 3},
        "attrs": {"stride": 2, "pad": 1, "dilation": 1, "groups": 2},
    },
    "conv2d_bn_add_relu": {"dims": {"N": 1, "C": 3, "H": 9, "W": 8, "O": 5, "R": 3, "S": 3}, "attrs": {"stride": 1, "pad": 1}},
}
SCALARS = {"eps": 1e-5}


@pytest.mark.parametrize("dtype", ["f64", "f32", "f16", "bf16"])
@pytest.mark.parametrize("op", CASES)
def test_the_oracle_gives_the_golden_value(op: str, dtype: str) -> None:
    program = program_of(op, types={"T": dtype}, **CASES[op])
    inputs = inputs_of(program)
    golden = interpret(program, as_numbers(program, inputs), SCALARS)
    result = oracle.run(graph_of(program), inputs, SCALARS)
    for name, values in golden.items():
        kind = "i64" if op == "argmax" else dtype
        require_close(result[name], values, kind, 64, np.abs(values) + 4)


def test_inputs_in_any_layout_give_the_same() -> None:
    program = program_of("conv2d", **CASES["conv2d"])
    inputs = inputs_of(program)
    layouts = {"x": channels_last(2, 4, 9, 8), "w": weights_last(6, 2, 3, 3), "y": channels_last(2, 6, 5, 4)}
    plain, laid_out = oracle.run(graph_of(program), inputs), oracle.run(graph_of(program, layouts), inputs)
    np.testing.assert_allclose(laid_out["y"], plain["y"], rtol=1e-6, atol=1e-6)


def test_an_array_that_lies_as_the_kernel_wants_is_the_memory_itself() -> None:
    program = program_of("relu", ranks={"S": 2}, dims={"S_0": 4, "S_1": 3})
    graph = graph_of(program, {"x": (1, 4)})
    memory = np.arange(-6, 6, dtype=np.float32)
    by_shape = oracle.run(graph, {"x": memory.reshape(3, 4).T})["y"]
    flat = oracle.run(graph, {"x": memory})["y"]
    np.testing.assert_array_equal(by_shape, np.maximum(memory.reshape(3, 4).T, 0))
    np.testing.assert_array_equal(flat, by_shape)


def test_special_numbers_pass() -> None:
    program = program_of("softmax", ranks={"S": 1}, dims={"S": 4, "C": 9})
    x = encode(np.random.default_rng(0).standard_normal((4, 9)), "f32")
    x[0, 3], x[1, 4], x[2, :] = np.nan, -np.inf, -np.inf
    golden = interpret(program, {"x": x})["y"]
    np.testing.assert_allclose(oracle.run(graph_of(program), {"x": x})["y"], golden, rtol=1e-6)


def test_a_long_sum_is_rounded_once() -> None:
    text = "op total(x: f32[N]) -> (s: f32[]) { s[] = sum[n](x[n]) }"
    x = np.full(1 << 20, 0.1, np.float32)
    result = oracle.run(graph_of(program_of(text, types={}, dims={"N": x.size})), {"x": x})["s"]
    assert result == np.float32(x.astype(np.float64).sum())


def test_symbolic_dims_come_from_the_inputs() -> None:
    program = program_of("op twice(x: f32[N, M], y: f32[M]) -> (z: f32[N, M]) { z[n, m] = x[n, m] + y[m] }", types={})
    graph = graph_of(program)
    assert graph.dims == ("N", "M")
    for n, m in ((3, 5), (2, 1), (0, 4)):
        x, y = np.ones((n, m), np.float32), np.arange(m, dtype=np.float32)
        np.testing.assert_array_equal(oracle.run(graph, {"x": x, "y": y})["z"], x + y)
    with pytest.raises(ShapeError, match="M is both 5 and 4"):
        oracle.run(graph, {"x": np.ones((3, 5), np.float32), "y": np.ones(4, np.float32)})


def test_wrong_arrays_are_refused() -> None:
    graph = graph_of(program_of("relu", ranks={"S": 1}, dims={"S": 4}))
    with pytest.raises(ShapeError, match="must have the shape"):
        oracle.run(graph, {"x": np.zeros(5, np.float32)})
    with pytest.raises(ShapeError, match="must be float32"):
        oracle.run(graph, {"x": np.zeros(4)})


def test_of_kernels_for_parts_of_the_sizes_those_run_that_are_launched() -> None:
    """The merges of the longest rows that a sort of any length has would take hours as plain loops."""
    graph = uol.compile("sort", "cuda", "f32", {"S": (2,), "C": None}).module.graph
    for length in (7, 5000):
        x = np.random.default_rng(length).standard_normal((2, length)).astype(np.float32)
        np.testing.assert_array_equal(oracle.run(graph, {"x": x})["y"], np.sort(x, -1))
