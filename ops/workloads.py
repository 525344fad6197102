"""The shapes at which each operator is checked, read from workloads.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

from uol.ir.errors import UolError

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

    def __str__(self) -> str:
        sizes = [f"{name}={'x'.join(map(str, e)) or '()' if isinstance(e, tuple) else e}" for name, e in self.dims.items()]
        return f"{self.op}[{', '.join([*sizes, *(f'{name}={value}' for name, value in self.attrs.items())])}]"


def workloads_of(op: str) -> tuple[Workload, ...]:
    """The workloads of an operator, the representative one first."""
    if op not in _all():
        raise UolError(f"no workloads for operator {op!r}", hint=f"there are workloads for: {', '.join(_all())}")
    return _all()[op]


def has_workloads(op: str) -> bool:
    """Is this an operator of the library, whose workloads are written down?"""
    return op in _all()


@cache
def _all() -> dict[str, tuple[Workload, ...]]:
    groups = tomllib.loads(files("uol.ops").joinpath("workloads.toml").read_text(encoding="utf-8"))
    return {
        op: tuple(_workload(op, case, "awkward" if number else "representative") for number, case in enumerate(group["cases"]))
        for group in groups.values()
        for op in group["ops"]
    }


def _workload(op: str, case: Mapping[str, int | float | list[int]], note: str) -> Workload:
    dims: dict[str, Extent] = {}
    attrs: dict[str, int | float] = {}
    for name, value in case.items():
        if isinstance(value, list):
            dims[name] = tuple(value)
        elif name.isupper() and isinstance(value, int):
            dims[name] = value
        else:
            attrs[name] = value
    return Workload(op, dims, attrs, note)
