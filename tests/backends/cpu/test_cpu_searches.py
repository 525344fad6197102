"""Searches among ascending keys on the CPU: kernels and oracle against a comparison with every key."""

from __future__ import annotations

import numpy as np
import pytest
from cpu_cases import graph_of, module_of, program_of, run_compiled

from uol.backends.cpu.backend import BACKEND, FEWEST_KEYS
from uol.backends.cpu.oracle import oracle
from uol.backends.registry import get
from uol.codegen.lowering import lower
from uol.codegen.specs.graph import KernelGraph
from uol.codegen.specs.nodes import Map, Scatter
from uol.codegen.specs.traverse import searched
from uol.ir.program.dtype_encoding import decode, encode

TEXT = """op f(x: {t}[N], keys: {t}[E]) -> (y: i32[N]) where sorted(keys) {{
  y[n] = sum[e](i32(keys[e] {relation} x[n]))
}}"""
COMPARED = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal}
TYPES = ("f64", "f32", "f16", "bf16", "i64", "i32", "i8", "u8")
SIZES = (1, 127, 128, 200, 255, 256, 257)
"""Numbers of keys below, at and above powers of two, and on both sides of where a search begins: each with one relation."""


def inputs(dtype: str, keys: int, points: int = 70) -> dict[str, np.ndarray]:
    """Few different values, so that keys are equal ones and are met; of floats NaN, infinities and zeros of both signs."""
    rng = np.random.default_rng(keys)
    found = {"x": rng.integers(0, 60, points).astype(np.float64), "keys": rng.integers(1, 50, keys).astype(np.float64)}
    if dtype[0] in "bf":
        found["x"][:6] = np.nan, np.inf, -np.inf, -0.0, 0.0, -100
        found["keys"][: keys // 3] -= 50
        found["keys"][: keys // 16] = np.nan
        found["keys"][keys // 16 : keys // 8] = np.inf
    found["keys"].sort()
    return {name: encode(each if dtype[0] in "bf" else each.astype(np.int64), dtype) for name, each in found.items()}


def counted(values: dict[str, np.ndarray], dtype: str, relation: str) -> np.ndarray:
    x, keys = (decode(values[name], dtype) for name in ("x", "keys"))
    return COMPARED[relation](keys, x[:, None]).sum(1)


def is_searching(graph: KernelGraph) -> bool:
    return any(True for spec in graph.specs for _ in searched(spec))


TURNS = [*zip(TYPES, [*COMPARED, *reversed(COMPARED)], strict=True), *zip(TYPES, [*reversed(COMPARED), *COMPARED], strict=True)]


@pytest.mark.parametrize(("dtype", "relation"), TURNS)
def test_a_count_of_keys_is_that_of_comparisons(dtype: str, relation: str) -> None:
    for keys in SIZES[relation == "<=" :: 2] if dtype == "f32" else (200,):
        graph = graph_of(program_of(TEXT.format(t=dtype, relation=relation), types={}, dims={"N": 70, "E": keys}))
        assert is_searching(graph) is (keys >= FEWEST_KEYS)
        values = inputs(dtype, keys)
        assert np.array_equal(run_compiled(graph, values)["y"], counted(values, dtype, relation)), keys


@pytest.mark.parametrize("keys", [0, 1, 2, 33])
def test_the_oracle_searches_among_any_number_of_keys(keys: int) -> None:
    """As other machines do: few keys, and a number of them that is an argument."""
    for dims in ({"N": 70, "E": keys}, {}):
        for relation in ("<=", ">"):
            graph = lower(program_of(TEXT.format(t="f32", relation=relation), types={}, dims=dims), get("cuda"), {})
            assert is_searching(graph)
            values = inputs("f32", keys)
            found = oracle.run(graph, values)["y"]
            assert np.array_equal(found, counted(values, "f32", relation)), (dims, relation)


@pytest.mark.parametrize("stride", [0, 1, 3])
def test_keys_that_lie_apart(stride: int) -> None:
    text = TEXT.format(t="f32", relation="<=")
    graph = graph_of(program_of(text, types={}, dims={"N": 70, "E": 200}), {"keys": (stride,)})
    values = inputs("f32", 200)
    values["keys"] = values["keys"] if stride else np.full(200, 3, np.float32)
    assert is_searching(graph)
    assert np.array_equal(run_compiled(graph, values)["y"], counted(values, "f32", "<="))


def test_places_are_looked_for_side_by_side() -> None:
    """In a kernel of their own, in vectors; one thread adds there."""
    text = TEXT.format(t="f32", relation="<=").replace("y: i32[N]", "y: i32[E + 1]").replace("y[n] =", "at[n] =")
    graph = graph_of(program_of(text[:-2] + "\n  y[at[n]] += 1\n}", types={}, dims={"N": 70, "E": 200}))
    assert [type(spec) for spec in graph.specs] == [Map, Scatter] and is_searching(graph)
    assert "T.vectorized" in module_of(graph).device.text
    values = inputs("f32", 200)
    assert np.array_equal(run_compiled(graph, values)["y"], np.bincount(counted(values, "f32", "<="), minlength=201))
    assert BACKEND.capability.searches == FEWEST_KEYS
