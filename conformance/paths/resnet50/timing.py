"""Times of networks beside each other, step by step, in turns."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

Action = Callable[[], object]


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
