"""The command that sets a layer over ranks beside one rank: its exit status."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NoReturn

import pytest

from uol.conformance.paths.moe import ranks
from uol.conformance.paths.moe.exchange import RankError
from uol.ir.errors import UolError


def failing(error: UolError) -> Callable[..., NoReturn]:
    def compare(*given: object) -> NoReturn:
        raise error

    return compare


@pytest.mark.parametrize(
    ("compare", "status"),
    [
        (lambda *given: True, 0),
        (lambda *given: False, 1),
        (failing(UolError("8 experts cannot be divided among 3 ranks")), 2),
        (failing(RankError("rank 0 of 2 waited", hint="start all of them again")), 3),
    ],
    ids=["as one rank", "not as one rank", "bad input", "a rank that is lost"],
)
def test_exit_status(
    compare: Callable[..., bool], status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["ranks", "narrow"])
    monkeypatch.setattr(ranks.distributed, "init_process_group", lambda *given, **options: None)
    monkeypatch.setattr(ranks.distributed, "destroy_process_group", lambda: None)
    monkeypatch.setattr(ranks, "compare", compare)
    assert ranks.main() == status
    error = capsys.readouterr().err
    assert ("start all of them again" in error) == (status == 3)
    assert bool(error) == (status > 1)
