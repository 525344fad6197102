"""Vector clocks of the pipes: what each pipe knows of how far the others have come.

    clock[p][q] >= t    p issues nothing before q has finished its first t instructions

A flag from q to p raises clock[p] to what q knows and has done; a barrier of p raises clock[p][p] to all that p has issued.
"""

from __future__ import annotations

from collections.abc import Mapping

from uol.backends.ascendc.machine import Pipe

PIPES: tuple[Pipe, ...] = ("S", "V", "M", "MTE1", "MTE2", "MTE3", "FIX")
ORDERED: frozenset[Pipe] = frozenset({"S", "M", "MTE1", "MTE3", "FIX"})
"""Pipes whose instructions need no barrier against each other here: Mmad's own rule is the cube generator's, the others
never touch a region twice without another pipe between."""

Clock = dict[Pipe, int]


class Clocks:
    """The progress of every pipe, and what every pipe knows of it."""

    def __init__(self) -> None:
        self.time: Clock = dict.fromkeys(PIPES, 0)
        self.known: dict[Pipe, Clock] = {p: dict.fromkeys(PIPES, 0) for p in PIPES}

    def issue(self, pipe: Pipe) -> int:
        """One more instruction of the pipe; its number."""
        self.time[pipe] += 1
        return self.time[pipe]

    def ordered(self, source: Pipe, time: int, pipe: Pipe) -> bool:
        """Does what `pipe` issues now come after the source's instruction of that number?"""
        return (source == pipe and pipe in ORDERED) or self.known[pipe][source] >= time

    def barrier(self, pipe: Pipe) -> None:
        self.known[pipe][pipe] = self.time[pipe]

    def told_by(self, pipe: Pipe) -> Clock:
        """What a flag set by the pipe now tells: all that it knows, and all that it has done."""
        return {**self.known[pipe], pipe: self.time[pipe]}

    def learn(self, pipe: Pipe, news: Clock) -> None:
        """A flag arrives. A wait on S holds back all later issue, so that every pipe learns what S does."""
        for listener in PIPES if pipe == "S" else (pipe,):
            clock = self.known[listener]
            for other, time in news.items():
                clock[other] = max(clock[other], time)

    def snapshot(self) -> dict[Pipe, Clock]:
        return {p: dict(c) for p, c in self.known.items()}

    def forget(self, before: Mapping[Pipe, Clock]) -> None:
        """After code that may not have run: only what was known before it."""
        for pipe, clock in before.items():
            self.known[pipe] = {p: min(t, self.known[pipe][p]) for p, t in clock.items()}
