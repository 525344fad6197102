"""A B A B: contenders that take turns in one process, so that a change of clock, heat or load meets all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Run = Callable[[], object]
Clock = Callable[[], float]
WARM_UP = 2
"""Calls before the first turn: the first one compiles."""


@dataclass(frozen=True, slots=True)
class Turns:
    """How many turns each contender has, and how long one is: `seconds`, but `calls` at least. `clock` gives seconds."""

    count: int = 7
    seconds: float = 0.05
    calls: int = 3
    clock: Clock = time.perf_counter


def alternate(runs: Mapping[str, Run], turns: Turns) -> dict[str, list[list[float]]]:
    """The milliseconds of every call of each contender, turn by turn.

    >>> [len(turn) for turn in alternate({"nothing": lambda: None}, Turns(2, seconds=0, calls=5))["nothing"]]
    [5, 5]
    """
    for run in runs.values():
        for _ in range(WARM_UP):
            run()
    times: dict[str, list[list[float]]] = {name: [] for name in runs}
    for _ in range(turns.count):
        for name, run in runs.items():
            times[name].append(_turn(run, turns))
    return times


def _turn(run: Run, turns: Turns) -> list[float]:
    times: list[float] = []
    end = turns.clock() + turns.seconds
    while len(times) < turns.calls or turns.clock() < end:
        start = turns.clock()
        run()
        times.append((turns.clock() - start) * 1e3)
    return times


def low_decile(times: Sequence[float]) -> float:
    """What a tenth of the times stay below: the time on a machine that others leave alone."""
    return sorted(times)[len(times) // 10]
