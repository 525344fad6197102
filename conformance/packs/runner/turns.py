"""A case and PyTorch's call of it, timed by turns in one process: A B A B.

Clocks of a card rise and fall within seconds, and with them every time that is taken; what is taken in one turn shares them.
The ratio is that of the medians of a turn, and its quartiles are over the turns. PyTorch's products are those of the vendor's
library (cuBLAS, rocBLAS or hipBLASLt), so that this is the ratio to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from uol.conformance.packs.runner.contents import Json
from uol.conformance.packs.runner.numbers import Array
from uol.conformance.packs.runner.timing import WARM_UP, Stopwatch, Times, samples_for, times_of
from uol.conformance.packs.runner.torch_times import Clock, fastest_beside

TURNS = 7
"""Of each side, at least."""
Sample = Callable[[int], list[float]]
"""Takes so many times of one side, in microseconds."""


@dataclass(frozen=True, slots=True)
class Timed:
    """The time of a call, and PyTorch's, or why there is none; `ratio` is PyTorch's over the call's, of each turn: above 1 the
    call is faster; `form` is PyTorch's way of writing it, where it has several, of which the fastest is taken."""

    own: Times
    other: Times | None = None
    reason: str = ""
    ratio: Times | None = None
    form: str = ""


@dataclass(frozen=True, slots=True)
class Timer:
    """What a process times cases with. `clock` is PyTorch's on `device`; `why_not` says why there is none."""

    stopwatch: Stopwatch
    clock: Clock | None
    why_not: str
    device: str

    def __call__(self, case: Json, inputs: Callable[[], Mapping[str, Array]], calls: Sequence[Callable[[], None]]) -> Timed:
        """Of a case: its calls, and PyTorch's on the same inputs."""
        if self.clock is None:
            return Timed(self.stopwatch.times(calls), reason=self.why_not)
        try:
            theirs = fastest_beside(case, inputs(), self.device, self.clock)
            timed = by_turns(partial(self.stopwatch.samples, calls), partial(self.clock, theirs.calls))
            return replace(timed, form=theirs.form)
        except LookupError as error:
            return Timed(self.stopwatch.times(calls), reason=str(error.args[0]) if error.args else "there is no call of it")
        except (ImportError, AttributeError, RuntimeError, TypeError, ValueError) as error:  # a PyTorch without the call
            said = str(error).strip().splitlines()
            return Timed(self.stopwatch.times(calls), reason=f"PyTorch: {said[0] if said else type(error).__name__}")


def by_turns(own: Sample, other: Sample) -> Timed:
    """Both sides after a warm-up, turn by turn."""
    counts = []
    for side in (own, other):
        counts.append(max(1, samples_for(side(WARM_UP)[-1]) // TURNS))
    turns = [(own(counts[0]), other(counts[1])) for _ in range(TURNS)]
    ratios = [times_of(theirs).median / times_of(ours).median for ours, theirs in turns]
    sides = ([sample for turn in turns for sample in turn[number]] for number in (0, 1))
    ours, theirs = map(times_of, sides)
    return Timed(ours, theirs, ratio=times_of(ratios))
