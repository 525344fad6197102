"""A text that is being drawn."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from uol.ops.inputs import Kind

Drawn = TypeVar("Drawn")

FLOATS = ("f64", "f32", "f16", "bf16")
INTEGERS = ("i64", "i32", "i16", "i8", "u8")
LARGE = (17, 31, 32, 33, 64, 65)
"""Sizes about the widths of warps and vectors, for a few dims."""
ANY: tuple[Kind, ...] = ("random", "random", "exact", "ties", "special", "infinite", "lone")
FINITE: tuple[Kind, ...] = ("random", "random", "exact", "ties")
NUMBERS: tuple[Kind, ...] = (*FINITE, "lone")
"""Without infinities."""


@dataclass(slots=True)
class Sketch:
    """`sizes` by dim, of a pack one for each of its dims; `domains` the types of each type variable; `data` the kinds of inputs
    for which the language says what every result is."""

    rng: random.Random
    sizes: dict[str, int | tuple[int, ...]] = field(default_factory=dict)
    domains: dict[str, tuple[str, ...]] = field(default_factory=lambda: {"T": FLOATS})
    params: list[str] = field(default_factory=list)
    attributes: dict[str, int | float] = field(default_factory=dict)
    results: list[str] = field(default_factory=list)
    where: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    data: tuple[Kind, ...] = ANY

    def pick(self, choices: Sequence[Drawn]) -> Drawn:
        """One of them."""
        return self.rng.choice(choices)

    def chance(self, share: float) -> bool:
        """True in this share of all draws."""
        return self.rng.random() < share

    def dim(self, name: str, least: int = 0, most: int = 9) -> str:
        """A dim of a size from `least` to `most`: 0 in one of ten where it may be, and now and then a larger one."""
        size = self.rng.randint(max(least, 1), most)
        if least == 0 and self.chance(0.1):
            size = 0
        elif most >= 9 and self.chance(0.1):
            size = self.pick(LARGE)
        self.sizes[name] = size
        if least:
            self.where.append(f"{name} >= {least}")
        return name

    def size(self, dim: str) -> int:
        """Of a dim that is no pack."""
        size = self.sizes[dim]
        assert isinstance(size, int)
        return size

    def pack(self, name: str, most: int = 4) -> str:
        """`*S`, of up to `most` dims."""
        rank = self.rng.randint(0, most)
        sizes = tuple(self.rng.randint(1, 4) for _ in range(rank))
        if rank and self.chance(0.1):
            sizes = (*sizes[:-1], 0)
        self.sizes[name] = sizes
        return f"*{name}"

    def input(self, name: str, *dims: str, type: str = "T") -> str:
        """Declares an input, once."""
        declared = f"{name}: {type}[{', '.join(dims)}]"
        if declared not in self.params:
            self.params.append(declared)
        return name

    def result(self, name: str, *dims: str, type: str = "T") -> str:
        """Declares a result."""
        self.results.append(f"{name}: {type}[{', '.join(dims)}]")
        return name

    def line(self, text: str) -> None:
        """A statement."""
        self.lines.append(text)

    def after(self, value: str) -> str:
        """What may come behind a value, as an element by itself."""
        return self.pick(("{v}", "{v}", "{v} * 0.5", "tanh({v})", "max({v}, 0)", "{v} + 1", "exp(min({v}, 3))")).format(v=value)

    def text(self, name: str) -> str:
        """The operator."""
        attributes = ", ".join(f"{a}: {'int' if isinstance(v, int) else 'float'} = {v}" for a, v in self.attributes.items())
        head = ", ".join(self.params) + (f"; {attributes}" if attributes else "")
        types = ", ".join(f"{variable} in ({', '.join(types)})" for variable, types in self.domains.items())
        ends = (f" for {types}" if types else "") + (f" where {', '.join(self.where)}" if self.where else "")
        body = "".join(f"  {line}\n" for line in self.lines)
        return f"op {name}({head}) -> ({', '.join(self.results)}){ends} {{\n{body}}}"
