"""Operators at drawn sizes: what the command draws, and that it reports what fails; sizes that once failed."""

from __future__ import annotations

from itertools import islice
from random import Random

import pytest

from uol.conformance.cases.twin_check import check
from uol.conformance.cases.verdict import Case, Verdict
from uol.conformance.random_kernels import sizes
from uol.ir.errors import UolError
from uol.ops.workloads import Workload

OPS = ("conv2d", "causal_attention", "causal_attention_grad")

ONCE_FAILED = [
    # A row of a part's results has more pieces of 16 bytes than a block has threads.
    ("attention", {"B": 1, "H": 1, "G": 1, "L": 1, "M": 512, "D": 8, "E": 256}, {}),
    # The gradients of one key have one row.
    ("causal_attention_grad", {"B": 2, "H": 4, "G": 1, "L": 27, "M": 1, "D": 16, "E": 64}, {}),
    # Masks and weights that are left out stand in one tile of one row.
    ("dropout_attention", {"B": 1, "H": 2, "G": 1, "L": 1, "M": 33, "D": 64, "E": 48}, {"seed": 3, "causal": 1}),
]


@pytest.mark.parametrize(("op", "dims", "attrs"), ONCE_FAILED, ids=lambda value: value if isinstance(value, str) else "")
def test_sizes_that_once_failed(op: str, dims: dict[str, int], attrs: dict[str, int]) -> None:
    cases = [Case(op, target, "f16", Workload(op, dims, attrs)) for target in ("cuda", "hip")]
    assert [(verdict.status, verdict.reason) for verdict in check(cases)] == [("pass", "")] * 2


def test_draws_are_admitted_small_and_the_same_for_a_seed() -> None:
    first, again = (list(islice(sizes.cases(OPS, ["cuda", "hip"], ["f16"], Random(1), 1 << 18), 60)) for _ in range(2))
    assert first == again
    assert {case.op for case in first} == set(OPS)
    assert {case.sizes for case in first} == {"fixed", "open"}
    assert all(case.workload.dims["H"] % case.workload.dims["G"] == 0 for case in first if "attention" in case.op)
    assert len({str(case.workload) for case in first}) > 50


def test_no_operator_admits_the_type() -> None:
    assert list(sizes.cases(["attention"], ["cuda"], ["i8"], Random(1), 1 << 18)) == []


def test_what_fails_is_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def crash(*arguments: object) -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(sizes, "module_of", crash)
    assert sizes.main(["--texts", "--op", "conv2d", "--target", "cuda", "--count", "3"]) == 1
    printed = capsys.readouterr().out
    assert printed.count("ZeroDivisionError: by zero") == 3
    assert "3 draws, 3 failed" in printed


def test_a_breach_is_printed_and_a_refusal_is_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def judged(cases: list[Case]) -> list[Verdict]:
        return [Verdict(cases[0], "breach", "off by 3 ulp"), *(Verdict(case, "refused", "no f64") for case in cases[1:])]

    monkeypatch.setattr(sizes, "check", judged)
    assert sizes.main(["--op", "conv2d", "--target", "cuda", "--count", "3"]) == 1
    assert "off by 3 ulp" in (printed := capsys.readouterr().out)
    assert "3 draws, 1 failed" in printed


def test_unknown_names_are_refused() -> None:
    with pytest.raises(UolError):
        sizes.main(["--op", "attentoin"])
