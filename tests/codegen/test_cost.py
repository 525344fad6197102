"""The time of counts by rates: by hand, on a device with round figures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from uol.codegen.backend import Device, Rate
from uol.codegen.cost import time_of
from uol.codegen.work import Issued, exactly
from uol.ir.integers.intervals import Interval


def device(**rates: tuple[float, str]) -> Device:
    return Device("d", "a", 10, 0, {n.replace("_", "-"): Rate(v, u, "a test", "computed") for n, (v, u) in rates.items()})


ROUND = device(bandwidth=(2, "GB/s"), cache=(4, "GB/s"), f32_vector=(1, "TFLOP/s"), shuffle=(1, "G/s"), launch=(3, "us"))


def issued(**counts: Any) -> Issued:
    return replace(Issued(0, exactly(0), exactly(0), blocks=10), **counts)


@pytest.mark.parametrize(
    ("counts", "bound", "seconds"),
    [
        (issued(memory_bytes=2000), "memory", 1e-6),
        (issued(read_bytes=exactly(6000), written_bytes=exactly(2000)), "cache", 2e-6),
        (issued(read_bytes=Interval(0, 8000)), "cache", 1e-6),  # at its middle
        (issued(read_bytes=Interval(4000, None)), "cache", 1e-6),
        (issued(operations={"f32-vector": exactly(5_000_000)}), "f32-vector", 5e-6),
        (issued(operations={"f32-matrix": exactly(5_000_000)}), "f32-matrix", 5e-6),  # no such unit: the vectors'
        (issued(operations={"special": exactly(10**9)}, primitives={"shuffle": exactly(2000)}), "shuffle", 2e-6),
        (issued(operations={"f32-vector": exactly(10**6)}, blocks=11, waves=2), "f32-vector", 20 / 11 * 1e-6),  # 9 cores wait
        (issued(memory_bytes=2000, blocks=1, waves=1), "memory", 1e-6),  # memory is not the cores'
    ],
)
def test_a_kernel_takes_as_long_as_its_longest_part(counts: Issued, bound: str, seconds: float) -> None:
    time = time_of(counts, ROUND)
    assert time.bound == bound
    assert time.parts[bound] == pytest.approx(seconds)
    assert time.seconds == pytest.approx(seconds + 3e-6)


def test_blocks_that_are_on_a_core_together_wait_together() -> None:
    waiting = device(latency=(2, "us"))
    assert time_of(issued(blocks=1000, waves=100), waiting).seconds == pytest.approx(200e-6)
    assert time_of(issued(blocks=1000, waves=100, resident=16), waiting).seconds == pytest.approx(14e-6)


def test_a_block_waits_for_memory_as_often_as_it_is_said_to() -> None:
    waiting = device(latency=(2, "us"))
    assert time_of(issued(blocks=1000, waves=100, resident=16, waits=5), waiting).seconds == pytest.approx(70e-6)


def test_what_the_cache_does_not_hold_passes_memory_again() -> None:
    assert time_of(issued(memory_bytes=2000, again_bytes=6000), ROUND).parts["memory"] == pytest.approx(4e-6)


def test_the_bandwidth_of_streams_goes_before_that_of_the_data_sheet() -> None:
    streamed = device(bandwidth=(2, "GB/s"), bandwidth_streamed=(1, "GB/s"))
    assert time_of(issued(memory_bytes=1000), streamed).seconds == pytest.approx(1e-6)


def test_what_a_best_time_is_made_from_changes_no_time() -> None:
    """`uol gap` holds times against it: a figure that stood in both would cancel."""
    counts = issued(memory_bytes=2000, operations={"f32-vector": exactly(10**6), "f16-matrix": exactly(10**6)})
    plain = device(bandwidth=(2, "GB/s"), f16_matrix=(1, "TFLOP/s"), f32_vector=(1, "TFLOP/s"), launch=(3, "us"))
    attained = {name + "-attained": replace(rate, value=rate.value / 1000) for name, rate in plain.rates.items()}
    assert time_of(counts, replace(plain, rates={**plain.rates, **attained})) == time_of(counts, plain)


def test_a_device_of_which_nothing_is_known_takes_no_time() -> None:
    assert time_of(issued(memory_bytes=1000), device()).seconds == 0
