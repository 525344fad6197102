"""Pointers and places that a loop moves on by as much in each turn: in a turn that is read behind others that are not, they are
where so many steps have taken them.

    for (int tile = 0; tile < tiles; ++tile) {
      uol::copy_async<16>(shared + to, from);
      from += N * 32;                             in turn 100 it is 100 N * 32 behind its first place
    }
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from uol.backends.simt.reading.counts import Ints
from uol.backends.simt.reading.expressions import Expressions
from uol.backends.simt.reading.lanes import Value, computed
from uol.backends.simt.reading.loops import set_in, steps_in
from uol.backends.simt.reading.syntax import Element, Loop, Name, Simple, walk

Kept = dict[tuple[str, int | None], Value]
"""Values by name, and index of an array's element."""


def stepped_in(loop: Loop) -> frozenset[str]:
    """Names and arrays of which every assignment in a loop adds what the loop does not change."""
    changed, stepped, others = set_in(loop), set[str](), set[str]()
    for step in steps_in(loop.body):
        name = step.target.name if isinstance(step.target, Name) else step.target.array if step.target is not None else ""
        (stepped if _is_step(step, changed) else others).add(name)
    return frozenset(stepped - others)


def _is_step(step: Simple, changed: frozenset[str]) -> bool:
    if step.update not in ("+=", "-=") or step.value is None or step.dtype:
        return False
    parts = list(walk(step.value))
    return not any(isinstance(part, Element) or (isinstance(part, Name) and part.name in changed) for part in parts)


@dataclass(slots=True)
class Steps:
    """What a loop moves on: the values in its first turn, and by how much that moves them."""

    reading: Expressions
    names: frozenset[str]
    first: Kept = field(init=False)
    by: dict[tuple[str, int | None], Ints] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.first = self._now()

    def found(self) -> None:
        """Behind the first turn."""
        for key, after in self._now().items():
            before = self.first.get(key)
            if isinstance(before, np.ndarray) and isinstance(after, np.ndarray):
                self.by[key] = after - before

    def go_to(self, turn: int) -> None:
        """Everything is where it is in front of a turn."""
        for (name, index), value in self.first.items():
            step = self.by.get((name, index))
            if turn and step is None:
                continue
            now = value if step is None else computed("+", (value, turn * step))
            if index is None:
                self.reading.values[name] = now
            else:
                self.reading.flags.held[name, index] = now

    def _now(self) -> Kept:
        values, flags = self.reading.values, self.reading.flags
        found: Kept = {(name, None): values[name] for name in self.names if name in values}
        return found | {(name, index): value for name in self.names for index, value in flags.of(name).items()}
