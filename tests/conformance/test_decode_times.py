"""Attention of one query and many keys takes little more than the time of its bytes, by the model."""

from __future__ import annotations

import pytest

from uol.conformance.gap.decode_times import LEAST_BLOCKS, MOST, decode_time, heads_in, main


@pytest.mark.parametrize("target", ["cuda:a100", "hip:mi250x"])
@pytest.mark.parametrize(("dtype", "form"), [("f16", "plain"), ("bf16", "plain"), ("f16", "lengths"), ("bf16", "pages")])
def test_decoding_is_bound_by_the_bytes_of_keys_and_values(target: str, dtype: str, form: str) -> None:
    time = decode_time(target, dtype, 8, (32, 8, 128), 8192, form)
    assert time.ratio <= MOST
    assert time.blocks >= LEAST_BLOCKS


def test_bytes_are_those_of_operands_and_results() -> None:
    time = decode_time("cuda:a100", "f16", 2, (4, 2, 64), 512)
    assert time.bytes_seconds == pytest.approx(2 * (2 * 2 * 2 * 512 * 64 + 2 * 2 * 4 * 64) / 1764e9)


def test_what_takes_longer_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--batch", "1", "--keys", "256", "--heads", "2:2:64,4:1:64", "--dtype", "f32", "--target", "cuda:a100"]
    given += ["--form", "plain"]
    assert main(given) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert all(line.endswith("MISSED") for line in lines)


def test_heads_of_queries_are_a_multiple_of_those_of_keys() -> None:
    assert heads_in("32:8:128,2:2:64") == [(32, 8, 128), (2, 2, 64)]
    with pytest.raises(ValueError, match="3:2:64"):
        heads_in("3:2:64")
