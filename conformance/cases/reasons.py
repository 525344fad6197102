"""What is known to cost more, by operator and dim, and why: a file of reasons beside a command."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Protocol, TypeVar


class AlongDim(Protocol):
    """What is said of an operator along one of its dims."""

    @property
    def op(self) -> str: ...

    @property
    def dim(self) -> str: ...


F = TypeVar("F", bound=AlongDim)


@dataclass(slots=True)
class Tally:
    """How many hold, how many do not for a known reason, and how many for none."""

    held: int = 0
    explained: int = 0
    wrong: int = 0

    @property
    def status(self) -> int:
        """Of the command: 1 where one has no reason, or there is none at all."""
        return 1 if self.wrong or not self.held + self.explained else 0


def reasons_of(command: str) -> Mapping[tuple[str, str], str]:
    """Of COMMAND.toml: entries of an operator, `dims` and `why`."""
    table = tomllib.loads(files("uol.conformance").joinpath(f"{command}.toml").read_text(encoding="utf-8"))
    return {(op, dim): known["why"] for op, entries in table.items() for known in entries for dim in known["dims"]}


def printed(known: Mapping[tuple[str, str], str], found: Iterable[F], holds: Callable[[F], bool], *, show_all: bool) -> Tally:
    """Prints what does not hold with its reason, if one is known, or all of it, as it comes."""
    tally = Tally()
    for each in found:
        if holds(each):
            tally.held += 1
            if show_all:
                print(each, flush=True)
            continue
        why = known.get((each.op, each.dim))
        tally.explained += why is not None
        tally.wrong += why is None
        print(f"{each}: {why or 'NO REASON'}", flush=True)
    return tally
