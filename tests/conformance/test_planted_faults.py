"""Planted faults of numerics are found, each by the kind of inputs that is meant for it, and a right operator passes there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from uol.backends import registry
from uol.conformance.planted_faults import Fault, breaches, faults
from uol.ir.errors import UolError

IN_TEXTS = tuple(f for f in faults() if f.where == "text")
IN_KERNELS = tuple(f for f in faults() if f.where == "kernel")
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
