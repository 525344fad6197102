"""Products of few rows take little more than the time of their bytes, by the model."""

from __future__ import annotations

import pytest

from uol.conformance.gap.few_row_times import LEAST_BLOCKS, MOST, few_row_time, main

DEVICES = ("cuda:a100", "hip:mi250x")


@pytest.mark.parametrize("target", DEVICES)
@pytest.mark.parametrize("op", ["linear", "matmul"])
@pytest.mark.parametrize(("dtype", "rows"), [("f16", 1), ("f16", 5), ("bf16", 16)])
def test_few_rows_are_bound_by_the_bytes_of_their_weights(op: str, target: str, dtype: str, rows: int) -> None:
    time = few_row_time(op, target, dtype, rows, 4096)
    assert time.ratio <= MOST
    assert time.blocks >= LEAST_BLOCKS


def test_bytes_are_those_of_operands_and_results() -> None:
    time = few_row_time("linear", "cuda:a100", "f16", 4, 1024)
    assert time.bytes_seconds == pytest.approx(2 * (1024 * 1024 + 1024 + 2 * 4 * 1024) / 1764e9)


def test_what_takes_longer_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--rows", "1,64", "--size", "256", "--dtype", "f32", "--target", "cuda:a100"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert all(line.endswith("MISSED") for line in lines)
