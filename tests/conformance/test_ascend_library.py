"""The library on Ascend: double buffers are used again and again, at the representative sizes and with small tiles."""

from __future__ import annotations

import pytest
from ascend_small_tiles import small_tiles

from uol.conformance.cases.case_matrix import cases_of, types_of
from uol.conformance.cases.twin_check import check
from uol.conformance.cases.verdict import Case, Verdict
from uol.ops.texts import names

pytestmark = pytest.mark.soak

FEWEST = 3
DTYPES = ["f32", "f16", "bf16"]


def representative(dtype: str) -> list[Case]:
    """The first workload of each operator that has the type, on random inputs."""
    cases = [cases_of(op, "ascendc", t) for op in names() for t in types_of(op, [dtype])]
    return [next(c for c in group if c.inputs == "random") for group in cases if group]


def wrong(verdicts: list[Verdict]) -> list[tuple[str, str]]:
    return [(str(v.case), v.reason) for v in verdicts if not v.ok and v.status != "refused"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_double_buffers_are_filled_again(dtype: str) -> None:
    verdicts = check(representative(dtype))
    assert wrong(verdicts) == []
    assert [str(v.case) for v in verdicts if v.counts.get("least_reuse", FEWEST) < FEWEST] == []


@pytest.mark.parametrize("dtype", DTYPES)
def test_with_small_tiles(dtype: str) -> None:
    with small_tiles():
        verdicts = check(representative(dtype))
    assert wrong(verdicts) == []
