"""Cases by turns: a part of a product of parameters in the suite, the rest in the soak; and which of them a session runs."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import pytest


def by_turns(every: int, *axes: Sequence[Any]) -> list[Any]:
    """For `pytest.mark.parametrize`: all combinations of the values of some axes. One in `every`, along the diagonals, is for
    `make test`, where each value of an axis meets one in `every` of another; the others are for `make soak`.

    >>> [case.values for case in by_turns(2, "ab", (1, 2, 3)) if not case.marks]
    [('a', 1), ('a', 3), ('b', 2)]
    """
    numbered = itertools.product(*map(enumerate, axes))
    return [
        pytest.param(*[value for _, value in case], marks=() if sum(n for n, _ in case) % every == 0 else pytest.mark.soak)
        for case in numbered
    ]


def asked_for(request: pytest.FixtureRequest, test: str, *names: str) -> list[tuple[Any, ...]]:
    """The parameters of those cases of a test of the fixture's module that this session runs, for a fixture that makes all of
    them ready together."""
    own = (item for item in request.session.items if item.path == request.path)
    items = [item for item in own if getattr(item, "originalname", "") == test]
    return [tuple(item.callspec.params[name] for name in names) for item in items]  # type: ignore[attr-defined]  # pytest's items with parameters
