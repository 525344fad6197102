"""The shapes at which each operator is checked, read from `cases/<family>.toml` when they are first asked for. A user's
operator is registered with its own.

A file holds groups of operators that have their cases in common:

    [rows]
    ops = ["softmax", "log_softmax"]
    inputs = ["exact", "random", "steep"]     # kinds of inputs; exact and random where nothing is said
    values = { var = "positive" }             # what an input's values must be; anything where nothing is said
    first = { S = [33], C = 37 }              # sizes of the adversarial case of a quick check; the first case where nothing is
                                              # said. `inputs = "ties"` in it takes that kind in place of `mixed`
    wide = [{ S = [3], C = 18432 }]           # long sums, checked on inputs of kind `wide` alone (and so is the first case)
    cases = [{ S = [64], C = 256 }, { S = [], C = 7, eps = 0.5 }]

The first case is representative, the others are awkward. Upper-case names are dims (a list stands for a pack of any rank),
lower-case names attributes.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from typing import Any

from uol.ir.errors import UolError
from uol.ir.library import GRADIENT, SAVING
from uol.ops.texts import family_of

Extent = int | tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Workload:
    """An operator at given dims. A name that stands for a pack of dims (`*S`) has a tuple, of any length.

    >>> Workload("softmax", {"S": (2, 3), "C": 7}).flat_dims
    {'S_0': 2, 'S_1': 3, 'C': 7}
    """

    op: str
    dims: Mapping[str, Extent]
    attrs: Mapping[str, int | float] = field(default_factory=dict)
    note: str = ""

    @property
    def ranks(self) -> dict[str, int]:
        """The rank of each pack."""
        return {name: len(extent) for name, extent in self.dims.items() if isinstance(extent, tuple)}

    @property
    def flat_dims(self) -> dict[str, int]:
        """Dims by the names that an instantiated program has: a pack of rank 1 keeps its name, others are numbered."""
        flat: dict[str, int] = {}
        for name, extent in self.dims.items():
            match extent:
                case int():
                    flat[name] = extent
                case (only,):
                    flat[name] = only
                case several:
                    flat |= {f"{name}_{number}": each for number, each in enumerate(several)}
        return flat

    def at(self, flat: Mapping[str, int]) -> Workload:
        """The workload with other sizes: those of `flat_dims`, in order.

        >>> Workload("softmax", {"S": (2, 3), "C": 7}).at({"S_0": 2, "S_1": 3, "C": 28}).dims
        {'S': (2, 3), 'C': 28}
        """
        rest = iter(flat.values())
        dims = {n: tuple(next(rest) for _ in e) if isinstance(e, tuple) else next(rest) for n, e in self.dims.items()}
        return replace(self, dims=dims)

    def __str__(self) -> str:
        sizes = [f"{name}={'x'.join(map(str, e)) or '()' if isinstance(e, tuple) else e}" for name, e in self.dims.items()]
        return f"{self.op}[{', '.join([*sizes, *(f'{name}={value}' for name, value in self.attrs.items())])}]"


@dataclass(frozen=True, slots=True)
class Cases:
    """What an operator is checked on: workloads, kinds of inputs, what the values of an input must be, the workloads of long
    sums, whose inputs are `wide`, and the adversarial case of a quick check, with its kind of inputs."""

    workloads: tuple[Workload, ...]
    inputs: tuple[str, ...]
    values: Mapping[str, str]
    wide: tuple[Workload, ...] = ()
    first: tuple[Workload, str] | None = None


_registered: dict[str, Cases] = {}


def workloads_of(op: str) -> tuple[Workload, ...]:
    """The workloads of an operator, the representative one first."""
    found = cases_of(op)
    if found is None:
        raise UolError(f"no workloads for operator {op!r}", hint="give it some: `uol.op(text, cases=[...])`")
    return found.workloads


def wide_workloads_of(op: str) -> tuple[Workload, ...]:
    """The workloads that an operator is checked on with `wide` inputs: the representative one, and those of long sums. None
    where it has no such."""
    found = cases_of(op)
    return () if found is None or not found.wide else (found.workloads[0], *found.wide)


def adversarial_of(op: str) -> tuple[Workload, str]:
    """The workload of the adversarial case of an operator that has cases, and the kind of its inputs."""
    found = cases_of(op)
    return (workloads_of(op)[0], "mixed") if found is None or found.first is None else found.first


def cases_of(op: str) -> Cases | None:
    """The cases of an operator of the library or of one that was registered with some, or of one made from it (its gradient,
    what saves values for that), which is checked on the same; None for any other."""
    family = family_of(op)
    if family is not None:
        return _family(family).get(op)
    if op in _registered:
        return _registered[op]
    made = next((suffix for suffix in (GRADIENT, SAVING) if op.endswith(suffix)), None)
    forward = None if made is None else cases_of(op.removesuffix(made))
    return None if forward is None else _of_made(op, forward)


def register_cases(op: str, cases: Cases) -> None:
    """Takes in the cases of an operator that is not of the library."""
    _registered[op] = cases


OF_GRADIENTS = ("unseen",)
"""Kinds of inputs on which what was made from an operator has numbers to compare, wherever the operator has."""


def _of_made(op: str, forward: Cases) -> Cases:
    workloads, wide = (tuple(replace(w, op=op) for w in each) for each in (forward.workloads, forward.wide))
    inputs = ("exact", "random", *(k for k in forward.inputs if k in OF_GRADIENTS))
    first = None if forward.first is None else (replace(forward.first[0], op=op), "mixed")
    return Cases(workloads, inputs, forward.values, wide, first)


@cache
def _family(family: str) -> dict[str, Cases]:
    groups = tomllib.loads(files("uol.ops").joinpath("cases", f"{family}.toml").read_text(encoding="utf-8"))
    return {op: read_cases(op, group) for group in groups.values() for op in group["ops"]}


def read_cases(op: str, group: Mapping[str, Any]) -> Cases:
    """The cases of an operator of a group: of a file's, or of the one that `uol.op(text, cases=...)` was given."""
    notes = ("representative", *("awkward",) * (len(group["cases"]) - 1))
    workloads = tuple(_workload(op, case, note) for case, note in zip(group["cases"], notes, strict=True))
    wide = tuple(_workload(op, case, "long sums") for case in group.get("wide", ()))
    inputs = tuple(group.get("inputs", ("exact", "random")))
    return Cases(workloads, inputs, group.get("values", {}), wide, _adversarial(op, group.get("first", {}), workloads))


def _adversarial(op: str, given: Mapping[str, Any], workloads: tuple[Workload, ...]) -> tuple[Workload, str]:
    sizes = {name: value for name, value in given.items() if name != "inputs"}
    return _workload(op, sizes, "adversarial") if sizes else workloads[0], given.get("inputs", "mixed")


def _workload(op: str, case: Mapping[str, int | float | list[int] | tuple[int, ...]], note: str) -> Workload:
    dims: dict[str, Extent] = {}
    attrs: dict[str, int | float] = {}
    for name, value in case.items():
        if isinstance(value, list | tuple):
            dims[name] = tuple(value)
        elif name.isupper() and isinstance(value, int):
            dims[name] = value
        else:
            attrs[name] = value
    return Workload(op, dims, attrs, note)
