"""TF32 where it is allowed alone: `tf32=True`, and PyTorch's flags."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

import uol
from uol.backends import registry
from uol.bundle.manifest import manifest
from uol.bundle.regenerate import regenerated
from uol.codegen.backend import Footprint
from uol.compilation.request import resolve_target
from uol.compiler import Compiled
from uol.conformance.cases.truth import Truth
from uol.conformance.cases.twin_check import Outcome, Prepared, judge, outcomes, prepare
from uol.conformance.cases.verdict import Case
from uol.ops.inputs import Kind
from uol.ops.workloads import Workload
from uol.pytorch.bridge import defined, operator
from uol.pytorch.precision import is_tf32_allowed

ROUNDED = "uol::mma_16x8x16_tf32_tf32"
SIZES = {"S": (), "M": 40, "K": 264, "N": 36}


def matmul(target: str = "cuda", *, tf32: bool) -> Compiled:
    return uol.compile("matmul", target, "f32", SIZES, tf32=tf32)


@pytest.fixture
def flags() -> Iterator[None]:
    before = torch.get_float32_matmul_precision()
    yield
    torch.set_float32_matmul_precision(before)


def test_factors_are_rounded_where_that_is_allowed_alone() -> None:
    assert ROUNDED in matmul(tf32=True).source
    assert ROUNDED not in matmul(tf32=False).source


@pytest.mark.parametrize("target", [name for name in registry.names() if not registry.get(name).capability.tf32])
def test_a_machine_without_tf32_has_the_same_kernel(target: str) -> None:
    assert matmul(target, tf32=True).source == matmul(target, tf32=False).source


@pytest.mark.parametrize(("op", "dims"), [("matmul", SIZES), ("linear", {"S": (300,), "K": 512, "N": 136})])
def test_no_schedule_rounds_factors_unasked(op: str, dims: dict[str, object]) -> None:
    target = resolve_target("cuda")
    texts = [
        target.backend.render(spec, schedule, target.device).text
        for spec in uol.compile(op, "cuda", "f32", dims).module.graph.specs
        for schedule in target.backend.schedules(spec, target.device)
        if isinstance(target.backend.check(spec, schedule, target.device), Footprint)
    ]
    assert any("uol::mma_16x8x16_f32_f32" in text for text in texts)
    assert not any(ROUNDED in text for text in texts)


def outcome(prepared: Prepared) -> Outcome:
    (found,) = outcomes([prepared])
    assert isinstance(found, Outcome), found
    assert not found.findings
    return found


@pytest.mark.parametrize("inputs", ["wide", "random"])
def test_rounded_factors_are_a_fault_where_they_are_not_allowed(inputs: Kind) -> None:
    """By wide inputs and by drawn ones; where they are allowed they have a bound of their own, which factors of 8 bits miss."""
    whole = prepare(Case("matmul", "cuda", "f32", Workload("matmul", SIZES), inputs))
    assert judge(whole, outcome(whole), Truth()).status == "pass"
    allowed = prepare(replace(whole.case, tf32=True))
    rounded = replace(whole, compiled=allowed.compiled)  # on the addresses of `whole`, which units take
    found = outcome(rounded)
    assert judge(rounded, found, Truth()).status == "breach"
    assert judge(allowed, found, Truth()).status == "pass"
    narrow = {name: torch.from_numpy(each).bfloat16().double().numpy() for name, each in whole.values.items()}
    coarse = Outcome({"y": (narrow["a"] @ narrow["b"]).astype("float32")})
    if inputs == "random":  # wide ones are 1 in TF32 as in 8 bits
        assert judge(allowed, coarse, Truth()).status == "breach"


@pytest.mark.usefixtures("flags")
def test_pytorchs_flags_are_heeded() -> None:
    operator("matmul")  # defines it
    op, target = defined()["matmul"], resolve_target("cuda")
    tensors = torch.empty(40, 264), torch.empty(264, 36)
    keys = {}
    for precision, allows in (("highest", False), ("high", True), ("medium", True), ("highest", False)):
        torch.set_float32_matmul_precision(precision)
        assert is_tf32_allowed("cuda") is allows
        request = op.request(tensors, {}, target)
        assert request.tf32 is allows
        keys[precision] = request.key("module").digest
    assert keys["high"] == keys["medium"] != keys["highest"]
    torch.backends.cuda.matmul.allow_tf32 = True
    assert is_tf32_allowed("cuda")
    torch.backends.cuda.matmul.allow_tf32 = False
    assert not is_tf32_allowed("cuda")


def test_a_bundle_says_whether_factors_are_rounded() -> None:
    for tf32 in (False, True):
        record = manifest(matmul(tf32=tf32), {}, [], "", None)
        with regenerated(record) as again:
            assert again.compiled.request.tf32 is record["tf32"] is tf32
            assert (ROUNDED in again.compiled.source) is tf32
