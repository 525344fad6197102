"""Which nodes of compiled graphs ran where, and why not.

torch.compile(model, backend="uol")(x)
print(uol.pytorch.graph.report())
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from uol.pytorch.graph.plan import Step


@dataclass(frozen=True)
class GraphReport:
    """One graph. Nodes that compute, by who runs them; views and constants are not counted. `left`: how often which operator of
    PyTorch stayed, and why; `to_inductor`: the same of those that Inductor has. `texts` are those that were made for groups."""

    role: str
    in_texts: int
    by_library: int
    by_pytorch: int
    left: tuple[tuple[str, str, int], ...]
    texts: tuple[str, ...]
    library: tuple[str, ...]
    by_inductor: int = 0
    to_inductor: tuple[tuple[str, str, int], ...] = ()

    @classmethod
    def of(cls, role: str, steps: Sequence[Step]) -> GraphReport:
        """That of a graph's steps."""
        count: Counter[str] = Counter()
        for step in steps:
            count[step.kind] += len(step.nodes)
        texts = tuple(s.text for s in steps if s.kind == "text")
        library = tuple(s.name for s in steps if s.kind == "library")
        left, to_inductor = _left(steps, "pytorch"), _left(steps, "inductor")
        taken = (count["text"], count["library"], count["pytorch"])
        return cls(role, *taken, left, texts, library, count["inductor"], to_inductor)

    def __str__(self) -> str:
        taken = f"{self.in_texts} in {len(self.texts)} texts, {self.by_library} by the library"
        others = (
            f"{self.by_inductor} by Inductor, {self.by_pytorch} by PyTorch"
            if self.by_inductor
            else f"{self.by_pytorch} by PyTorch"
        )
        lines = [f"{self.role}: {taken}, {others}"]
        lines += [f"    {times} x {name} by Inductor: {why}" for name, why, times in self.to_inductor]
        return "\n".join([*lines, *(f"    {times} x {name}: {why}" for name, why, times in self.left)])


def _left(steps: Sequence[Step], kind: str) -> tuple[tuple[str, str, int], ...]:
    """How often which operator has steps of a kind, and why."""
    found = Counter((str(n.target), s.reason) for s in steps if s.kind == kind for n in s.nodes)
    return tuple((name, why, times) for (name, why), times in found.items())


@dataclass(frozen=True)
class Report:
    """All graphs since the last `reset`."""

    graphs: tuple[GraphReport, ...]

    @property
    def computing(self) -> int:
        """Nodes that compute."""
        return self.taken + sum(g.by_pytorch + g.by_inductor for g in self.graphs)

    @property
    def taken(self) -> int:
        """Those that run in kernels of `uol`."""
        return sum(g.in_texts + g.by_library for g in self.graphs)

    @property
    def share(self) -> float:
        """The part that is taken; 1 where nothing computes."""
        return self.taken / self.computing if self.computing else 1.0

    def __str__(self) -> str:
        return "\n".join(map(str, self.graphs)) if self.graphs else "no graph was compiled"


@dataclass
class _Noted:
    graphs: list[tuple[str, Sequence[Step]]] = field(default_factory=list)


_NOTED = _Noted()


def note(role: str, steps: Sequence[Step]) -> None:
    """A graph was compiled to these steps, of which its first call may leave some to PyTorch."""
    _NOTED.graphs.append((role, steps))


def report() -> Report:
    """What became of the graphs that were compiled."""
    return Report(tuple(GraphReport.of(role, steps) for role, steps in _NOTED.graphs))


def reset() -> None:
    """Forgets the graphs that were compiled."""
    _NOTED.graphs.clear()
