"""Times of two things beside each other: A B A B, so that a change of clock or load meets both."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median

Action = Callable[[], object]


def interleaved_us(actions: Mapping[str, Action], *, rounds: int, warm_up: int = 2, budget_s: float = 1e9) -> dict[str, float]:
    """The median time of each action in microseconds; see `samples_us`."""
    return {n: median(t) for n, t in samples_us(actions, rounds=rounds, warm_up=warm_up, budget_s=budget_s).items()}


def low_decile(times: Sequence[float]) -> float:
    """What a tenth of the times stay below: the time on a machine that others leave alone."""
    return sorted(times)[len(times) // 10]


def samples_us(
    actions: Mapping[str, Action], *, rounds: int, warm_up: int = 2, budget_s: float = 1e9
) -> dict[str, list[float]]:
    """The times of each action in microseconds, over at most `rounds` rounds of all of them in turn.

    Rounds end early, after three at least, when `budget_s` seconds have passed.
    """
    for action in actions.values():
        for _ in range(warm_up):
            action()
    times: dict[str, list[float]] = {name: [] for name in actions}
    end = time.perf_counter() + budget_s
    for number in range(rounds):
        for name, action in actions.items():
            start = time.perf_counter()
            action()
            times[name].append((time.perf_counter() - start) * 1e6)
        if number >= 2 and time.perf_counter() > end:
            break
    return times
