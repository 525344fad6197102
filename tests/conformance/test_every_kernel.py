"""A check by kernels of any size launches each of an operator's kernels, not those alone that the usual sizes take."""

from __future__ import annotations

import pytest

from uol.codegen.indexing.arithmetic import value_at
from uol.conformance.cases.case_matrix import cases_of
from uol.conformance.cases.every_kernel import further_cases
from uol.conformance.cases.selection import Selection, plan
from uol.conformance.cases.twin_check import check, compiled_of
from uol.conformance.cases.verdict import Case
from uol.conformance.gradients.cases import fitting
from uol.operators.registry import find_operator


def launched(cases: tuple[Case, ...]) -> tuple[set[str], set[str]]:
    """The kernels that cases of the first one's kind launch, and all that it has."""
    first = cases[0]
    compiled, _ = compiled_of(first)
    kernels, found = compiled.module.kernels, set()
    for case in cases:
        if (case.workload.attrs, case.workload.ranks) == (first.workload.attrs, first.workload.ranks):
            sizes = compiled.request.instance.seen_by_kernels(fitting(find_operator(case.op), case)).flat_dims
            found |= {k.name for k in kernels if all(value_at(condition, sizes) for condition in k.launch.where)}
    return found, {k.name for k in kernels}


@pytest.mark.parametrize("target", ["cuda", "hip"])
@pytest.mark.parametrize(("op", "gradients"), [("softmax", False), ("mse_loss", False), ("layer_norm", True)])
def test_cases_of_any_size_launch_every_kernel(op: str, gradients: bool, target: str) -> None:
    cases = plan(Selection((op,), (target,), sizes="open", gradients=gradients)).cases
    found, every = launched(cases)
    assert found == every
    usual = tuple(c for c in cases if c.workload.note != "another kernel")
    assert launched(usual)[0] < every, "the usual cases do that alone"


def test_kernels_for_large_sizes_alone_are_left() -> None:
    """A sort of more rows than a twin takes a moment for."""
    found, every = launched(plan(Selection(("argsort",), ("cuda",), sizes="open")).cases)
    assert every - found == {k for k in every if "rest" in k or "merge" in k or k == "argsort_kernel"} - found != set()


def test_further_cases_are_right() -> None:
    given = [each for each in cases_of("softmax", "cuda", "f16") if each.arrangement == "row-major"]
    further = further_cases([Case(c.op, c.target, c.dtype, c.workload, c.inputs, sizes="open") for c in given])
    assert len(further) >= 3
    assert all(verdict.ok for verdict in check(further))


def test_sizes_that_kernels_are_made_for_need_no_further_cases() -> None:
    assert all(c.workload.note != "another kernel" for c in plan(Selection(("softmax",), ("cuda",))).cases)
    assert len(plan(Selection(("softmax",), ("cuda",), first=True, sizes="open")).cases) == 2
