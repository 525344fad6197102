"""Recurrences on the CPU: kernels and oracle against position after position in float64, on shapes for every schedule."""

from __future__ import annotations

import numpy as np
import pytest
from cpu_cases import graph_of, module_of, program_of, run_compiled
from turns import by_turns

from uol.backends.cpu.oracle import oracle
from uol.backends.cpu.schedules import scans
from uol.codegen.specs.nodes import Scan
from uol.ir.program.dtype_encoding import decode, encode

FORMS = {
    "rows": "op f(a: T[N, M], b: T[N, M]) -> (y: T[N, M]) for T in (f64, f32, f16, bf16) {{ y[n, i] = T({0}) }}",
    "columns": "op f(a: T[M, N], b: T[M, N]) -> (y: T[M, N]) for T in (f64, f32, f16, bf16) {{ y[i, n] = T({0}) }}",
}
FORWARD = "sum[j <= i](acc(b[{0}j{1}]) * prod[k > j, k <= i](acc(a[{0}k{1}])))"
BACKWARD = "sum[j >= i](acc(b[{0}j{1}]) * prod[k < j, k >= i](acc(a[{0}k{1}])))"
CLOSE = {"f64": 1e-12, "f32": 1e-5, "f16": 2e-3, "bf16": 2e-2}


def by_steps(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """S_i = a_i * S_{i-1} + b_i along the last axis; what multiplies nothing is not there."""
    out = b.astype(np.float64)
    for n in range(1, out.shape[1]):
        out[:, n] += a[:, n].astype(np.float64) * out[:, n - 1]
    return out


@pytest.mark.parametrize(
    ("form", "reverse", "dtype", "sizes"),
    by_turns(3, list(FORMS), [False, True], list(CLOSE), [(3, 5), (2, 0), (5, 1), (40, 70), (1, 5000)]),
)
def test_kernels_and_oracle_go_step_by_step(
    form: str, reverse: bool, dtype: str, sizes: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scans, "PARALLEL_FROM", 500)
    around = ("n, ", "") if form == "rows" else ("", ", n")
    text = FORMS[form].format((BACKWARD if reverse else FORWARD).format(*around))
    rng = np.random.default_rng(0)
    a, b = rng.uniform(-1.1, 0.9, sizes), rng.standard_normal(sizes)
    if 0 not in sizes:
        a[0, -1 if reverse else 0] = np.inf  # multiplies nothing
    given = {name: encode(x if form == "rows" else x.T, dtype) for name, x in (("a", a), ("b", b))}
    held = {name: decode(x, dtype) if form == "rows" else decode(x, dtype).T for name, x in given.items()}
    turn = slice(None, None, -1) if reverse else slice(None)
    wanted = by_steps(held["a"][:, turn], held["b"][:, turn])[:, turn]
    for dims in (dict(zip("NM", sizes, strict=True)), {}):
        graph = graph_of(program_of(text, types={"T": dtype}, dims=dims))
        assert sizes[1] < 2 or any(isinstance(spec, Scan) for spec in graph.specs)
        for results in (oracle.run(graph, given), run_compiled(graph, given, dims=dict(zip("NM", sizes, strict=True)))):
            found = decode(results["y"], dtype) if form == "rows" else decode(results["y"], dtype).T
            np.testing.assert_allclose(found, wanted, CLOSE[dtype], CLOSE[dtype])


def test_no_map_is_taken_before_it_is_known_what_it_is_of() -> None:
    """Large factors behind a 0 do not overflow."""
    text = FORMS["rows"].format(FORWARD.format("n, ", ""))
    a, b = np.full((1, 4096), 3e30, np.float32), np.zeros((1, 4096), np.float32)
    b[0, 4000] = 1.0
    a[0, 4001:] = 0.5
    graph = graph_of(program_of(text, types={"T": "f32"}, dims={"N": 1, "M": 4096}))
    assert "chunks" not in module_of(graph).kernels[0].schedule.describe()
    y = run_compiled(graph, {"a": a, "b": b})["y"]
    assert not y[0, :4000].any()
    np.testing.assert_allclose(y[0, 4000:4010], 0.5 ** np.arange(10))
