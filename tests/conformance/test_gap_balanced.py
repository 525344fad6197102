"""A contraction whose segments are data, as if all were alike: the same values where they are, and the work that this is."""

from __future__ import annotations

import pytest
import torch

from uol.codegen.choice import choose
from uol.codegen.indexing.arithmetic import value_at
from uol.codegen.lowering import lower
from uol.codegen.specs.nodes import Contract
from uol.codegen.specs.verify import verify
from uol.codegen.work import work_of
from uol.compilation.pipeline import program_of
from uol.compilation.request import Target, resolve_target
from uol.conformance.gap.balanced import balanced, nearest_schedule
from uol.conformance.gap.model import CallForm

TARGET = resolve_target("cuda:a100")
ROWS, SEGMENTS, IN, OUT = 24, 4, 16, 32


def specs(op: str, target: Target = TARGET, rows: int = ROWS) -> list[Contract]:
    x = (torch.float16, (rows, IN), (IN, 1))
    expert = (torch.int64, (rows,), (1,))
    w = (torch.float16, (SEGMENTS, OUT, IN), (OUT * IN, IN, 1))
    dy = (torch.float16, (rows, OUT), (OUT, 1))
    request = CallForm(op, (x, expert, w, dy) if op.endswith("_grad") else (x, expert, w), ()).request(target)
    graph = lower(program_of(request), target.backend, request.layouts)
    found = [spec for spec in graph.specs if isinstance(spec, Contract) and spec.segments is not None]
    assert found
    return found


@pytest.mark.parametrize("op", ["grouped_matmul", "grouped_matmul_grad"])
def test_segments_become_an_axis_of_their_own(op: str) -> None:
    for spec in specs(op):
        even = balanced(spec)
        assert isinstance(even, Contract) and even.segments is None
        verify(even)
        assert [value_at(a.extent, {}) for a in even.batch] == [SEGMENTS]
        assert value_at(work_of(even).operations["f16-matrix"], {}) == 2 * ROWS * IN * OUT


def test_rows_that_segments_do_not_share_evenly_stay_as_they_are() -> None:
    (spec,) = specs("grouped_matmul", rows=ROWS + 1)
    assert balanced(spec) is spec


def test_the_tiles_are_those_of_the_kernel() -> None:
    (spec,) = specs("grouped_matmul")
    chosen = choose(spec, TARGET.backend, TARGET.device)
    found = nearest_schedule(balanced(spec), chosen, TARGET.backend, TARGET.device)
    assert found is not None and found.describe() == chosen.describe()
