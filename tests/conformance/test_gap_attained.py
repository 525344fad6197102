"""T_ref of one launch, from what a device attains and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from uol.codegen.backend import Device, Rate
from uol.compilation.request import resolve_target
from uol.conformance.gap.attained import attained_of, best_of
from uol.conformance.gap.measure import ceiling_of, devices
from uol.conformance.gap.reference.timed import TimedGroup
from uol.ir.errors import UolError

RATES = {
    "bandwidth": Rate(2, "GB/s", "here", "vendor"),
    "bandwidth-attained": Rate(1, "GB/s", "here", "measured"),
    "f16-matrix": Rate(8, "TFLOP/s", "here", "vendor"),
    "f16-matrix-attained": Rate(4, "TFLOP/s", "here", "measured"),
    "launch": Rate(9, "us", "here", "measured"),
    "launch-attained": Rate(3, "us", "here", "measured"),
}
DEVICE = Device("toy", "toy", 1, 0, RATES)


@pytest.mark.parametrize(
    ("moved", "operations", "microseconds", "bound"),
    [(2000, 4_000_000, 2, "memory"), (1000, 20_000_000, 5, "matrix"), (1000, 0, 1, "memory")],
)
def test_t_ref_is_the_longer_of_bytes_and_products_and_a_launch(
    moved: int, operations: int, microseconds: int, bound: str
) -> None:
    found = best_of(moved, operations, attained_of(DEVICE, "f16"))
    assert found.seconds == pytest.approx((microseconds + 3) * 1e-6)
    assert (found.launch, found.bound) == (pytest.approx(3e-6), bound)


def test_what_no_one_has_published_is_not_made_up() -> None:
    """The data sheet's rate is nothing that a device attains."""
    with pytest.raises(UolError, match="toy has no rate 'bf16-matrix-attained'"):
        attained_of(DEVICE, "bf16")
    without = {name: rate for name, rate in RATES.items() if name != "bandwidth-attained"}
    with pytest.raises(UolError, match="has no rate 'bandwidth-attained'"):
        attained_of(Device("toy", "toy", 1, 0, without), "f16")


@pytest.mark.parametrize("dtype", ["f16", "bf16"])
def test_every_device_of_a_gap_has_what_t_ref_takes(dtype: str) -> None:
    for name in devices().all:
        found = attained_of(resolve_target(name).device, dtype)
        assert set(found.rates) == {"memory", "matrix", "launch"}


def test_the_ceiling_is_what_the_models_rates_leave_of_a_perfect_kernel() -> None:
    """2 us of bytes at 1 GB/s attained are 1 us at 2 GB/s streamed; a launch of 3 us is one of 9."""
    device = Device("toy", "toy", 1, 0, {**RATES, "bandwidth-streamed": Rate(2, "GB/s", "here", "measured")})
    best = best_of(2000, 0, attained_of(device, "f16"))
    streams = TimedGroup("copy", "copy", "forward", 2000, 0, best.seconds, best.launch, best.bound)
    assert ceiling_of([streams], "f16", device) == pytest.approx((2 + 3) / (1 + 9))
    assert ceiling_of([streams, replace(streams, phase="optimiser", bytes=10**9)], "f16", device) == pytest.approx(0.5)
    products = replace(streams, bytes=0, operations=40_000_000, seconds=13e-6)  # 10 us at 4 TFLOP/s, 5 at the peak of 8
    assert ceiling_of([products], "f16", device) == pytest.approx((10 + 3) / (5 + 9))
