"""Times on the card: between two events of the stream, warmed up, on inputs that no cache holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from uol.backends.loading.card import Card

WARM_UP = 5
SAMPLES = 50
BUDGET_US = 250_000.0
"""What the samples of one case may take together, beyond the least number."""
LEAST_SAMPLES = 7
EVICTED_BYTES = 256 * 2**20
"""Written before each sample, twice the last cache at least. It takes the card about 100 us, in which the host enqueues what is
timed: no sample waits for the host."""


@dataclass(frozen=True, slots=True)
class Times:
    """Of one call, in microseconds: the median, the quartiles around it, the least; how many samples they are of."""

    median: float
    lower: float
    upper: float
    least: float
    samples: int

    def record(self) -> dict[str, float]:
        return asdict(self)


def times_of(samples: Sequence[float]) -> Times:
    """The figures of several samples.

    >>> times_of([3.0, 1.0, 2.0, 10.0, 4.0])
    Times(median=3.0, lower=2.0, upper=4.0, least=1.0, samples=5)
    """
    ordered = sorted(samples)
    last = len(ordered) - 1
    lower, median, upper = (ordered[round(share * last)] for share in (0.25, 0.5, 0.75))
    return Times(median, lower, upper, ordered[0], len(ordered))


def samples_for(first_us: float) -> int:
    """How many samples of a call that took so long the first time."""
    return max(LEAST_SAMPLES, min(SAMPLES, int(BUDGET_US / max(first_us, 1.0))))


@dataclass(slots=True)
class Stopwatch:
    """The events and the memory that timing takes, made once a process."""

    card: Card
    events: list[tuple[object, object]]
    scratch: int
    evicted: int

    @staticmethod
    def of(card: Card) -> Stopwatch:
        evicted = max(EVICTED_BYTES, 2 * card.cache_bytes)
        events = [(card.event(), card.event()) for _ in range(SAMPLES)]
        return Stopwatch(card, events, card.allocate(evicted), evicted)

    def times(self, calls: Sequence[Callable[[], None]]) -> Times:
        """Of calls that do the same on memory of their own, taken by turns."""
        first = self.samples(calls, WARM_UP)
        return times_of(self.samples(calls, samples_for(first[-1])))

    def samples(self, calls: Sequence[Callable[[], None]], count: int) -> list[float]:
        """So many times in microseconds, of calls by turns."""
        for number, (begin, end) in enumerate(self.events[:count]):
            self.card.fill(self.scratch, number & 0xFF, self.evicted)
            self.card.record(begin)
            calls[number % len(calls)]()
            self.card.record(end)
        self.card.synchronise()
        return [self.card.elapsed_us(begin, end) for begin, end in self.events[:count]]
