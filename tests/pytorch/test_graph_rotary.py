"""Rotary embeddings that are written out, under `torch.compile(backend="uol")`: in kernels, forward and backward."""

from __future__ import annotations

import pytest
import torch
from rotary_cases import CASES, drawn, results

from uol.pytorch.graph import reports

VIEWS = {"aten.view.default", "aten.view_as_real.default", "aten.view_as_complex.default"}
"""Overloads of PyTorch that only view a complex table as real numbers, or the other way round."""


@pytest.mark.parametrize("name", CASES)
def test_all_of_it_is_in_kernels(name: str) -> None:
    case = CASES[name]
    given = drawn(case, torch.float32)
    for table in given[len(case.turned) :]:
        table.requires_grad_(False)
    turned = given[: len(case.turned)]
    torch._dynamo.reset()
    reports.reset()
    compiled = torch.compile(case.text, backend="uol", dynamic=False)
    found, wanted = (results(f(*given), turned) for f in (compiled, case.text))
    for x, y in zip(found, wanted, strict=True):
        torch.testing.assert_close(x, y)
    said = reports.report()
    assert [g.role for g in said.graphs] == ["forward", "backward"]
    left = {n for g in said.graphs for n, *_ in g.left}
    assert left <= (VIEWS if case.is_complex else set()), str(said)
