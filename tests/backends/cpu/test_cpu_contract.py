"""Scheduled contractions against the golden value: shapes around tiles, layouts, types, convolutions, epilogues."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cpu_cases import (
    as_numbers,
    channels_last,
    graph_of,
    inputs_of,
    module_of,
    program_of,
    require_close,
    run_compiled,
    weights_last,
)
from turns import by_turns

from uol.codegen.specs.nodes import Contract, Pack
from uol.ir import interpret
from uol.ir.program.dtype_encoding import decode
from uol.ir.program.nodes import Program

Layouts = dict[str, tuple[int, ...]]


def require_contraction(
    program: Program, layouts: Layouts, dtype: str, terms: int, scalars: dict[str, float] | None = None
) -> None:
    """The kernels' results within terms * eps * (the same with absolute values)."""
    inputs = inputs_of(program)
    given = as_numbers(program, inputs)
    golden = interpret(program, given, scalars)["y"]
    magnitude = interpret(program, {n: np.abs(v) for n, v in given.items()}, scalars)["y"]
    require_close(run_compiled(graph_of(program, layouts), inputs, scalars)["y"], golden, dtype, terms + 8, magnitude)


MATRICES = [
    (1, 33, 10),
    (1, 300, 257),
    (3, 64, 7),
    (5, 7, 1),
    (20, 100, 33),
    (64, 33, 64),
    (0, 5, 5),
    (5, 0, 7),
    (100, 256, 130),
]


@pytest.mark.parametrize(("sizes", "layout"), by_turns(2, MATRICES, ["rows", "columns"]))
def test_matrix_products(sizes: tuple[int, int, int], layout: str) -> None:
    m, k, n = sizes
    program = program_of("linear", ranks={"S": 1}, dims={"S": m, "K": k, "N": n})
    require_contraction(program, {"w": (1, n)} if layout == "columns" else {}, "f32", k)


@pytest.mark.parametrize("dtype", ["f64", "f16", "bf16"])
@pytest.mark.parametrize("m", [2, 40])
def test_matrix_products_of_other_types(dtype: str, m: int) -> None:
    program = program_of("linear", types={"T": dtype}, ranks={"S": 1}, dims={"S": m, "K": 50, "N": 37})
    require_contraction(program, {}, dtype, 50)


BATCHED = "op batched(a: f32[B, M, K], b: f32[B, K, N]) -> (y: f32[B, M, N]) { y[i, m, n] = sum[k](a[i, m, k] * b[i, k, n]) }"
INTEGERS = "op whole(a: i8[M, K], b: i8[N, K]) -> (y: i32[M, N]) { y[m, n] = sum[k](acc(a[m, k]) * acc(b[n, k])) }"


@pytest.mark.parametrize("layouts", [{}, {"a": (450, 1, 30)}, {"b": (700, 1, 35)}, {"y": (600, 1, 30)}])
def test_batches_in_any_layout(layouts: Layouts) -> None:
    program = program_of(BATCHED, types={}, dims={"B": 3, "M": 30, "K": 15, "N": 20})
    if "b" in layouts:
        program = program_of(BATCHED, types={}, dims={"B": 3, "M": 30, "K": 35, "N": 20})
    require_contraction(program, layouts, "f32", 35)


@pytest.mark.parametrize("m", [3, 30])
def test_integer_products_are_exact(m: int) -> None:
    program = program_of(INTEGERS, types={}, dims={"M": m, "K": 70, "N": 19})
    rng = np.random.default_rng(0)
    a, b = (rng.integers(-128, 128, shape).astype(np.int8) for shape in ((m, 70), (19, 70)))
    result = run_compiled(graph_of(program), {"a": a, "b": b})["y"]
    np.testing.assert_array_equal(result, a.astype(np.int32) @ b.astype(np.int32).T)


# channels, height, width, outputs, filter, stride, pad, dilation
CONVOLUTIONS = [
    (3, 9, 8, 5, 3, 2, 1, 1),
    (16, 14, 14, 32, 3, 1, 1, 1),
    (16, 7, 7, 64, 1, 1, 0, 1),
    (8, 15, 13, 33, 3, 1, 2, 2),
    (16, 14, 15, 40, 1, 2, 0, 1),
    (3, 30, 30, 64, 7, 2, 3, 1),
    (5, 6, 17, 20, 3, 1, 0, 1),
]


