"""Values of lets that differ from lane to lane, held in arrays between vectorised loops."""

from __future__ import annotations

from dataclasses import dataclass, field

from tvm import tirx

from uol.backends.cpu.expressions.builder import Builder
from uol.backends.cpu.expressions.dtypes import Term, representation
from uol.codegen.specs.nodes import Let


@dataclass(frozen=True, slots=True)
class LaneValues:
    """Arrays by the let's name. Bools are held as i32."""

    arrays: dict[str, tuple[Term, str]] = field(default_factory=dict)

    def declare(self, code: Builder, let: Let, lanes: int) -> None:
        held = "int32" if let.dtype == "bool" else representation(let.dtype).compute
        self.arrays[let.name] = code.local(let.name, lanes, held), let.dtype

    def put(self, code: Builder, name: str, lane: Term, value: Term) -> None:
        array, dtype = self.arrays[name]
        if dtype == "bool":
            value = tirx.Select(value, tirx.const(1, "int32"), tirx.const(0, "int32"))
        code.add(tirx.BufferStore(array, value, [lane]))

    def at(self, lane: Term) -> dict[str, Term]:
        """What the names stand for in a lane."""
        found: dict[str, Term] = {}
        for name, (array, dtype) in self.arrays.items():
            held = tirx.BufferLoad(array, [lane])
            found[name] = tirx.Not(tirx.EQ(held, tirx.const(0, "int32"))) if dtype == "bool" else held
        return found
