"""Two records of packs beside each other: is the second worse?"""

from __future__ import annotations

from dataclasses import dataclass

from uol.conformance.packs.record import CardRecord, Measured
from uol.ir.errors import UolError


@dataclass(frozen=True, slots=True)
class Change:
    """A case that both records have."""

    before: Measured
    after: Measured

    @property
    def ratio(self) -> float | None:
        """The second's time over the first's: above 1 is slower. None where one has no time."""
        return self.after.time.median / self.before.time.median if self.before.time and self.after.time else None

    @property
    def fails(self) -> bool:
        """Did it pass before, and not now?"""
        return self.before.passed and not self.after.passed

    def is_worse(self, most: float) -> bool:
        """Does it fail now, or take more than so many times as long?"""
        return self.fails or (self.ratio is not None and not self.ratio <= most)


@dataclass(frozen=True, slots=True)
class Comparison:
    """`gone` are cases of the first record alone, `come` of the second."""

    changes: tuple[Change, ...]
    gone: tuple[str, ...]
    come: tuple[str, ...]

    def worse(self, most: float) -> tuple[Change, ...]:
        """The cases that are worse: failures first, then the slowest."""
        found = [change for change in self.changes if change.is_worse(most)]
        return tuple(sorted(found, key=lambda c: (not c.fails, -(c.ratio or 0.0))))


def compared(before: CardRecord, after: CardRecord) -> Comparison:
    """The cases of two records by their names. Raises UolError where they have none in common."""
    first, second = ({case.name: case for case in record.cases} for record in (before, after))
    both = [name for name in first if name in second]
    if not both:
        raise UolError("the records have no case in common", hint="they are comparable where their packs hold the same cases")
    changes = tuple(Change(first[name], second[name]) for name in both)
    return Comparison(changes, tuple(n for n in first if n not in second), tuple(n for n in second if n not in first))
