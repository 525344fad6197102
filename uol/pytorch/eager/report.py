"""Which calls went to `uol`, and which stayed PyTorch's, and why."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Report:
    """What became of the calls of PyTorch's functions within `uol.enabled`, by name. Views, and what reads no tensor, compute
    nothing and are not counted. `left` has the reason beside the name. Of `enabled(check=True)`, `checks` counts what was found
    right, by what it was held to; `unchecked` names what no bound was asked of, and why."""

    taken: Counter[str] = field(default_factory=Counter)
    left: Counter[tuple[str, str]] = field(default_factory=Counter)
    checks: Counter[str] = field(default_factory=Counter)
    unchecked: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def calls(self) -> int:
        """All that compute."""
        return self.taken.total() + self.left.total()

    @property
    def share(self) -> float:
        """The part of the calls that was taken; 1 where nothing computes."""
        return self.taken.total() / self.calls if self.calls else 1.0

    def __str__(self) -> str:
        lines = [f"{self.taken.total()} calls by uol, {self.left.total()} by PyTorch"]
        if self.taken:
            lines.append("  taken: " + ", ".join(f"{times} x {name}" for name, times in self.taken.most_common()))
        lines += [f"  left: {times} x {name}: {why}" for (name, why), times in self.left.most_common()]
        if self.checks:
            lines.append("  checked: " + ", ".join(f"{times} {what}" for what, times in self.checks.most_common()))
        lines += [f"  not checked: {times} x {name}: {why}" for (name, why), times in self.unchecked.most_common()]
        return "\n".join(lines)
