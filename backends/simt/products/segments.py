"""Products in segments on threads.

    rows    a block goes through the runs of its tile's rows, one product each, and keeps the sums of the run's own rows
    terms   a block sums over the run of its segment's keys, which it finds by bisection
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from uol.backends.simt.c_text.counters import is_multiple, typical, windows
from uol.backends.simt.c_text.printer import Printer
from uol.backends.simt.c_text.terms import Element, Known, Local, Pointer, Primitive, Scalar, plus, times
from uol.backends.simt.kernel.nodes import Assign, Declare, Loop, Runs, Statement
from uol.backends.simt.kernel.scope import Scope
from uol.backends.simt.products.epilogue import MI
from uol.backends.simt.products.schedule import Tile
from uol.codegen.contractions.segment_bounds import segments_of
from uol.codegen.indexing.arithmetic import ZERO, size, static
from uol.codegen.specs.nodes import Contract, Read
from uol.codegen.specs.traverse import own_segment, reads
from uol.ir.program.nodes import Call, Const, Expr, Var
from uol.ir.types import INDEX

BEGIN, END = Local("begin"), Local("end")
"""Of the terms of a block's segment."""
MINE = Element(Local("mine", Scalar("bool")), MI, Scalar("bool"))
"""Is a thread's row of the segment at hand?"""

TYPICAL_SEGMENTS = 128
"""What their number is taken to be where it is an argument: the experts of a mixture (128 of gpt-oss and of Qwen3, 8 to 256 of
others)."""
TYPICAL_ROWS = 256
"""The same of rows, or terms, of a segment: 8,192 tokens with four experts each are as many for 128 of them."""


def typical_sizes(spec: Contract) -> Mapping[str, int]:
    """What dims are taken to be that are of another size than most: windows, the number of segments, and what lies in them."""
    found = windows(spec.axes)
    if spec.segments is None:
        return found
    count = segments_of(spec)
    over = size(spec.m if spec.segments.over == "rows" else spec.k)
    number = (static(count) if count is not None else None) or TYPICAL_SEGMENTS
    found |= {count.name: TYPICAL_SEGMENTS} if isinstance(count, Var) else {}
    return found | ({over.name: number * TYPICAL_ROWS} if isinstance(over, Var) else {})


def typical_segments(spec: Contract) -> int:
    """How many segments there are, or may be; 1 without any, and where a text does not bound them."""
    count = segments_of(spec)
    return 1 if count is None else max(1, typical(count, spec.where, typical_sizes(spec)))


def has_segments(spec: Contract, over: str) -> bool:
    """Are its rows, or its terms, in segments?"""
    return spec.segments is not None and spec.segments.over == over


def skewed_share(spec: Contract) -> float:
    """The share of all terms that the longest segment has where their lengths are as 1, 1/2, 1/3, ...: which they are is data,
    and a tile of one that is long is one core's."""
    return 1 / sum(1 / place for place in range(1, typical_segments(spec) + 1))


def over_runs(spec: Contract, m_count: Expr, tile: Tile, products: Sequence[Statement], printer: Printer) -> Runs:
    """The products of each run of a block's rows."""
    segments = spec.segments
    assert segments is not None
    end: Expr = plus(Local("m0"), Const(tile.m))
    if not is_multiple(m_count, tile.m):
        end = Call("min", (end, m_count), INDEX)
    row = plus(plus(Local("m0"), Local("thread_m")), times(MI, tile.threads_m))
    within = [Call(fn, (Local("row"), Local(place)), "bool") for fn, place in ((">=", "first"), ("<", "last"))]
    owned = (
        Declare("row", Scalar(INDEX), Known(row, printer)),
        Assign(MINE, Call("and", tuple(within), "bool")),
    )
    return Runs(
        first="first",
        last="last",
        key=printer.names.variable(segments.of),
        begin=Local("m0"),
        end=Known(end, printer),
        key_first=Known(segments.key, printer.bound(**{segments.at: "first"})),
        key_last=Known(segments.key, printer.bound(**{segments.at: "last"})),
        body=(
            Declare("mine", Scalar("bool"), extent=tile.thread_m),
            Loop(MI.name, ZERO, Const(tile.thread_m), owned, few=True),
            *products,
        ),
    )


def declare_terms(spec: Contract, k_count: Expr, scope: Scope) -> None:
    """Where the terms of a block's segment begin and end."""
    segments = spec.segments
    assert segments is not None
    key, own = _read(segments.key), own_segment(spec)
    stride = dict(key.strides).get(segments.at) or ZERO
    for place, value in ((BEGIN, own), (END, plus(own, Const(1)))):
        found = Primitive("lower_bound", (Scalar(INDEX),), (Pointer(key.tensor), stride, k_count, value), Scalar(INDEX))
        scope.put(Declare(place.name, Scalar(INDEX), scope.known(found), line=spec.line))


def _read(key: Expr) -> Read:
    return next(reads(key))
