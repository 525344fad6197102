"""Every recorded call of a path computes rows of its reference, by calls.toml, or it is an error that says which."""

from __future__ import annotations

import pytest
import torch

from uol.conformance.gap.assignment import assigned
from uol.conformance.gap.calls import entries_of, read_entries
from uol.conformance.gap.closed_forms import sizes_of, value_of
from uol.conformance.gap.measure import recorded_sizes, reference_rows
from uol.conformance.gap.reference.graph import Phase
from uol.conformance.gap.rows import BESIDE, rows_of
from uol.conformance.paths import PATHS
from uol.conformance.paths.full_size import calls_of, full_size_of
from uol.conformance.paths.recorded import Call
from uol.ir.errors import UolError


@pytest.mark.parametrize(
    ("form", "value"), [("7", 7), ("2*N*C", 24), ("N + C/2*2", 7), ("(N - 1)**3", 8), ("min(N, C) + max(N, 10)", 13)]
)
def test_a_closed_form_is_arithmetic_on_dims(form: str, value: int) -> None:
    assert value_of(form, {"N": 3, "C": 4}) == value


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ("N*Q", "names Q, which is no dim"),
        ("N/2", "leaves a rest"),
        ("N/0", "leaves a rest"),
        ("N*", "no closed form"),
        ("N.real", "no closed form"),
        ("__import__('os')", "no closed form"),
        ("0.5*N", "no closed form"),
        ("N // 2", "no closed form"),
    ],
)
def test_nothing_else_is_one(form: str, message: str) -> None:
    with pytest.raises(UolError, match=message):
        value_of(form, {"N": 3})


def test_a_shape_is_forms_between_commas() -> None:
    assert sizes_of("N, 2*C, 1", {"N": 3, "C": 4}) == (3, 8, 1)
    assert sizes_of("", {}) == ()


TEXT = """
[rows.stages]
s = ["1", "2"]
C = ["W", "2*W"]
[sums.Total]
over = "stages"
each = "s*C"
[derived]
P = "Total + 1"
[[calls]]
computes = ["stage {s}"]
over = "stages"
phase = "forward"
recorded = "s"
of = [{ op = "relu", x = "C, 2" }]
[[calls]]
computes = []
phase = "forward"
recorded = "0"
of = [{ op = "exp", x = "P" }]
"""


def test_an_entry_over_rows_stands_once_for_each() -> None:
    first, second, beside = read_entries(TEXT, {"W": 5})
    assert (first.computes, second.computes) == (("stage 1",), ("stage 2",))
    assert second.of[0].shapes == {"x": (10, 2)} and beside.of[0].shapes == {"x": (26,)}  # P = 5 + 20 + 1
    assert (first.recorded, second.recorded) == (1, 2)


def test_a_call_is_of_one_entry_or_it_is_an_error() -> None:
    entries = read_entries(TEXT, {"W": 5})
    first, second = (Call("relu", (torch.empty(c, 2),), {}) for c in (5, 10))
    assert [e.computes for e in assigned([second, first, second], entries)] == [("stage 2",), ("stage 1",), ("stage 2",)]
    with pytest.raises(UolError, match="the calls of relu that compute 'stage 2' are 2, and 1 were recorded") as caught:
        assigned([first, second], entries)
    assert "calls.toml and its module have to agree" in str(caught.value)
    with pytest.raises(UolError, match="the call of relu on x 7x2 is of no entry"):
        assigned([Call("relu", (torch.empty(7, 2),), {})], entries)
    with pytest.raises(UolError, match="2 entries: .*'stage 1'; .*'stage 2'"):
        assigned([first], read_entries(TEXT.replace("C, 2", "5, 2"), {"W": 5}))


def test_what_was_called_before_tells_calls_of_one_shape_apart() -> None:
    text = """
[[calls]]
computes = ["narrow"]
phase = "forward"
recorded = "1"
of = [{ op = "relu", after = { op = "matmul", a = "2, 3" } }]
[[calls]]
computes = ["wide"]
phase = "forward"
recorded = "3"
of = [{ op = "matmul" }, { op = "relu", after = { op = "matmul", a = "2, 9" } }]
"""
    relu = Call("relu", (torch.empty(2, 2),), {})
    products = [Call("matmul", (torch.empty(2, k), torch.empty(k, 2)), {}) for k in (3, 9)]
    found = assigned([products[0], relu, products[1], relu], read_entries(text, {}))
    assert [entry.computes[0] for entry in found] == ["wide", "narrow", "wide", "wide"]
    with pytest.raises(UolError, match="the call of relu on x 2x2 is of no entry"):
        assigned([relu], read_entries(text, {}))


