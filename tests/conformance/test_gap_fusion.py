"""A fusion across rows of the reference changes what a path takes, and nothing of what it is held against."""

from __future__ import annotations

from collections import Counter

import pytest

from uol.codegen.work import Issued, exactly
from uol.compilation.request import resolve_target
from uol.conformance.gap.calls import Entry, entries_of, read_entries
from uol.conformance.gap.measure import Devices, RecordedCase, gap_of_case, reference_rows
from uol.conformance.gap.model import CallForm, CountedCall, CountedKernel
from uol.conformance.gap.record import CaseGap
from uol.conformance.gap.rows import rows_of
from uol.conformance.paths.full_size import full_size_of

DEVICES = ("cuda:a100", "hip:mi250x")
BYTES = 1 << 30
"""What a kernel moves that stands in for any other one."""


def of_kernels(path: str, size: str, entries: tuple[Entry, ...], moved: dict[str, int]) -> CaseGap:
    """The gap of a step whose every call is one kernel that moves `BYTES`, or what `moved` says of its operator."""
    rows = rows_of(reference_rows(path, size), entries)
    forms = {
        row.name: Counter(CallForm(each.op, (), (("number", str(n)),)) for e in own for n, each in enumerate(e.of))
        for row, own in rows.items()
    }
    case = RecordedCase(path, size, size, "f16", "", tuple(rows), forms)
    counts = {(form, device): kernel(moved.get(form.op, BYTES)) for own in forms.values() for form in own for device in DEVICES}
    return gap_of_case(case, counts, Devices(DEVICES, ()))


def kernel(moved: int) -> CountedCall:
    issued = Issued(moved, exactly(moved), exactly(0), blocks=10_000, waves=1)
    return CountedCall((CountedKernel("stand-in", "Contract", "", issued),))


def rate(device: str, name: str) -> float:
    return resolve_target(device).device.rates[name].si


def best(found: CaseGap, device: str) -> float:
    return sum(row[device].reference.seconds for row in found.cells.values())


def taken(found: CaseGap, device: str) -> float:
    return sum(row[device].seconds or 0.0 for row in found.cells.values())


@pytest.mark.parametrize("device", DEVICES)
def test_a_gated_unit_within_the_product_after_it(device: str) -> None:
    """SwiGLU and the grouped product down as one kernel: what lies between them never passes memory."""
    size = "8192 tokens"
    apart = entries_of("moe", full_size_of("moe").cases[size])
    gone = {"moe_swiglu_saving", "grouped_matmul"}
    fused = """
[[calls]]
computes = ["gate and up", "down"]
phase = "forward"
recorded = "1"
of = [{ op = "moe_swiglu_down" }]
"""
    kept = tuple(e for e in apart if not gone & {each.op for each in e.of})
    before = of_kernels("moe", size, apart, {})
    after = of_kernels("moe", size, (*kept, *read_entries(fused, {})), {"moe_swiglu_down": 3 * BYTES // 2})
    assert best(after, device) == pytest.approx(best(before, device), rel=1e-12), "T_ref is counted once"
    saved = BYTES / 2 / rate(device, "bandwidth-streamed") + rate(device, "launch")
    assert taken(after, device) == pytest.approx(taken(before, device) - saved)
    assert after.eff(device) > before.eff(device)
    assert [row.name for row in after.rows if row.name not in before.cells] == ["gate and up + down"]
    joined = after.cells["gate and up + down"][device]
    parts = [before.cells[name][device].reference for name in ("gate and up", "down")]
    assert joined.reference.seconds == pytest.approx(sum(part.seconds for part in parts))
    assert not after.refused(device)


@pytest.mark.parametrize("device", DEVICES)
def test_statistics_within_the_convolution_before_them(device: str) -> None:
    """The norm reads what the convolution summed up: within a row, so that no rows are joined."""
    size = "batch 256"
    apart = entries_of("resnet50", full_size_of("resnet50").cases[size])
    before = of_kernels("resnet50", size, apart, {})
    after = of_kernels("resnet50", size, apart, {"batch_norm_relu_mixed_saving": BYTES // 2})
    assert list(after.cells) == list(before.cells)
    assert best(after, device) == pytest.approx(best(before, device), rel=1e-12)
    assert taken(after, device) < taken(before, device)
    assert after.eff(device) > before.eff(device)
