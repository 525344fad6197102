"""Which dims of an operator change from call to call.

A kernel that is made for its sizes is faster than one that takes them as arguments: by little where rows or pictures vary in
number, by up to twice where inner dims of a contraction do (`python -m uol.conformance.any_size`). And the layers of a model
are of few sizes. So a dim is a number in kernels at first, and becomes an argument with its fifth size, all else alike: from
then on one kernel serves every size of it, and a warning says so once. Two dims that change together count as one, as height
and width of pictures do.
"""

from __future__ import annotations

import warnings
from collections import defaultdict, deque
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field

LIMIT = 4
"""Sizes of a dim, the others alike, before it looks like a dim that changes with every call."""

TOGETHER = 2
"""Dims that may change together. Layers of one model differ in more: in channels, filters, height and width."""

REMEMBERED = 512
"""Kernels of fixed sizes, the latest ones, that a new size is compared with."""


class RecompileWarning(UserWarning):
    """An operator was compiled for one size after another."""


@dataclass(slots=True)
class RecompileWatch:
    """What kernels of one operator were made for: everything but the dims, and the dims."""

    op: str
    made: deque[tuple[Hashable, dict[str, int]]] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    warned: bool = False

    def note(self, dims: Mapping[str, int], all_else: Hashable = None, *, symbolic: bool) -> frozenset[str]:
        """A kernel is wanted for these dims; those that are to be its arguments. `symbolic`: has the target such kernels?"""
        families: dict[frozenset[str], list[dict[str, int]]] = defaultdict(list)
        for else_, other in self.made:
            if else_ == all_else and other.keys() == dims.keys():
                families[frozenset(name for name in dims if dims[name] != other[name])].append(other)
        varying: set[str] = set()
        for changed, members in families.items():
            if not 0 < len(changed) <= TOGETHER:
                continue
            sizes = _apart(tuple(m[name] for name in sorted(changed)) for m in members)
            if len(sizes) >= LIMIT:
                varying |= changed
                self._warn(sorted(changed), [*sizes, tuple(dims[name] for name in sorted(changed))], symbolic)
        if not varying and frozenset() not in families:
            self.made.append((all_else, dict(dims)))
        return frozenset(varying)

    def _warn(self, names: list[str], sizes: list[tuple[int, ...]], symbolic: bool) -> None:
        if self.warned:
            return
        self.warned = True
        last = ", ".join("x".join(map(str, size)) for size in sizes[-4:])
        advice = "Kernels are made for fixed sizes"
        if symbolic:
            advice = "One kernel serves all of them from now on; where it is too slow"
        warnings.warn(
            f"uol.ops.{self.op} was asked for {len(sizes)} sizes of {' x '.join(names)} (the last ones {last}), all else "
            f"alike. {advice}: pad to a few of them",
            RecompileWarning,
            stacklevel=4,
        )


def _apart(sizes: Iterable[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Those that differ in every dim from all that were taken before."""
    taken: list[tuple[int, ...]] = []
    for size in sizes:
        if all(a != b for other in taken for a, b in zip(size, other, strict=True)):
            taken.append(size)
    return taken
