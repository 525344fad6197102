"""Operators compiled for the CPU, run on numpy arrays, and judged against the golden value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from uol.backends.cpu.backend import BACKEND
from uol.backends.cpu.operands.buffer_span import span_of, static_values
from uol.backends.cpu.runtime.marshal import flat_buffer, strided
from uol.codegen.backend import Module
from uol.codegen.choice import compile_graph
from uol.codegen.indexing.arithmetic import value_at
from uol.codegen.lowering import lower
from uol.codegen.specs.graph import KernelGraph
from uol.codegen.specs.nodes import Arg
from uol.conformance.cases.guard_pages import fenced
from uol.ir import Library, instantiate, parse
from uol.ir.program.dtype_encoding import STORAGE, decode, encode
from uol.ir.program.nodes import Program
from uol.ir.program.rounding import round_to
from uol.ir.types import DTYPES, is_float
from uol.ops.texts import library

HOST = BACKEND.devices["host"]
Arrays = dict[str, np.ndarray]


def program_of(op: str, **given: Any) -> Program:
    """An operator of the library by name, or the last one of a text."""
    ops = parse(op) if "(" in op else ()
    return instantiate(
        ops[-1] if ops else library().get(op), Library(ops) if ops else library(), **{"types": {"T": "f32"}, **given}
    )


def graph_of(program: Program, layouts: Mapping[str, tuple[int, ...]] | None = None) -> KernelGraph:
    return lower(program, BACKEND, layouts or {}, device=HOST)


def module_of(graph: KernelGraph) -> Module:
    return compile_graph(graph, BACKEND, HOST)


def run_compiled(
    graph: KernelGraph,
    inputs: Arrays,
    scalars: Mapping[str, float | int] | None = None,
    dims: Mapping[str, int] | None = None,
) -> Arrays:
    """The results of the scheduled kernels, with memory laid out as the graph says, before a page that nobody may touch."""
    return runner(graph)(inputs, scalars, dims)


def runner(graph: KernelGraph) -> Callable[..., Arrays]:
    """`run_compiled` of a graph, compiled once."""
    call = BACKEND.load(BACKEND.build(module_of(graph)))

    def run(inputs: Arrays, scalars: Mapping[str, float | int] | None = None, dims: Mapping[str, int] | None = None) -> Arrays:
        known = dims or {}
        fences = {a.name: fenced(_memory(a, inputs, known), trap=True) for a in graph.args}
        memory = {name: fence.array for name, fence in fences.items()}
        call(*memory.values(), *((scalars or {})[s.name] for s in graph.scalars), *(known[d] for d in graph.dims))
        assert [name for name, fence in fences.items() if not fence.whole] == []
        return {a.name: strided(memory[a.name], *sizes(a, known)) for a in graph.args if a.role == "out"}

    return run


def sizes(arg: Arg, dims: Mapping[str, int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return tuple(value_at(e, dims) for e in arg.shape), tuple(value_at(e, dims) for e in arg.strides)


def _memory(arg: Arg, inputs: Arrays, dims: Mapping[str, int]) -> np.ndarray:
    shape, strides = sizes(arg, dims)
    if not span_of(shape, strides):
        return np.empty(0, STORAGE[arg.dtype])
    if arg.role == "in":
        return flat_buffer(arg.name, inputs[arg.name], arg.dtype, shape, strides)
    poison = np.full(span_of(shape, strides) * DTYPES[arg.dtype].bytes, 0xA5, np.uint8)
    return poison.view(STORAGE[arg.dtype])


def inputs_of(program: Program, seed: int = 0, special: bool = False) -> Arrays:
    """Normal numbers for every input (squares for variances); with `special`, a NaN and an infinity in each."""
    rng = np.random.default_rng(seed)
    found: Arrays = {}
    for tensor in program.by_role("in"):
        shape = static_values(tensor.shape)
        assert shape is not None
        values = rng.standard_normal(shape)
        if tensor.name == "var":
            values = values**2 + 0.5
        if special and values.size > 3:
            values.reshape(-1)[values.size // 2] = np.nan
            values.reshape(-1)[values.size // 3] = np.inf
        found[tensor.name] = encode(values, tensor.dtype)
    return found


def as_numbers(program: Program, inputs: Arrays) -> Arrays:
    """Inputs as the interpreter takes them."""
    return {t.name: decode(inputs[t.name], t.dtype) for t in program.by_role("in")}


def require_close(
    actual: np.ndarray, golden: np.ndarray, dtype: str, terms: float, magnitude: float | np.ndarray = 1.0
) -> None:
    """|error| <= terms * eps of the accumulator * magnitude + half an ulp of the type. NaN and infinities must agree."""
    values = decode(actual, dtype)
    assert values.shape == golden.shape
    if not is_float(dtype):
        np.testing.assert_array_equal(values, golden)
        return
    accumulator = DTYPES[DTYPES[dtype].accumulator].epsilon
    finite = np.isfinite(golden)
    np.testing.assert_array_equal(np.isnan(values), np.isnan(golden))
    expected = round_to(golden, dtype)
    settled = ~finite | ~np.isfinite(expected)
    np.testing.assert_array_equal(values[settled & ~np.isnan(golden)], expected[settled & ~np.isnan(golden)])
    bound = terms * accumulator * np.broadcast_to(magnitude, golden.shape) + 0.5 * DTYPES[dtype].epsilon * np.abs(golden)
    bound = bound + 2.0**-24 * (dtype == "f16") + np.finfo(np.float64).tiny
    error = np.abs(np.where(settled, 0, values) - np.where(settled, 0, golden))
    wrong = ~(error <= bound) & ~settled
    assert not wrong.any(), f"{wrong.sum()} of {wrong.size} beyond the bound, worst {error[wrong].max()}"


def channels_last(n: int, c: int, h: int, w: int) -> tuple[int, ...]:
    """Strides of an [N, C, H, W] tensor that lies as N, H, W, C."""
    return (h * w * c, 1, w * c, c)


def weights_last(o: int, c: int, r: int, s: int) -> tuple[int, ...]:
    """Strides of [O, C, R, S] weights that lie as R, S, C, O."""
    return (1, o, s * c * o, c * o)
