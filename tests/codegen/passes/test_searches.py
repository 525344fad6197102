"""Counts of ascending keys that a value reaches are searches; other counts stay."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from before_after import agree
from middle import lowered, program_of, run
from spec_interpreter import EVERY_KIND

from uol.backends.registry import get
from uol.codegen.lowering import lower
from uol.codegen.program.searches import as_searches
from uol.codegen.specs.nodes import Map, Reduce, Scatter
from uol.codegen.specs.traverse import searched
from uol.codegen.specs.verify import BrokenSpec, verify_graph

TEXT = """op f(x: {t}[N], keys: {t}[E]) -> (y: {c}[N]) where sorted(keys) {{
  y[n] = sum[e]({c}({condition}))
}}"""
RELATIONS = ("<", "<=", ">", ">=")
CONDITIONS = [f"{a} {relation} {b}" for relation in RELATIONS for a, b in (("keys[e]", "x[n]"), ("x[n]", "keys[e]"))]
BEFORE = "count(keys[< 5] < x[n])", "count(keys[< 5] <= x[n])"
BEHIND = "i32(5) - count(keys[< 5] <= x[n])", "i32(5) - count(keys[< 5] < x[n])"
NUMBERS = "count(keys[< 5] <= inf)"


def counting(condition: str, t: str = "f32", c: str = "i32", promise: str = " where sorted(keys)") -> str:
    return TEXT.format(t=t, c=c, condition=condition).replace(" where sorted(keys)", promise)


@pytest.mark.parametrize("condition", CONDITIONS)
@pytest.mark.parametrize("dtype", ["f32", "i64"])
def test_a_count_of_keys_is_a_search(condition: str, dtype: str) -> None:
    """Whichever side the key stands on; of floats, those behind a value are numbers, and none is where the value is NaN."""
    found = dict(zip(RELATIONS, (*BEFORE, *BEHIND), strict=True))
    mirrored = dict(zip((">", ">=", "<", "<="), (*BEFORE, *BEHIND), strict=True))
    relation = condition.split()[1]
    wanted = (found if condition.startswith("keys") else mirrored)[relation]
    if dtype == "f32" and wanted in BEHIND:
        wanted = f"select(x[n] == x[n], {wanted.replace('i32(5)', NUMBERS)}, 0)"
    program = program_of(counting(condition, dtype), types={}, dims={"N": 3, "E": 5})
    agree(as_searches(program), f"line 2   y[n]: i32 = {wanted}")


OTHERS = {
    "no promise": counting("keys[e] <= x[n]", promise=""),
    "a promise of another": counting("keys[e] <= x[n]", promise=" where sorted(x)"),
    "a value of its own for each key": counting("keys[e] <= x[e]"),
    "keys by another index": counting("keys[e + 1] else 0 <= x[n]").replace("[e](", "[e < E]("),
    "equal keys": counting("keys[e] == x[n]"),
    "a counter that is short": counting("keys[e] <= x[n]", c="i8"),
    "a float that counts": counting("keys[e] <= x[n]", c="f32"),
    "some keys": counting("keys[e] <= x[n]").replace("[e](", "[e <= n]("),
    "the greatest": counting("keys[e] <= x[n]").replace("sum[", "max["),
    "pairs": counting("keys[e] <= x[n]").replace("[e](", "[e, k](").replace("<= x[n]", "<= x[k]"),
}


@pytest.mark.parametrize("what", OTHERS)
def test_other_counts_stay(what: str) -> None:
    program = program_of(OTHERS[what], types={}, dims={"N": 5, "E": 5})
    assert as_searches(program).stages == program.stages


KEYS = {
    "none": [],
    "one": [1.0],
    "equal ones": [-1.0, 0.0, 0.0, 2.0, 2.0, 2.0, 3.0],
    "zeros of both signs": [-1.0, 0.0, -0.0, 0.0, 1.0],
    "infinities": [-np.inf, -np.inf, 0.0, np.inf],
    "NaN behind the others": [-np.inf, 1.0, np.inf, np.nan, np.nan],
    "NaN alone": [np.nan],
}
VALUES = [-np.inf, -2.0, -1.0, -0.0, 0.0, 0.5, 1.0, 2.0, 2.5, 3.0, 4.0, np.inf, np.nan]


@pytest.mark.parametrize("keys", KEYS)
@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_search_gives_what_the_text_says(keys: str, condition: str) -> None:
    """Values below, at, between and above keys, and NaN; and the same of integers."""
    dims, floats = {"N": len(VALUES), "E": len(KEYS[keys])}, {"x": VALUES, "keys": KEYS[keys]}
    run(counting(condition), floats, types={}, dims=dims, kinds=EVERY_KIND)
    integers = {name: np.floor(np.nan_to_num(each, nan=9, posinf=9, neginf=-9)) for name, each in floats.items()}
    run(counting(condition, "i64", "i64"), integers, types={}, dims=dims, kinds=EVERY_KIND)


def test_what_is_searched_for_stands_where_it_is_used() -> None:
    """In the kernel that adds at the place, in that of rows, once a row."""
    placed = counting("keys[e] <= x[n]").replace("y: i32[N]", "y: i32[E + 1]").replace("y[n] =", "at[n] =")
    (scatter,) = lowered(placed[:-2] + "\n  y[at[n]] += 1\n}", types={}, dims={"N": 3, "E": 5}, kinds=EVERY_KIND).specs
    assert isinstance(scatter, Scatter)
    rows = """op f(x: f32[N, C], at: i64[N], keys: i64[E]) -> (y: f32[N]) where sorted(keys) {
  first[n] = sum[e](i64(keys[e] < at[n]))
  y[n] = sum[c](x[n, c] * f32(first[n]))
}"""
    (reduce,) = lowered(rows, types={}, dims={"N": 3, "C": 4, "E": 5}, kinds=EVERY_KIND).specs
    assert isinstance(reduce, Reduce)
    run(rows, {"keys": [-1, 0, 0, 1, 9]}, types={}, dims={"N": 3, "C": 4, "E": 5}, kinds=EVERY_KIND)


RANKS = """op f(x: f32[N], z: f32[E]) -> (y: i32[N]) {
  s[i] = sort[e](z[e])
  y[n] = sum[i](i32(s[i] < x[n]))
}"""


def test_keys_may_be_what_the_text_has_sorted() -> None:
    """They are whole in memory before; a search among what no kernel has stored is found."""
    values = {"x": [3.0, np.nan, -9.0], "z": [2.0, np.nan, -1.0, 3.0, 2.0]}
    run(RANKS, values, types={}, dims={"N": 3, "E": 5}, kinds=EVERY_KIND)
    graph = lowered(RANKS, types={}, dims={"N": 3, "E": 5}, kinds=EVERY_KIND)
    assert isinstance(graph.specs[-1], Map)
    with pytest.raises(BrokenSpec, match="reads s, which no kernel before it stores"):
        verify_graph(replace(graph, specs=graph.specs[::-1]))


def test_a_long_sum_of_searches_is_cut_as_any_other() -> None:
    """Each part looks among all keys."""
    text = "op f(x: f32[N], keys: f32[E]) -> (y: f32[]) where sorted(keys) { y[] = sum[n](f32(sum[e](i32(keys[e] <= x[n])))) }"
    graph = lower(program_of(text, types={}, dims={"N": 1 << 22, "E": 9}), get("cuda"), {})
    parts, whole = graph.specs
    assert [arg.name for arg in parts.args][:2] == ["x", "keys"] and any(searched(parts)) and not any(searched(whole))


@pytest.mark.parametrize("dtype", ["f16", "bf16", "f8e4m3", "u8"])
@pytest.mark.parametrize("condition", ["keys[e] > x[n]", "keys[e] <= x[n]"])
def test_short_types_are_searched_too(dtype: str, condition: str) -> None:
    run(counting(condition, dtype), {"x": [0, 1, 2, 3], "keys": [1, 1, 2]}, types={}, dims={"N": 4, "E": 3}, kinds=EVERY_KIND)
