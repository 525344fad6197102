"""Planted faults of numerics are found, each by the kind of inputs that is meant for it, and a right operator passes there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from uol.backends import registry
from uol.conformance import planted_faults
from uol.conformance.cases.twin_check import check
from uol.conformance.cases.verdict import Case
from uol.conformance.mutation.planted import Fault, applies, breaches, faults_in, quick_breaches
from uol.ir.errors import UolError
from uol.ops.workloads import wide_workloads_of

IN_TEXTS, IN_KERNELS, OF_PRECISION, FOR_QUICK = (faults_in(where) for where in ("text", "kernel", "precision", "quick"))
TWINS = ("cuda", "hip", "ascendc")
WELL_KNOWN = {
    ("layer_norm", "eps dropped"): "constant",
    ("layer_norm", "eps outside the root"): "faint",
    ("layer_norm", "mean of squares minus square of mean"): "offset",
    ("rms_norm", "eps dropped"): "faint",
    ("softmax", "maximum starts at 0"): "negative",
    ("attention", "maximum starts at 0"): "negative",
}


def missed(chosen: tuple[Fault, ...], target: str, dtype: str = "f32") -> list[str]:
    return [str(f) for f, reason in zip(chosen, breaches(chosen, target, dtype), strict=True) if not reason]


def test_each_is_found_on_this_machine() -> None:
    """The well-known ones, and every sixth of the rest."""
    assert len(IN_TEXTS) >= 55
    assert not missed(tuple(f for f in IN_TEXTS if (f.op, f.fault) in WELL_KNOWN or IN_TEXTS.index(f) % 6 == 1), "cpu")


def test_each_edited_kernel_is_found_in_the_twin() -> None:
    assert not missed(IN_KERNELS, "cuda")


@pytest.mark.parametrize("chosen", [IN_TEXTS, IN_KERNELS], ids=["in texts", "in kernels"])
def test_the_well_known_ones_are_among_them(chosen: tuple[Fault, ...]) -> None:
    assert {(f.op, f.fault): f.found_by for f in chosen}.items() >= WELL_KNOWN.items()


def test_what_is_right_passes() -> None:
    """On every kind that finds something, and in the twin: what is found is the fault."""
    kinds = {f.found_by: f for f in IN_TEXTS}
    right = tuple(replace(f, planted=f.text) for f in kinds.values())
    assert missed(right, "cpu") == list(map(str, right))
    kernels = tuple(replace(f, planted=f.text) for f in IN_KERNELS[:1])
    assert missed(kernels, "cuda") == list(map(str, kernels))


def planted_in(chosen: tuple[Fault, ...], target: str) -> tuple[Fault, ...]:
    return tuple(f for f in chosen if applies(f, target, f.dtype or "f32"))


def test_faults_of_precision_are_of_many_kinds() -> None:
    assert len({f.fault for f in OF_PRECISION}) >= 15
    products = {(f.fault, t) for t in TWINS for f in planted_in(OF_PRECISION, t) if f.op in ("conv2d", "matmul", "dot")}
    assert {(f, t) for f in ("TF32 factors", "bf16 factors", "f16 accumulator") for t in TWINS} <= products
    assert {t for f, t in products if "dropped" in f} == set(TWINS)


@pytest.mark.parametrize("target", ["cuda", "ascendc"])
def test_faults_of_precision_are_found_at_every_length(target: str) -> None:
    chosen = planted_in(OF_PRECISION, target)
    assert not missed(chosen if target == "ascendc" else chosen[:1] + chosen[4::3], target)


def test_long_sums_that_are_right_pass_on_every_target() -> None:
    ops = ("matmul", "sum", "dot", "layer_norm", "linear_grad", "scatter_add")
    cases = [Case(op, target, "f32", wide_workloads_of(op)[-1], "wide") for op in ops for target in registry.names()]
    assert [f"{v.case}: {v.reason}" for v in check(cases) if not v.ok] == []


def test_a_quick_check_finds_faults_of_kernels() -> None:
    assert len(planted_in(FOR_QUICK, "cuda")) >= 15
    reasons = {target: quick_breaches(planted_in(FOR_QUICK, target), target, "f32") for target in ("cuda", "ascendc")}
    assert "" not in reasons["cuda"] + reasons["ascendc"]


MISSED_BY_FIRST = {
    ("binary_cross_entropy_with_logits", "the exponential of a positive number"),
    ("normalize", "eps dropped"),
}
"""The adversarial case of a loss is of ties alone: one number has room for one kind. Of normalize's constant rows none is 0."""


def test_the_first_cases_find_faults_of_texts() -> None:
    """A sample; all of them, below."""
    chosen = tuple(f for f in IN_TEXTS[3::6] if (f.op, f.fault) not in MISSED_BY_FIRST)
    assert "" not in quick_breaches(chosen, "cpu", "f32")


def test_a_fault_that_no_case_holds_is_an_error() -> None:
    with pytest.raises(UolError, match="is in no kernel of a quick check of add"):
        quick_breaches([replace(FOR_QUICK[0], op="add")], "cuda", "f32")


def test_what_is_missed_is_counted(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    right = replace(FOR_QUICK[0], planted=FOR_QUICK[0].text, fault="none")
    monkeypatch.setattr(planted_faults, "faults_in", lambda where: (right, FOR_QUICK[0]))
    assert planted_faults.main(["--quick", "--target", "cuda"]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "cuda: 1 of 2 found, 0 refused"


def test_a_fault_that_is_nowhere_to_be_put_is_an_error() -> None:
    fault = replace(next(f for f in IN_TEXTS if f.op == "layer_norm" and f.fault == "eps dropped"), text="sqrt(variance)")
    with pytest.raises(UolError, match=r"layer_norm: eps dropped: `sqrt\(variance\)` is not in the text of layer_norm"):
        breaches([fault], "cpu", "f32")


@pytest.mark.soak
def test_random_inputs_do_not_find_what_is_unseen_by_them() -> None:
    found = breaches(IN_TEXTS, "cpu", "f32", "random")
    assert [str(f) for f, reason in zip(IN_TEXTS, found, strict=True) if f.unseen == bool(reason)] == []


@pytest.mark.soak
@pytest.mark.parametrize("target", registry.names())
def test_each_is_found_on_every_target(target: str) -> None:
    assert not missed(IN_TEXTS, target)


@pytest.mark.soak
def test_the_first_cases_find_nearly_all_faults_of_texts() -> None:
    reasons = quick_breaches(IN_TEXTS, "cpu", "f32")
    assert {(f.op, f.fault) for f, reason in zip(IN_TEXTS, reasons, strict=True) if not reason} == MISSED_BY_FIRST


@pytest.mark.soak
@pytest.mark.parametrize("target", TWINS)
def test_every_fault_of_kernels_is_found(target: str) -> None:
    assert not missed(planted_in((*IN_KERNELS, *OF_PRECISION), target), target)
    assert "" not in quick_breaches(planted_in(FOR_QUICK, target), target, "f32")
