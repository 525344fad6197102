"""Which sizes an operator was compiled for, one by one, and what changes between them.

A dim is a number in kernels at first, and becomes an argument with its second size (rule 16 of the language): from then on
one kernel serves every size of it. That costs little (`python -m uol.conformance.any_size`), but for a dim of a few, where
other loops are best: each of those sizes has a kernel of its own. Where a dim cannot be an argument, all sizes have, and a
warning says so once.
"""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field

TOGETHER = 2
"""Dims that may change together, as height and width do. What differs in more is another layer."""

FEW = 8
"""Less is few: rows fewer than a register tile has, columns fewer than a vector."""

STORM = 8
"""Kernels for one size after another before it is a storm."""

REMEMBERED = 512
"""Kernels of fixed sizes, the latest ones, that a new size is compared with."""


class RecompileWarning(UserWarning):
    """An operator was compiled for one size after another."""


def are_few(dims: Mapping[str, int], names: Iterable[str]) -> bool:
    """Is one of these dims small?"""
    return any(dims[name] < FEW for name in names)


@dataclass(slots=True)
class RecompileWatch:
    """What kernels of fixed sizes of one operator were made for: everything but the dims, and the dims."""

    op: str
    made: deque[tuple[Hashable, dict[str, int]]] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    warned: bool = False

    def has(self, dims: Mapping[str, int], all_else: Hashable = None) -> bool:
        """Have these dims their own kernel?"""
        return (all_else, dims) in tuple(self.made)  # another thread may append

    def varying(self, dims: Mapping[str, int], all_else: Hashable = None) -> frozenset[str]:
        """The dims that have another size now, not a small one, all else alike: as few of them as may be; none where more is
        different."""
        changed = [names for names in self._changed(dims, all_else) if not are_few(dims, names)]
        return min(changed, key=len, default=frozenset())

    def note(self, dims: Mapping[str, int], all_else: Hashable = None) -> None:
        """A kernel is made for these dims."""
        if self.has(dims, all_else):
            return
        changed = self._changed(dims, all_else)
        self.made.append((all_else, dict(dims)))
        for names in changed:
            if not self.warned and changed.count(names) >= STORM:
                self.warned = True
                self._warn(sorted(names), all_else)

    def _changed(self, dims: Mapping[str, int], all_else: Hashable) -> list[frozenset[str]]:
        """In which dims these differ from those that kernels were made for, where that is in few."""
        others = [other for other in self._alike(all_else) if other.keys() == dims.keys()]
        changed = [frozenset(name for name in dims if dims[name] != other[name]) for other in others]
        return [names for names in changed if len(names) <= TOGETHER]

    def _alike(self, all_else: Hashable) -> list[dict[str, int]]:
        """The dims of the kernels that everything else is alike of; of another rank they have other names."""
        return [dims for else_, dims in tuple(self.made) if else_ == all_else]

    def _warn(self, names: list[str], all_else: Hashable) -> None:
        sizes = [[dims[name] for name in names] for dims in self._alike(all_else) if dims.keys() >= set(names)]
        last = ", ".join("x".join(map(str, each)) for each in sizes[-4:])
        warnings.warn(
            f"uol.ops.{self.op} was compiled for {STORM + 1} sizes of {' x '.join(names)} (the last ones {last}), all else "
            "alike. Kernels are made for fixed sizes here: pad to a few of them",
            RecompileWarning,
            stacklevel=5,
        )
