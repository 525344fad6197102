"""`random_bits` in kernels and in the oracle: bit-equal to the language's, whatever is literal and wherever it stands."""

from __future__ import annotations

import numpy as np
import pytest
from cpu_cases import graph_of, program_of, run_compiled

from uol.backends.cpu.oracle import oracle
from uol.ir.program.threefry import random_bits

EDGES = np.array([0, -1, 1, 2**31, 2**32 - 1, 2**32, -(2**32), 2**63 - 1, -(2**63)])
RNG = np.random.default_rng(4)


@pytest.mark.parametrize("n", [1, 17, 1000])
def test_seeds_and_counters_of_any_value(n: int) -> None:
    seeds, counters = (np.concatenate([EDGES, RNG.integers(-(2**63), 2**63, n)])[-n:] for _ in range(2))
    graph = graph_of(
        program_of("op f(a: i64[N], b: i64[N]) -> (y: i32[N]) { y[n] = random_bits(a[n], b[n]) }", types={}, dims={"N": n})
    )
    for results in (run_compiled(graph, {"a": seeds, "b": counters}), oracle.run(graph, {"a": seeds, "b": counters})):
        np.testing.assert_array_equal(results["y"], random_bits(seeds, counters))


@pytest.mark.parametrize("n", [1, 16, 33])
def test_literals_on_both_sides(n: int) -> None:
    """The last lane of 33 has a literal index: nothing may be folded beyond 32 bits."""
    text = """op f(x: i32[N]; seed: int) -> (y: i32[N], z: i32[N]) {
      y[n] = random_bits(seed, n)
      z[n] = random_bits(-9, n * 5 - 7)
    }"""
    graph = graph_of(program_of(text, types={}, dims={"N": n}, attrs={"seed": 77}))
    index = np.arange(n)
    for results in (
        run_compiled(graph, {"x": np.zeros(n, np.int32)}, {"seed": 77}),
        oracle.run(graph, {"x": np.zeros(n, np.int32)}, {"seed": 77}),
    ):
        np.testing.assert_array_equal(results["y"], random_bits(np.array(77), index))
        np.testing.assert_array_equal(results["z"], random_bits(np.array(-9), index * 5 - 7))


def test_under_a_condition() -> None:
    """Within what is evaluated lazily nothing can be held in front of the statement."""
    text = """op f(x: f32[N], at: i32[N]) -> (y: f32[N]) {
      y[n] = select(x[n] > 0, select(random_bits(5, n) > 0, x[at[n]] else 0, 1), 2)
    }"""
    x, at = RNG.standard_normal(50).astype(np.float32), RNG.integers(-3, 53, 50).astype(np.int32)
    inside = np.where((at >= 0) & (at < 50), x[np.clip(at, 0, 49)], np.float32(0))
    expected = np.where(x > 0, np.where(random_bits(np.array(5), np.arange(50)) > 0, inside, 1), 2)
    graph = graph_of(program_of(text, types={}, dims={"N": 50}))
    np.testing.assert_array_equal(run_compiled(graph, {"x": x, "at": at})["y"], expected)
