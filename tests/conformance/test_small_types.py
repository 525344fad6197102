"""f8, bytes, booleans, integer division and random bits in whole operators: all on this machine, by turns in the twins."""

from __future__ import annotations

import pytest
from turns import by_turns

import uol
from uol.backends import registry
from uol.conformance.cases.twin_check import check, has_twin
from uol.conformance.cases.verdict import Case, Verdict
from uol.ir import Op, parse, print_op
from uol.ops.workloads import Workload

TEXTS = """
op f8_narrow(x: T[N]) -> (y: f8e4m3[N], z: f8e5m2[N]) for T in (f32, f16) { y[n] = f8e4m3(x[n])  z[n] = f8e5m2(x[n]) }
op f8_widen(x: T[N]) -> (y: f32[N], z: f16[N]) for T in (f8e4m3, f8e5m2) { y[n] = acc(x[n]) * 2  z[n] = f16(x[n]) }
op f8_scale(x: T[N]; a: float = 0.3) -> (y: T[N]) for T in (f8e4m3, f8e5m2) { y[n] = T(acc(x[n]) * acc(T(a))) }
op f8_linear(x: T[M, K], w: T[N, K]) -> (y: f32[M, N]) for T in (f8e4m3, f8e5m2) {
  y[m, n] = sum[k](acc(x[m, k]) * acc(w[n, k]))
}
op f8_matmul(x: T[M, K], w: T[K, N]) -> (y: T[M, N]) for T in (f8e4m3, f8e5m2) {
  y[m, n] = T(max(sum[k](acc(x[m, k]) * acc(w[k, n])), 0))
}
op f8_outer(x: T[N], b: T[M]) -> (y: T[M, N]) for T in (f8e4m3, f8e5m2) { y[m, n] = T(f32(x[n]) + f32(b[m])) }
op f8_turned(x: T[N, M]) -> (y: T[M, N]) for T in (f8e4m3, f8e5m2) { y[m, n] = x[n, m] }
op f8_moved(x: T[N, M]) -> (y: T[N, M]) for T in (f8e4m3, f8e5m2) { y[n, m] = x[n, m - 1] else 0.5 }
op f8_rows(x: T[N, M]) -> (y: T[N], z: i32[N]) for T in (f8e4m3, f8e5m2) where M > 0 {
  y[n] = max[m](x[n, m])
  z[n] = i32(argmax[m](x[n, m]))
}
op f8_chosen(x: T[N], c: T[N]) -> (y: T[N], z: bool[N]) for T in (f8e4m3, f8e5m2) {
  y[n] = select(x[n] > c[n], max(x[n], 0), T(1.3))
  z[n] = x[n] <= 1
}
op byte_linear(x: i8[M, K], w: i8[N, K]) -> (y: i32[M, N]) { y[m, n] = sum[k](acc(x[m, k]) * acc(w[n, k])) }
op random_mask(x: f32[M]; seed: int = 3) -> (y: f32[M]) { y[m] = select(f32(random_bits(seed, m)) > 0, x[m], 0) }
op random_words(x: f32[M, N]; seed: int = -5) -> (y: i32[M, N]) { y[m, n] = random_bits(seed, m * N + n - 20) }
op logic(x: i32[M], z: i32[M]) -> (y: bool[M], w: i32[M]) {
  y[m] = (x[m] > 0 and not (z[m] == 1)) or x[m] % 3 == 1
  w[m] = x[m] / 7 + x[m] % 5 - min(x[m], z[m]) * abs(z[m])
}
op by_lanes(x: T[N], z: T[N]) -> (q: T[N], r: T[N]) for T in (i32, i16, i8, u8) { q[n] = x[n] / z[n]  r[n] = x[n] % z[n] }
op long_by_lanes(x: i64[N], z: i64[N]) -> (q: i64[N], r: i64[N]) { q[n] = x[n] / z[n]  r[n] = x[n] % z[n] }
"""
OPS = parse(TEXTS)
SIZES = {"N": 33, "M": 17, "K": 40}
KINDS = ("exact", "random", "special")
REFUSED = {("ascendc", "long_by_lanes"): "arithmetic on i64 that may pass 32 bits"}


@pytest.fixture(scope="module", autouse=True)
def _registered() -> None:
    for op in OPS:
        uol.op(print_op(op))


def cases_of(op: Op, target: str, kinds: tuple[str, ...]) -> list[Case]:
    dims = {d: n for d, n in SIZES.items() if any(d in (i.id for i in p.dims) for p in op.params)}
    types = op.domain[0].types if op.domain else ("f32",)
    return [Case(op.name, target, dtype, Workload(op.name, dims, {}), kind) for dtype in types for kind in kinds]


def wrong(verdicts: list[Verdict]) -> list[str]:
    """What neither passes nor is refused as it should be."""
    bad = []
    for verdict in verdicts:
        reason = REFUSED.get((verdict.case.target, verdict.case.op))
        if not (verdict.status == "pass" if reason is None else verdict.status == "refused" and reason in verdict.reason):
            bad.append(f"{verdict.case}: {verdict.status}: {verdict.reason}")
    return bad


@pytest.mark.parametrize(("target", "kind"), by_turns(2, [t for t in registry.names() if not has_twin(t)], KINDS))
def test_all_on_this_machine(target: str, kind: str) -> None:
    assert not wrong(check([case for op in OPS for case in cases_of(op, target, (kind,))]))


@pytest.mark.parametrize("target", [t for t in registry.names() if has_twin(t)])
def test_by_turns_in_the_twins(target: str) -> None:
    turn = registry.names().index(target)
    kinds = [KINDS[(turn + number) % len(KINDS)] for number in range(len(OPS))]
    assert not wrong(check([case for op, kind in zip(OPS, kinds, strict=True) for case in cases_of(op, target, (kind,))]))
