"""Contractions in segments on the CPU: kernels and oracle against the golden value, with keys that are outside, missing,
alone, or (for rows) in no order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from cpu_cases import as_numbers, graph_of, program_of, require_close, run_compiled
from turns import by_turns

from uol.backends.cpu.host import THREADS
from uol.backends.cpu.oracle import oracle
from uol.backends.cpu.schedules import segments
from uol.codegen.specs.nodes import Contract
from uol.ir import interpret
from uol.ir.program.dtype_encoding import encode

TYPES = "(f64, f32, f16, bf16, i32)"
ROWS = f"""op f(x: T[N, D], src: i64[M], key: i64[M], w: T[E, C, D]) -> (y: T[M, C]) for T in {TYPES} where sorted(key) {{
  y[m, c] = T(sum[d](acc(x[src[m], d] else 0) * acc(w[key[m], c, d] else 0)))
}}"""
ACROSS = f"""op f(x: T[M, C], key: i32[M], w: T[E, C, D]) -> (y: T[M, D]) for T in {TYPES} where sorted(key) {{
  y[m, d] = T(max(sum[c](acc(x[m, c]) * acc(w[key[m], c, d] else 0)), 0))
}}"""
TERMS = f"""op f(x: T[M, C], z: T[N, D], src: i32[M], key: i32[M]; E: int) -> (y: T[E, C, D]) for T in {TYPES}
    where E > 0, sorted(key) {{
  s[key[m], c, d] += acc(x[m, c]) * acc(z[src[m], d] else 0)
  y[e, c, d] = T(s[e, c, d])
}}"""
SIZES = [
    dict(N=5, D=7, M=33, E=3, C=9),
    dict(N=9, D=40, M=70, E=4, C=70),
    dict(N=3, D=16, M=17, E=40, C=33),
    dict(N=1, D=1, M=1, E=1, C=1),
    dict(N=4, D=0, M=5, E=2, C=3),
    dict(N=4, D=8, M=0, E=2, C=3),
]


def require_right(text: str, sizes: Mapping[str, int], keys: np.ndarray, dtype: str, values: Mapping[str, Any]) -> None:
    dims = {n: s for n, s in sizes.items() if f"{n}: int" not in text and n in text.partition("->")[0]}
    attrs = {n: s for n, s in sizes.items() if f"{n}: int" in text}
    program = program_of(text, types={"T": dtype}, dims=dims, attrs=attrs)
    made = {"key": keys, **values}
    inputs = {t.name: encode(made[t.name], t.dtype) for t in program.by_role("in")}
    graph = graph_of(program)
    if 0 not in dims.values():
        assert any(isinstance(s, Contract) and s.segments is not None for s in graph.specs)
    numbers = as_numbers(program, inputs)
    golden = interpret(program, numbers)
    magnitude = interpret(program, {n: np.abs(v) if n in "xwz" else v for n, v in numbers.items()})
    for results in (oracle.run(graph, inputs), run_compiled(graph, inputs)):
        require_close(results["y"], golden["y"], program.tensors["y"].dtype, 4 + max(sizes.values()), np.abs(magnitude["y"]))


def inputs_of(sizes: Mapping[str, int], rng: np.random.Generator, integers: bool) -> dict[str, Any]:
    n, d, m, e, c = (sizes[k] for k in "NDMEC")

    def numbers(*shape: int) -> np.ndarray:
        return rng.integers(-9, 10, shape) if integers else rng.standard_normal(shape)

    return {"w": numbers(e, c, d), "z": numbers(n, d), "src": rng.integers(-1, n + 1, m)}


@pytest.mark.parametrize(
    ("form", "sizes", "dtype"), by_turns(7, ["rows", "across", "terms"], SIZES, ["f64", "f32", "f16", "bf16", "i32"]), ids=str
)
def test_segments(form: str, sizes: dict[str, int], dtype: str) -> None:
    text = {"rows": ROWS, "across": ACROSS, "terms": TERMS}[form]
    rng = np.random.default_rng(sum(sizes.values()))
    values = inputs_of(sizes, rng, dtype == "i32")
    rows = (sizes["N"], sizes["D"]) if text is ROWS else (sizes["M"], sizes["C"])
    values["x"] = rng.integers(-9, 10, rows) if dtype == "i32" else rng.standard_normal(rows)
    keys = np.sort(rng.integers(-1, sizes["E"] + 1, sizes["M"]))
    require_right(text, sizes, keys, dtype, values)


@pytest.mark.parametrize("text", [ROWS, ACROSS], ids=["rows", "across"])
def test_rows_need_no_order(text: str) -> None:
    sizes = SIZES[1]
    rng = np.random.default_rng(0)
    values = inputs_of(sizes, rng, False)
    values["x"] = rng.standard_normal((sizes["N"], sizes["D"]) if text is ROWS else (sizes["M"], sizes["C"]))
    require_right(text, sizes, rng.integers(-1, sizes["E"] + 1, sizes["M"]), "f32", values)


@pytest.mark.parametrize("text", [ROWS, ACROSS], ids=["rows", "across"])
@pytest.mark.parametrize(("rows", "cores"), [(7, "2"), (40, "16")])
def test_a_run_may_go_on_in_another_task(text: str, rows: int, cores: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tasks of few rows have all columns; where they are few, some of them."""
    monkeypatch.setattr(segments, "RUN_ROWS", rows)
    monkeypatch.setenv(THREADS, cores)
    sizes = dict(N=9, D=70, M=70, E=3, C=70)
    rng = np.random.default_rng(0)
    values = inputs_of(sizes, rng, False)
    values["x"] = rng.standard_normal((sizes["N"], sizes["D"]) if text is ROWS else (sizes["M"], sizes["C"]))
    require_right(text, sizes, np.sort(rng.integers(-1, sizes["E"] + 1, sizes["M"])), "f32", values)


def test_a_row_of_no_segment_is_times_zero() -> None:
    """`else 0` is a 0 that is multiplied: an infinite x gives NaN, as the text says."""
    x = np.array([[1.0, 2.0], [np.inf, 1.0], [3.0, 4.0]])
    for keys in ([-1, 0, 1], [0, 1, 1]):
        require_right(ACROSS, dict(C=2, M=3, E=1, D=3), np.array(keys), "f32", {"x": x, "w": np.ones((1, 2, 3))})
