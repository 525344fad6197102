"""Times of things beside each other: A B A B, so that a change of clock or load meets all."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

Action = Callable[[], object]


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


def pass_us(networks: Mapping[str, Mapping[str, Action]], *, rounds: int, warm_up: int = 2) -> dict[str, dict[str, float]]:
    """The times of the steps of whole passes, in microseconds, by network and step: all steps of a network in order, by one
    clock that goes on from step to step, so that they add up to the pass. Of each network's `rounds` passes the one is given
    that was disturbed least, by its total; the networks take turns.
    """
    passes: dict[str, list[dict[str, float]]] = {name: [] for name in networks}
    for number in range(warm_up + rounds):
        for name, steps in networks.items():
            times: dict[str, float] = {}
            last = time.perf_counter()
            for step, action in steps.items():
                action()
                now = time.perf_counter()
                times[step] = (now - last) * 1e6
                last = now
            if number >= warm_up:
                passes[name].append(times)
    return {name: min(found, key=lambda times: sum(times.values())) for name, found in passes.items()}
