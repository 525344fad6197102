"""Contractions in segments on threads.

    rows    a block goes through the runs of its tile's rows, one product each, and keeps the sums of the run's own rows
    terms   a block sums over the run of its segment's keys, which it finds by bisection
"""

from __future__ import annotations

from dataclasses import dataclass

from uol.backends.simt.c_text.counters import is_multiple
from uol.backends.simt.c_text.printer import Printer
from uol.backends.simt.kernel.scope import Scope
from uol.backends.simt.products.schedule import Tile
from uol.codegen.indexing.arithmetic import ZERO
from uol.codegen.specs.nodes import Contract, Read
from uol.codegen.specs.traverse import own_segment, reads
from uol.ir.program.nodes import Const, Expr


@dataclass(frozen=True, slots=True)
class RowSegments:
    """`segment` is what the kernel calls the segment of the rows at hand, `key_first` and `key_last` read the keys of the
    rows `first` and `last`, `end` is where the tile ends."""

    segment: str
    key_first: str
    key_last: str
    end: str


@dataclass(frozen=True, slots=True)
class TermRun:
    """Where the terms of a segment begin and end."""

    first: str
    end: str

    def steps(self, tile_k: int, printer: Printer) -> str:
        """How many k the tile at k0 holds."""
        return f"uol::min({printer.argument(Const(tile_k))}, {self.end} - k0)"


def plan_rows(spec: Contract, m_count: Expr, tile: Tile, printer: Printer) -> RowSegments | None:
    """The runs of a block's rows; None where rows are in no segments."""
    segments = spec.segments
    if segments is None or segments.over != "rows":
        return None
    full = f"m0 + {tile.m}"
    return RowSegments(
        segment=printer.names.variable(segments.of),
        key_first=printer.bound(**{segments.at: "first"}).value(segments.key),
        key_last=printer.bound(**{segments.at: "last"}).value(segments.key),
        end=full if is_multiple(m_count, tile.m) else f"uol::min({full}, {printer.argument(m_count)})",
    )


def declare_terms(spec: Contract, k_count: Expr, scope: Scope) -> TermRun | None:
    """Where the terms of a block's segment begin and end, as variables; None where terms are in no segments."""
    segments = spec.segments
    if segments is None or segments.over != "terms":
        return None
    printer = scope.printer
    key = _read(segments.key)
    own = own_segment(spec)
    keys, stride = printer.names.tensor(key.tensor), dict(key.strides).get(segments.at) or ZERO
    for name, value in (("begin", printer.value(own)), ("end", f"{printer.value(own, 9)} + 1")):
        sizes = f"{printer.value(stride)}, {printer.value(k_count)}, {value}"
        scope.add(f"const {printer.index_type} {name} = uol::lower_bound<{printer.index_type}>({keys}, {sizes});", spec.line)
    return TermRun("begin", "end")


def _read(key: Expr) -> Read:
    return next(reads(key))
