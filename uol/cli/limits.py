"""What `uol doctor` says plainly: what no card has run, and which forms of PyTorch's functions have no text."""

from __future__ import annotations

from dataclasses import dataclass

from uol.backends import registry
from uol.conformance.cases.twin_check import has_twin
from uol.ops import signatures

RUN_ON: frozenset[str] = frozenset()
"""Products on which the library's kernels have run, "backend:device", with a record of `uol pack` in the repository: none."""


@dataclass(frozen=True, slots=True)
class Limits:
    """`not_run`: products by backend; `forms` of `functions` of PyTorch's have rows; `refused`: by function, the arguments that
    take some values alone, and those values."""

    not_run: dict[str, list[str]]
    functions: int
    forms: int
    refused: dict[str, dict[str, list[object]]]

    @classmethod
    def found(cls) -> Limits:
        """From the registry and the rows of `uol.ops.signatures`."""
        not_run: dict[str, list[str]] = {}
        for name in registry.names():
            left = [d for d in registry.get(name).devices if f"{name}:{d}" not in RUN_ON]
            if has_twin(name) and left:
                not_run[name] = left
        names = signatures.names()
        rows = {name: signatures.forms_of(name) for name in names}
        refused = {n: {a: list(v) for form in forms for a, v in form.only.items()} for n, forms in rows.items()}
        return cls(not_run, len(names), sum(map(len, rows.values())), {n: each for n, each in refused.items() if each})

    def lines(self) -> list[str]:
        """As they are shown."""
        shown = [
            f"on no card: {name} ({', '.join(devices)}), whose kernels run in the twin alone"
            for name, devices in self.not_run.items()
        ]
        count = sum(map(len, self.refused.values()))
        shown.append(
            f"of PyTorch: {self.forms} forms of {self.functions} functions have a text; {count} arguments of "
            f"{len(self.refused)} of them take these values alone, and other calls say what to write:"
        )
        for name, arguments in sorted(self.refused.items()):
            said = "; ".join(f"{argument} = {' or '.join(map(str, values))}" for argument, values in arguments.items())
            shown.append(f"  {name}: {said}")
        return shown
