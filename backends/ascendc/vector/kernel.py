"""The parts that every vector kernel has: names, frame, task loop, loads, evaluation, stores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from uol.backends.ascendc.arithmetic.casts import FLOATS, convert
from uol.backends.ascendc.helpers import LESSER
from uol.backends.ascendc.instructions import Buffer
from uol.backends.ascendc.schedules import VectorSchedule
from uol.backends.ascendc.transfers.indices import extent
from uol.backends.ascendc.transfers.loads import Loader
from uol.backends.ascendc.vector.evaluate import Evaluator
from uol.backends.ascendc.vector.tile import LANES, ROWS, TILE, UNIFORM, Frame, Span
from uol.backends.ascendc.vector.unit import VectorUnit
from uol.backends.ascendc.vector.values import Lanes, Truth, Value
from uol.backends.ascendc.writer import KernelWriter, TiledAxis, task_count
from uol.codegen.specs.nodes import Let, Read, Reduce
from uol.ir.program.nodes import Axis, Call, Expr
from uol.ir.program.walk import variables, walk


@dataclass(slots=True)
class VectorKernel(KernelWriter):
    """A vector kernel that is being written."""

    schedule: VectorSchedule
    frame: Frame
    unit: VectorUnit = field(init=False)
    loader: Loader = field(init=False)
    lets: dict[str, Value | Truth] = field(default_factory=dict)
    invariant: dict[Read, Lanes] = field(default_factory=dict)
    several_tiles: bool = False
    slots: int = 1
    """Slots of what is loaded and stored at this place: 2 within a loop that alternates between them."""

    def __post_init__(self) -> None:
        KernelWriter.__post_init__(self)
        self.unit = VectorUnit(self.builder, self.frame)
        self.loader = Loader(self.unit, self.indices, self.names.tensors)

    def tasks(self, outer: Sequence[Axis]) -> list[TiledAxis]:
        """The task loop's axes: those outside of the tile, then the tile's."""
        frame = self.frame
        axes = [TiledAxis(self.names.variables[a.name], extent(a)) for a in outer]
        if frame.row and not self.folds_rows:
            axes.append(TiledAxis(self.start(frame.row), frame.row_extent, frame.rows))
        if frame.lane and self.schedule.over == "rows":
            axes.append(TiledAxis(self.start(frame.lane), frame.lane_extent, frame.lanes))
        return axes

    @contextmanager
    def task_loop(self, outer: Sequence[Axis], *, slotted: bool = True) -> Iterator[None]:
        """The loop over this core's tiles, indices and sizes of the tile declared. `slotted`: tiles alternate between the
        slots of a double-buffered schedule; else a loop within them does."""
        axes = self.tasks(outer)
        self.several_tiles = task_count(axes) > self.schedule.blocks
        double_buffered = self.schedule.slots == 2
        alternates = slotted and double_buffered
        with self.core_loop(axes, double_buffered=double_buffered, slotted=alternates), self.alternating(alternates):
            if not self.folds_rows:
                self.declare_tile()
            yield

    @property
    def folds_rows(self) -> bool:
        """Does a tile have rows along an axis that is folded? They are a loop's of their own, and no tasks."""
        return isinstance(self.spec, Reduce) and bool(self.frame.row) and self.frame.row in {a.name for a in self.spec.cols}

    @contextmanager
    def alternating(self, active: bool) -> Iterator[None]:
        """The body of a loop that alternates between slots (or does not)."""
        before = self.slots
        self.slots = self.loader.slots = 2 if active else before
        yield
        self.slots = self.loader.slots = before

    def declare_tile(self) -> None:
        """Sizes of this tile, where the last one along an axis is smaller."""
        frame = self.frame
        if frame.row:
            if frame.row_end:
                self.builder.declare("rows", f"{LESSER}({frame.rows}, {frame.row_end} - {self.start(frame.row)})")
            else:
                self._declare_size("rows", frame.rows, frame.row_extent, self.start(frame.row))
            if len(frame.row_counts()) > 1:
                self.builder.declare("elements", f"rows * {frame.pitch}")
                if frame.uses_padded(TILE):
                    self.declare_padded("elements")
        elif frame.lane and self.schedule.over == "rows":
            self.declare_lanes()

    def declare_lanes(self) -> None:
        frame = self.frame
        self._declare_size("lanes", frame.lanes, frame.lane_extent, self.start(frame.lane))
        if len(frame.lane_counts()) > 1 and frame.uses_padded(LANES):
            self.declare_padded("lanes")

    def _declare_size(self, name: str, step: int, extent: int, start: str) -> None:
        """`name` = indices of this tile along an axis, where the last tile is smaller than the others."""
        if extent > step and extent % step:
            self.builder.declare(name, f"{LESSER}({step}, {extent} - {start})")

    def declare_padded(self, count: str) -> None:
        """The count rounded up to what instructions take."""
        multiple = self.frame.multiple
        self.builder.declare("padded", f"({count} + {multiple - 1}) / {multiple} * {multiple}")

    def line(self, number: int) -> None:
        """A reference to the op's text."""
        if self.builder.last_text() != (text := f"// line {number}"):
            self.builder.text(text)

    def evaluator(self, expressions: Iterable[Expr], unit: VectorUnit | None = None) -> Evaluator:
        """Starts everything that the expressions read, then gives what evaluates them at this place, on a vector unit of its
        own where the sizes of this kernel's tiles are not known there."""
        expressions = tuple(expressions)
        counts = Counter(n for e in expressions for n in walk(e))
        started: dict[Read, Callable[[], Lanes]] = {}
        for read in dict.fromkeys(r for e in expressions for r in _values_read(e)):
            started[read] = self.hoisted(read) if self.is_invariant(read) else self.loader.fetch(read)
        loaded: dict[Read, Lanes] = {}

        def lanes_of(read: Read) -> Lanes:
            if read not in loaded:
                loaded[read] = started[read]()
            return loaded[read]

        shared = frozenset(e for e, n in counts.items() if n > 1)
        return Evaluator(unit or self.unit, self.indices, lanes_of, self.lets, shared)

    def is_invariant(self, read: Read) -> bool:
        """Does every tile of a core read the same elements? Those are loaded once, before the loop over tiles."""
        if not self.several_tiles:
            return False
        whole = {a for a in (self.frame.lane, self.frame.row) if a and self.frame.whole(a)}
        return variables(read) <= whole and read.dtype in FLOATS

    def hoisted(self, read: Read) -> Callable[[], Lanes]:
        """The lanes of such a read, widened and spread over a whole tile."""
        if read not in self.invariant:
            with self.builder.prologue():
                unit = VectorUnit(self.builder, self.frame.full())
                lanes = convert(unit, Loader(unit, self.indices, self.names.tensors).fetch(read)(), "f32")
                self.invariant[read] = unit.broadcast(lanes, TILE if lanes.span else UNIFORM).kept()
        return lambda: self.invariant[read]

    def let(self, at: Evaluator, step: Let, *, once: bool = False) -> None:
        """Binds the value of a step; `once`: one later step uses it, at the same place."""
        value = at.step_value(step.value)
        if isinstance(value, Lanes) and value.spare:
            value = self.named(value, self.names.variables[step.name])
        self.lets[step.name] = value if once or not isinstance(value, Lanes) else value.kept()

    def named(self, value: Lanes, name: str) -> Lanes:
        """The value in a buffer of its step's name, where its last instruction can write there."""
        own = Buffer(name, value.dtype, value.view.buffer.elements)
        if name in self.builder.buffers or value.view.buffer.slots > 1:
            return value
        view = self.builder.buffer(own, reserved=True)
        if self.builder.retarget(value.view, view):
            return Lanes(view, value.span)
        self.builder.buffers.pop(name)
        return value

    def tile_span(self, axes: Iterable[str]) -> Span:
        """Over which of the tile's axes a step that varies over some axes varies."""
        named = set(axes)
        span: Span = frozenset()
        if self.frame.lane in named:
            span |= LANES
        if self.frame.row in named:
            span |= ROWS
        return span


def _values_read(expr: Expr) -> Iterator[Read]:
    """The reads whose values an expression needs as lanes: not those within the address and guards of another, which the
    scalar unit makes."""
    if isinstance(expr, Read):
        yield expr
        operands: tuple[Expr, ...] = () if expr.fill is None else (expr.fill,)
    elif isinstance(expr, Call) and expr.fn == "random_bits":
        operands = expr.args[1:]  # the seed is the scalar unit's
    else:
        operands = expr.children
    for operand in operands:
        yield from _values_read(operand)
