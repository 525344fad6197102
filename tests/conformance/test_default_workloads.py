"""Workloads for a text of one's own: small, awkward, and such that the operator admits them."""

from __future__ import annotations

from math import prod

import pytest

from uol.binding.named_binding import bind_names
from uol.conformance.cases.default_workloads import SIZES, default_workloads
from uol.ir.errors import ShapeError
from uol.ir.syntax.parser import parse
from uol.operators.registry import find_operator

TEXTS = {
    "no dims": "op fixed(x: f32[3, 5]) -> (y: f32[3]) { y[i] = sum[j](x[i, j]) }",
    "one dim": "op total(x: f32[N]) -> (y: f32[]) { y[] = sum[n](x[n]) }",
    "a pack": "op twice_each(x: T[*S, C]) -> (y: T[*S, C]) for T in (f16, f32) { y[*s, c] = x[*s, c] + x[*s, c] }",
    "a clause": "op folded(x: f32[C], w: f32[D]) -> (y: f32[D]) where C == D * 3 { y[d] = x[d * 3] * w[d] }",
    "an attribute": "op shifted(x: f32[N]; by: int) -> (y: f32[N]) where by > 1 { y[n] = x[n + by] else 0 }",
    "a large dim": "op wide(x: f32[100000, N]) -> (y: f32[N]) { y[n] = x[0, n] }",
}
NO_SIZES = "op impossible(x: f32[N]) -> (y: f32[N]) where N < 0 { y[n] = x[n] }"


@pytest.mark.parametrize("name", ["softmax", "conv2d", "max_pool2d", "matmul"])
def test_the_library_admits_them(name: str) -> None:
    op = find_operator(name)
    workloads = default_workloads(op)
    assert len({str(w) for w in workloads}) == len(workloads) >= 4
    for workload in workloads:
        instance = bind_names(op, "f32", workload.dims, workload.attrs)
        assert all(0 < prod(instance.shape(p)) <= 1 << 14 for p in (*op.params, *op.results))
    assert workloads == default_workloads(op)


def test_packs_have_several_ranks() -> None:
    assert {len(w.dims["S"]) for w in default_workloads(find_operator("softmax"))} == {0, 1, 2, 3}  # type: ignore[arg-type]


@pytest.mark.parametrize("what", TEXTS)
def test_dims_and_attributes_that_are_open_are_drawn(what: str) -> None:
    (op,) = parse(TEXTS[what])
    workloads = default_workloads(op)
    assert len(workloads) == {"no dims": 1, "a clause": 3}.get(what, 6)
    for workload in workloads:
        assert set(workload.flat_dims.values()) <= set(SIZES)
        assert workload.attrs.keys() == {a.name for a in op.attributes}
        bind_names(op, None, workload.dims, workload.attrs)


def test_an_operator_that_no_small_sizes_fit_is_refused() -> None:
    (op,) = parse(NO_SIZES)
    with pytest.raises(ShapeError, match="no small sizes were found that fit impossible") as raised:
        default_workloads(op)
    assert raised.value.hint == "check sizes of your own: `uol run OP --dims ...`"
