"""Which dims of an operator change from call to call.

A kernel that is made for its sizes is faster than one that takes them as arguments: by little where rows or pictures vary in
number, by far where the innermost dim of a contraction varies (`python -m uol.conformance.any_size`). And a model has few
sizes. So a dim is a number in kernels at first, and becomes an argument with its ninth size, all else alike: from then on one
kernel serves every size of it, and a warning says so once.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

LIMIT = 8
"""Sizes of one dim, the others alike, before it looks like a dim that changes with every call."""

Others = tuple[str, frozenset[tuple[str, int]]]


class RecompileWarning(UserWarning):
    """An operator was compiled for one size after another."""


@dataclass(slots=True)
class RecompileWatch:
    """The sizes that one operator was compiled for: for each dim and sizes of the others, in order."""

    op: str
    sizes: dict[Others, dict[int, None]] = field(default_factory=lambda: defaultdict(dict))
    warned: bool = False

    def note(self, dims: Mapping[str, int], *, symbolic: bool) -> frozenset[str]:
        """A kernel is wanted for these dims; those that have had more sizes than the limit. `symbolic`: has the target kernels
        with dims as arguments?"""
        varying: set[str] = set()
        for name, size in dims.items():
            others = frozenset(pair for pair in dims.items() if pair[0] != name)
            seen = self.sizes[name, others]
            if len(seen) <= LIMIT:
                seen[size] = None
            if len(seen) > LIMIT:
                varying.add(name)
                self._warn(name, list(seen), symbolic)
        return frozenset(varying)

    def _warn(self, name: str, sizes: list[int], symbolic: bool) -> None:
        if self.warned:
            return
        self.warned = True
        last = ", ".join(map(str, sizes[-4:]))
        advice = "Kernels are made for fixed sizes"
        if symbolic:
            advice = "One kernel serves all of them from now on; where it is too slow"
        warnings.warn(
            f"uol.ops.{self.op} was asked for {len(sizes)} sizes of {name} (the last ones {last}), all else alike. "
            f"{advice}: pad to a few of them",
            RecompileWarning,
            stacklevel=4,
        )