REFERENCE: dict[str, Phase] = {"one": "forward", "two": "forward", "three": "forward", "four": "backward"}


def entry(computes: str, phase: str = "forward", op: str = "relu") -> str:
    return f'[[calls]]\ncomputes = {computes}\nphase = "{phase}"\nrecorded = "1"\nof = [{{ op = "{op}" }}]\n'


def test_a_call_that_computes_of_several_rows_joins_them() -> None:
    text = entry('["two"]') + entry('["three", "one"]', op="exp") + entry('["four"]', "backward") + entry("[]", op="add")
    found = rows_of(REFERENCE, read_entries(text, {}))
    assert [(row.name, row.parts) for row in found] == [
        ("two", ("two",)),
        ("three + one", ("three", "one")),
        ("four", ("four",)),
        (BESIDE["forward"], ()),
    ]
    assert [[e.computes for e in entries] for entries in found.values()] == [[("two",)], [("three", "one")], [("four",)], [()]]
    chain = entry('["one", "two"]') + entry('["two", "three"]', op="exp") + entry('["four"]', "backward")
    assert [row.name for row in rows_of(REFERENCE, read_entries(chain, {}))] == ["one + two + three", "four"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (entry('["five"]'), "names 'five', which is no row of the reference"),
        (entry('["one", "two", "three"]'), "no call computes 'four'"),
        (entry('["four"]'), "'four' is of the backward pass, and calls.toml has its calls in the forward pass"),
        (entry('["one", "four"]'), "'four' is of the backward pass"),
    ],
)
def test_entries_and_reference_have_to_agree(text: str, message: str) -> None:
    with pytest.raises(UolError, match=message):
        rows_of(REFERENCE, read_entries(text, {}))


CASES = [(path, size) for path in PATHS for size in full_size_of(path).cases]


@pytest.mark.parametrize(("path", "size"), CASES)
def test_every_call_of_a_step_computes_rows_of_the_reference(path: str, size: str) -> None:
    entries = entries_of(path, full_size_of(path).cases[size])
    assigned(calls_of(path, size, "bf16"), entries)
    reference = reference_rows(path, size)
    rows = rows_of(reference, entries)
    assert {row.parts for row in rows if row.parts} == {(part,) for part in reference}, "no call of today computes of two rows"


def test_a_type_whose_products_nobody_has_timed_has_rows_too() -> None:
    """`uol explain --path` lists the kernels of f32, of which no device has an attained rate."""
    even, skewed = recorded_sizes("moe", "256 tokens", "f32")
    assert (even.case, skewed.case) == ("256 tokens", "256 tokens, Zipf") and even.size == skewed.size == "256 tokens"
    (form,) = even.forms["down"]
    assert form.inputs[0][0] == torch.float32
    assert even.forms["down"] != skewed.forms["down"], "data routes"
    assert even.forms["optimiser"] == skewed.forms["optimiser"]


def test_a_module_without_one_call_is_found() -> None:
    calls = [call for call in calls_of("moe", "256 tokens", "f16") if call.op != "moe_combine"]
    with pytest.raises(UolError, match="the calls of moe_combine that compute 'combine' are 1, and 0 were recorded"):
        assigned(calls, entries_of("moe", full_size_of("moe").cases["256 tokens"]))


def test_the_norms_of_a_stage_belong_to_the_convolutions_before_them() -> None:
    """All but the first norm within a block have one shape: of 1x1 and of 3x3 convolutions."""
    entries = entries_of("resnet50", full_size_of("resnet50").cases["batch 256"])
    calls = calls_of("resnet50", "batch 256", "f16")
    norms = [
        entry.computes[0]
        for call, entry in zip(calls, assigned(calls, entries), strict=True)
        if call.op == "batch_norm_relu_mixed_saving" and call.inputs[0].shape[1] == 128
    ]
    assert norms == ["stage 2: 1x1 convolutions", "stage 2: 3x3 convolutions"] * 4
