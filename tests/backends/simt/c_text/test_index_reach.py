"""For which sizes 32 bits hold every index: against the largest index that occurs, by going through all of them."""

from __future__ import annotations

from itertools import product

import pytest

import uol
from uol.backends import registry
from uol.backends.simt.c_text import index_reach
from uol.backends.simt.c_text.index_reach import fits_int_where, index_parts
from uol.backends.simt.c_text.proofs import Index, index_type
from uol.codegen.indexing.arithmetic import substituted, value_at
from uol.codegen.lowering import lower
from uol.codegen.specs.nodes import KernelSpec, Read, guard_operands
from uol.codegen.specs.traverse import accesses, expressions
from uol.ir import instantiate, parse
from uol.ir.program.nodes import Const, Expr
from uol.ir.program.walk import walk

TEXTS = {
    "rows": "op f(x: f32[N, M]) -> (y: f32[N]) { y[n] = sum[m](x[n, m]) }",
    "shifted": "op f(x: f32[N, M]) -> (y: f32[M, N]) { y[m, n] = select(n*2 >= 3 and n*2 - 3 < N, x[n*2 - 3, m], 0) }",
    "halves": "op f(x: f32[N], w: f32[M]) -> (y: f32[N*M]) where N > 0, M > 0 { y[i] = x[i / M] * w[i % M] }",
}


def specs(text: str) -> tuple[KernelSpec, ...]:
    (op,) = parse(text)
    return lower(instantiate(op, {}, types={}, dims={}), registry.get("cuda")).specs


def largest_index(spec: KernelSpec, sizes: dict[str, int]) -> int:
    """Of all steps on the way to all offsets, at all points: of a read where its guards hold, of what they ask for always."""
    found = 0
    axes = [(axis.name, range(value_at(axis.extent, sizes))) for axis in spec.axes]
    for point in product(*(values for _, values in axes)):
        values: dict[str, Expr] = {name: Const(size) for name, size in sizes.items()}
        values |= {name: Const(at) for (name, _), at in zip(axes, point, strict=True)}
        for access in accesses(spec):
            guards = access.guard if isinstance(access, Read) else ()
            happens = all(value_at(substituted(c, values), {}) for guard in guards for c in guard.conditions)
            for root in (*guard_operands(guards), *([access.offset] if happens else [])):
                found = max(found, *(abs(value_at(substituted(part, values), {})) for part in walk(root) if part.type == "idx"))
    return found


@pytest.mark.parametrize("name", TEXTS)
def test_where_the_condition_holds_every_index_fits(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With integers of a few bits, so that all can be gone through; and it is not so careful as to be of no use."""
    monkeypatch.setattr(index_reach, "ROUNDED", 1)
    admitted = refused = 0
    for spec in specs(TEXTS[name]):
        for limit in (10, 40, 100):
            monkeypatch.setattr(index_reach, "LARGEST", limit)
            condition = fits_int_where(spec, [], [part for expr in expressions(spec) for part in index_parts(expr)])
            assert condition is not None
            for n, m in product(range(3, 12), range(1, 12)):
                sizes = {"N": n, "M": m}
                if value_at(condition, sizes):
                    admitted += 1
                    assert largest_index(spec, sizes) <= limit, (sizes, limit)
                else:
                    refused += 1
    assert admitted > 20 and refused > 20


def test_places_from_data_have_no_such_condition_and_are_wide_by_themselves() -> None:
    kernel = uol.compile("gather_rows", "cuda", "f32", {"B": None, "N": None, "K": None, "D": None})
    spec = kernel.module.kernels[-1].spec
    assert index_type(spec, []) == Index("long long")
    assert index_type(spec, [], data_apart=True).ctype == "int"
    assert kernel.module.graph.checks
    assert "const int b = " in kernel.source
    assert "const long long x_at0 = at[" in kernel.source
