"""Select of one row whose keys are of a few numbers: they are counted, and each element goes where the counts say.

    place = elements with lesser keys + those of its key in blocks before + in groups before + in lanes before

Every block counts the keys of the whole row, which a cache answers, so that one launch is enough.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from uol.backends.c_text.names import kernel_symbol
from uol.backends.simt.c_text.counters import as_count, is_multiple, parts_of
from uol.backends.simt.c_text.printer import Printer
from uol.backends.simt.c_text.proofs import Proofs
from uol.backends.simt.c_text.signatures import Signature, signature
from uol.backends.simt.machine.fitting import fitting, parts_by
from uol.backends.simt.machine.target import COUNTED, Machine
from uol.backends.simt.rows.schedule import Buckets
from uol.backends.simt.rows.select_plan import RowScope
from uol.codegen.backend import Footprint, Launch, Refusal
from uol.codegen.indexing.arithmetic import add, mul, static
from uol.codegen.specs.nodes import Select
from uol.codegen.specs.steps import used_variables
from uol.ir.integers.intervals import Interval
from uol.ir.program.nodes import Call, Const
from uol.ir.types import INDEX, is_integer

OWN = ("total", "before", "own", "scratch", "slot", "carry", "start", "group", "bin", "of", "next", "here", "number", "first")
COUNTER_BYTES = 4
LANES = 32
"""Neighbours that take places together: a warp of every machine has them whole."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How many elements each key has: a `statement` for every one of the first `count` keys."""

    key: str
    count: str
    statement: str


@dataclass(frozen=True, slots=True)
class BucketPlan:
    """What `buckets.j2` reads. `bin` is the number of the bucket of the element `position`, of so many `bins`; a block has
    an element a thread, and `groups` of threads of so many `lanes`. `order` are statements for the element at `place`."""

    template: ClassVar[str] = "buckets.j2"

    title: str
    signature: Signature
    launch: Launch
    index_type: str
    bins: int
    groups: int
    lanes: int
    extent: str
    position: str
    bin: str
    place: str
    is_whole: bool
    order: tuple[str, ...]
    tally: Tally | None


def keys_of(spec: Select) -> Interval | None:
    """The numbers that keys are of, where a row is put in order by counting them; else None."""
    most_keys, most_elements = COUNTED
    length = static(spec.col.extent) or 0
    is_whole = not spec.rows and spec.place.extent == spec.col.extent and not spec.descending and spec.run is None
    if not is_whole or not is_integer(spec.key.type) or spec.key.type == INDEX or not 0 < length <= most_elements:
        return None
    found = Proofs.of(spec).ranges.of(spec.key)
    if found.low is None or found.high is None or found.high - found.low >= most_keys:
        return None
    return found


def check_buckets(spec: Select, schedule: Buckets, machine: Machine) -> Footprint | Refusal:
    """A block for each stretch of the row."""
    keys = keys_of(spec)
    if keys is None:
        return Refusal("keys are not known to be of a few numbers", "one row a block of 256 threads")
    if schedule.threads % machine.lanes:
        return Refusal(f"{schedule.threads} threads are not whole warps", Buckets().describe())
    blocks = parts_by(spec.col.extent, schedule.threads)
    counters = _bins(keys) * (2 + schedule.threads // LANES) + schedule.threads // machine.lanes
    return fitting(machine, schedule.threads, blocks, counters * COUNTER_BYTES)


def plan_buckets(spec: Select, schedule: Buckets) -> BucketPlan:
    """The kernel of a Select of one row whose keys are counted."""
    keys = keys_of(spec)
    assert keys is not None and keys.low is not None, "keys of any number are compared"
    threads, extent = schedule.threads, spec.col.extent
    blocks = parts_of(extent, threads)
    made = RowScope.of(spec, [add(mul(blocks, Const(threads)), Const(threads))], OWN)
    spec, scope, printer = made.spec, made.scope, made.scope.printer
    position, place = (printer.names.variable(axis.name) for axis in (spec.col, spec.place))
    order = scope.inner()
    if spec.at in used_variables(spec.steps):
        order.add(f"const {printer.ctype(spec.at_dtype)} {printer.names.variable(spec.at)} = {position};")
    order.write(spec.steps)
    bins, shift = _bins(keys), -keys.low
    key = scope.inner().expression(made.key if made.key.type == "i32" else Call("cast", (made.key,), "i32"))
    return BucketPlan(
        title=f"{printer.value(extent)} elements in order of {bins} keys, one a thread",
        signature=signature(spec, kernel_symbol(spec), printer.names, threads, made.index),
        launch=Launch((as_count(blocks), 1, 1), (threads, 1, 1)),
        index_type=made.index.ctype,
        bins=bins,
        groups=threads // LANES,
        lanes=LANES,
        extent=printer.value(extent),
        position=position,
        bin=f"{key} + {shift}" if shift else key,
        place=place,
        is_whole=is_multiple(extent, threads),
        order=tuple(order.lines),
        tally=_tally(spec, printer, shift),
    )


def _tally(spec: Select, printer: Printer, shift: int) -> Tally | None:
    if spec.tally is None:
        return None
    (key,) = spec.keys
    name = printer.names.variable(key.name)
    place = f"{name} + {shift}" if shift else name
    to = f"{printer.names.tensor(spec.tally.tensor)}[{printer.value(spec.tally.offset)}]"
    return Tally(name, printer.value(key.extent), f"{to} = total[{place}];  // line {spec.tally.line}")


def _bins(keys: Interval) -> int:
    return (keys.high or 0) - (keys.low or 0) + 1
