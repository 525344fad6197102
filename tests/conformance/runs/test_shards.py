"""Shards: every case is in one of them, whatever other cases there are."""

from __future__ import annotations

import pytest

from uol.conformance.cases.selection import Selection, plan
from uol.conformance.runs.shards import Shard, read_shard
from uol.ir.errors import UolError

NAMES = [f"softmax f32 softmax[S={n}, C=33] on random inputs" for n in range(3000)]


@pytest.mark.parametrize("of", [1, 2, 3, 8])
def test_every_case_is_in_one_shard_and_shards_are_of_about_one_size(of: int) -> None:
    shards = [[name for name in NAMES if Shard(number, of).takes(name)] for number in range(1, of + 1)]
    assert sorted(name for shard in shards for name in shard) == sorted(NAMES)
    assert all(abs(len(shard) - len(NAMES) / of) < 0.15 * len(NAMES) / of for shard in shards)


def test_a_plan_falls_apart_into_its_shards() -> None:
    whole = plan(Selection(("relu", "softmax", "sort"), ("cpu", "cuda")))
    parts = [whole.of(Shard(number, 3)) for number in (1, 2, 3)]
    assert sorted(str(case) for part in parts for case in part.cases) == sorted(map(str, whole.cases))
    assert [group for group in whole.groups if group in parts[1].groups] == list(parts[1].groups)


def test_a_shard_of_nothing_is_an_error() -> None:
    few = plan(Selection(("relu",), ("cpu",), first=True))
    with pytest.raises(UolError, match="no case is in shard"):  # more shards than there are cases
        [few.of(Shard(number, 3)) for number in (1, 2, 3)]


def test_shards_are_read_as_they_are_printed() -> None:
    assert read_shard(" 2/3 ") == Shard(2, 3)
    assert str(Shard(2, 3)) == "2/3"


@pytest.mark.parametrize("text", ["", "2", "0/3", "4/3", "1/0", "-1/3", "1/3/5", "a/b"])
def test_what_is_no_shard_is_a_message(text: str) -> None:
    with pytest.raises(UolError, match="no shard") as error:
        read_shard(text)
    assert "--shard 1/3 is the first of three" in error.value.report
