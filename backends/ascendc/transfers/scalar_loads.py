"""Loads by the scalar unit, element by element: for addresses that no copy can follow. Slow, but right; the twin counts them.

Elements are moved, never computed with: the scalar unit has no arithmetic on half.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from uol.backends.ascendc.memory.buffers import View
from uol.backends.ascendc.transfers.fills import element_text, fill_of
from uol.backends.ascendc.transfers.indices import Indices
from uol.backends.ascendc.vector.tile import Span
from uol.backends.ascendc.vector.unit import VectorUnit
from uol.codegen.indexing.arithmetic import add
from uol.codegen.indexing.fold_constants import substituted
from uol.codegen.specs.nodes import Read
from uol.ir.integers.intervals import Interval
from uol.ir.program.nodes import Expr, Var

ROW, LANE = "i", "j"
"""The loop variables within a tile, in C; in expressions they are in brackets, so that no axis of an op is called so."""
EQUAL_LANES = 8
"""How many lanes a value that is the same for a whole tile has."""


def load_by_element(unit: VectorUnit, indices: Indices, read: Read, dst: View, span: Span, tensors: Mapping[str, str]) -> None:
    """dst[row * pitch + lane] = the read at every row and lane of the tile; equal lanes where neither changes it."""
    frame, builder = unit.frame, unit.builder
    place: dict[str, Expr] = dict(frame.origins())
    loops: list[tuple[str, str]] = []
    at: list[str] = []
    if "row" in span and frame.row:
        place[frame.row] = add(frame.origin(frame.row), Var(f"<{ROW}>"))
        loops.append((ROW, frame.rows_text()))
        at.append(f"{ROW} * {frame.pitch}" if "lane" in span else ROW)
    if "lane" in span:
        place[frame.lane] = add(frame.origin(frame.lane), Var(f"<{LANE}>"))
        loops.append((LANE, frame.lanes_text()))
        at.append(LANE)
    if not loops:
        loops.append((LANE, str(EQUAL_LANES)))
        at.append(LANE)
    within = {f"<{ROW}>": Interval(0, max(frame.rows - 1, 0)), f"<{LANE}>": Interval(0, max(frame.lanes - 1, 0))}
    named = Indices({**indices.names, **{name: name[1:-1] for name in within}}, {**indices.ranges, **within})
    here = substituted(read, place)
    assert isinstance(here, Read)
    element = f"{tensors[read.tensor]}.GetValue({named.text(here.offset)})"
    index = " + ".join(at)
    if here.guard:
        element = f"{named.condition(here.guard)} ? {element} : {element_text(read.dtype, fill_of(read, indices.names))}"

    def body() -> None:
        target = dst.at("", per=loops[-1][0] if len(loops) == 1 else "")
        builder.emit("S", f"{dst}.SetValue({index}, {element});", writes=(target,))

    _nested(unit, loops, body)


def _nested(unit: VectorUnit, loops: list[tuple[str, str]], body: Callable[[], None]) -> None:
    if not loops:
        body()
        return
    name, count = loops[0]
    with unit.builder.loop(f"for ({unit.builder.index} {name} = 0; {name} < {count}; ++{name})", name, runs=True):
        _nested(unit, loops[1:], body)
