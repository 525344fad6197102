"""A warning, once, where an operator is compiled again and again: which dim changes."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field

LIMIT = 16
"""Kernels of one operator that a model may need before it looks like a dim that changes with every call."""


class RecompileWarning(UserWarning):
    """An operator is compiled for one size after another."""


@dataclass(slots=True)
class RecompileWatch:
    """Counts the sizes that one operator was compiled for."""

    op: str
    seen: list[dict[str, int]] = field(default_factory=list)
    warned: bool = False

    def note(self, dims: Mapping[str, int]) -> None:
        """A kernel is being compiled for these dims."""
        self.seen.append(dict(dims))
        if self.warned or len(self.seen) <= LIMIT:
            return
        self.warned = True
        name, sizes = self._most_varied()
        warnings.warn(
            f"uol.ops.{self.op} was compiled {len(self.seen)} times; {name} changes: {', '.join(map(str, sizes))}. "
            "Kernels are made for fixed sizes: pad to a few sizes, or batch alike ones",
            RecompileWarning,
            stacklevel=4,
        )

    def _most_varied(self) -> tuple[str, list[int]]:
        names = dict.fromkeys(name for dims in self.seen for name in dims)
        values = {name: list(dict.fromkeys(d[name] for d in self.seen if name in d)) for name in names}
        name = max(values, key=lambda n: len(values[n]), default="nothing")
        return name, values.get(name, [])[-6:]
