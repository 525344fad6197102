"""The library on Ascend with small tiles on one core, where double buffers are used again and again."""

from __future__ import annotations

import pytest
from ascend_small_tiles import small_tiles

from uol.conformance.sweep import cases_of, types_of
from uol.conformance.twin_check import check
from uol.ops.texts import names

pytestmark = pytest.mark.soak


@pytest.mark.parametrize("dtype", ["f32", "f16", "bf16"])
def test_the_representative_workloads(dtype: str) -> None:
    cases = [cases_of(op, "ascendc", t) for op in names() for t in types_of(op, [dtype])]
    first = [next(c for c in group if c.inputs == "random") for group in cases if group]
    with small_tiles():
        verdicts = check(first)
    assert [(str(v.case), v.reason) for v in verdicts if not v.ok and v.status != "refused"] == []