def convolution(case: tuple[int, ...], dtype: str = "f32", batch: int = 2) -> tuple[Program, Layouts, int]:
    """(program, channels-last layouts, terms of a sum) of a case."""
    c, h, w, o, r, stride, pad, dilation = case
    dims = {"N": batch, "C": c, "H": h, "W": w, "O": o, "D": c, "R": r, "S": r}
    attrs: dict[str, Any] = {"stride": stride, "pad": pad, "dilation": dilation, "groups": 1}
    p, q = ((side + 2 * pad - dilation * (r - 1) - 1) // stride + 1 for side in (h, w))
    layouts = {"x": channels_last(batch, c, h, w), "w": weights_last(o, c, r, r), "y": channels_last(batch, o, p, q)}
    return program_of("conv2d", types={"T": dtype}, dims=dims, attrs=attrs), layouts, c * r * r


@pytest.mark.parametrize(("case", "layout"), by_turns(2, CONVOLUTIONS, ["channels first", "channels last"]))
def test_convolutions(case: tuple[int, ...], layout: str) -> None:
    program, layouts, terms = convolution(case)
    require_contraction(program, layouts if layout == "channels last" else {}, "f32", terms)


@pytest.mark.parametrize("dtype", ["f64", "f16", "bf16"])
def test_convolutions_of_other_types(dtype: str) -> None:
    program, layouts, terms = convolution(CONVOLUTIONS[1], dtype, batch=1)
    require_contraction(program, layouts, dtype, terms)


def test_padding_is_copied_once_and_the_inner_loop_has_no_guard() -> None:
    program, layouts, _ = convolution(CONVOLUTIONS[1])
    pack, contract = module_of(graph_of(program, layouts)).kernels
    assert isinstance(pack.spec, Pack)
    assert isinstance(contract.spec, Contract)
    assert "if_then_else" in pack.text
    assert "if_then_else" not in contract.text


def test_an_infinity_in_the_image_does_not_leak_through_padding() -> None:
    program, layouts, _ = convolution((4, 6, 6, 16, 3, 1, 1, 1), batch=1)
    inputs = inputs_of(program)
    inputs["x"][0, :, 0, 0] = np.inf
    golden = interpret(program, inputs)["y"]
    result = run_compiled(graph_of(program, layouts), inputs)["y"]
    np.testing.assert_array_equal(np.isnan(result), np.isnan(golden))
    assert np.isfinite(result[0, :, 3:, 3:]).all()


@pytest.mark.parametrize("groups", [2, 16])
def test_grouped_convolutions(groups: int) -> None:
    dims = {"N": 2, "C": 16, "H": 9, "W": 9, "O": 32, "D": 16 // groups, "R": 3, "S": 3}
    attrs = {"stride": 1, "pad": 1, "dilation": 1, "groups": groups}
    program = program_of("conv2d", dims=dims, attrs=attrs)
    layouts = {"x": channels_last(2, 16, 9, 9), "y": channels_last(2, 32, 9, 9)}
    require_contraction(program, layouts, "f32", 9 * 16 // groups)
    require_contraction(program, {}, "f32", 9 * 16 // groups)


@pytest.mark.parametrize("dtype", ["f32", "bf16"])
@pytest.mark.parametrize("outputs", [24, 70])
def test_norm_residual_and_relu_ride_along(dtype: str, outputs: int) -> None:
    dims = {"N": 1, "C": 8, "H": 10, "W": 15, "O": outputs, "R": 3, "S": 3}
    program = program_of("conv2d_bn_add_relu", types={"T": dtype}, dims=dims, attrs={"stride": 1, "pad": 1})
    last = channels_last(1, outputs, 10, 15)
    layouts = {"x": channels_last(1, 8, 10, 15), "w": weights_last(outputs, 8, 3, 3), "y": last, "z": last}
    inputs = inputs_of(program)
    given = as_numbers(program, inputs)
    golden = interpret(program, given, {"eps": 1e-5})["y"]
    graph = graph_of(program, layouts)
    assert sum(isinstance(s, Contract) for s in graph.specs) == 1
    assert all(isinstance(s, Contract | Pack) for s in graph.specs)
    magnitude = np.abs(decode(inputs["z"], dtype)) + 8 * np.sqrt(72)
    require_close(run_compiled(graph, inputs, {"eps": 1e-5})["y"], golden, dtype, 32, magnitude)
