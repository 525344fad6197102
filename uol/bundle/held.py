"""What a check found of one part of a bundle: its state, and what was held against what."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from uol.compilation.explain import Json

State = Literal["ok", "edited", "unverified", "changed", "missing", "added", "wrong"]
"""ok           as uol writes it
edited       not as uol writes it, which was asked for: the kernels are run
unverified   cannot be held here: a tool is missing, or another version wrote it
changed      not as uol writes it
missing      uol writes it, and it is not there
added        it is there, and uol does not write it
wrong        kernels do not compute what the operator means"""

Part = Literal["file", "field", "kernels"]

FAILED = frozenset({"changed", "missing", "added", "wrong"})


@dataclass(frozen=True, slots=True)
class Held:
    """`part` says whether `name` is a file, a field of the manifest, or the kernels; `what` is a sentence."""

    part: Part
    name: str
    state: State
    what: str

    @property
    def failed(self) -> bool:
        return self.state in FAILED

    @property
    def place(self) -> str:
        return f"manifest.json: {self.name}" if self.part == "field" else self.name

    def as_json(self) -> Json:
        return {"name": self.name, "state": self.state, "what": self.what}

    def __str__(self) -> str:
        return f"{self.place} ({self.state}): {self.what}"


def any_failed(held: Iterable[Held]) -> bool:
    return any(h.failed for h in held)
