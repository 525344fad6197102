"""A warning, once, where an operator is compiled for one size after another: which dim changes."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

LIMIT = 8
"""Sizes of one dim, the others alike, before it looks like a dim that changes with every call."""

Others = tuple[str, frozenset[tuple[str, int]]]


class RecompileWarning(UserWarning):
    """An operator is compiled for one size after another."""


@dataclass(slots=True)
class RecompileWatch:
    """The sizes that one operator was compiled for: for each dim and sizes of the others, in order."""

    op: str
    sizes: dict[Others, dict[int, None]] = field(default_factory=lambda: defaultdict(dict))
    warned: bool = False

    def note(self, dims: Mapping[str, int]) -> None:
        """A kernel is being compiled for these dims."""
        for name, size in dims.items():
            others = frozenset(pair for pair in dims.items() if pair[0] != name)
            seen = self.sizes[name, others]
            seen[size] = None
            if len(seen) > LIMIT and not self.warned:
                self._warn(name, list(seen))

    def _warn(self, name: str, sizes: list[int]) -> None:
        self.warned = True
        last = ", ".join(map(str, sizes[-4:]))
        warnings.warn(
            f"uol.ops.{self.op} was compiled for {len(sizes)} sizes of {name} (the last ones {last}), all else alike. "
            "Kernels are made for fixed sizes: pad to a few of them",
            RecompileWarning,
            stacklevel=4,
        )
