"""Products whose second operand is copied into panels, block by block: which they are, and what their specs become.

Axes of n over which the results lie contiguously are one: pixels of an image, channels and taps of a filter. Where b has them
apart, the copy finds them by quotients of the column.

Nothing here needs TVM.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import gcd

from uol.backends.cpu.operands.factors import is_in_parts, rows_are_far, the_read
from uol.backends.cpu.operands.typical import typical, typical_size, typical_span
from uol.backends.cpu.schedules.cost import size
from uol.codegen.indexing.affine import affine, coefficient
from uol.codegen.indexing.arithmetic import mul, static, substituted, value_at
from uol.codegen.specs.collapse_axes import are_joinable, joined
from uol.codegen.specs.nodes import Contract, Read, Step, Store
from uol.codegen.specs.traverse import map_step, mapped
from uol.ir.integers.terms import compare
from uol.ir.program.nodes import Axis, Call, Const, Expr, Var
from uol.ir.program.walk import rewrite, variables, walk
from uol.ir.types import DTYPES, INDEX

FEWEST_USES, FEWEST_SCATTERED_USES = 40, 16
"""Rows that must read a column for its copy to pay: where b is contiguous along the columns, and where it is not."""
LONG_K, FEWEST_USES_ALONG_K, FEWEST_USES_OF_ANY_SIZE = 128, 20, 24
"""Where both lie along a k of at least so many steps, dot products do well with more rows than that: of 1024 x 4096 weights, 16
rows took 0.83 of the time of panels. Panels of any size are not cut for few rows, and pay later."""
FEWEST_PRODUCTS, LEAST_COLUMNS = 1 << 20, 16
SHORT_LINE = 64
"""Columns below which the end of a line, where a tile is cut short, costs more than the copy, whose columns run on."""
KEPT_BYTES = 512 * 1024
"""From how much on a b is copied: what a second-level cache of a usual size holds. Which kernels there are is the same on every
machine; how they are cut rests on the caches of one."""
SHORTEST_IMAGE, LONGEST_IMAGE = 32, 256
"""Pixels of an image whose columns run on into the next. With fewer, few vectors of the results would lie within one; of more,
the last tile lacks little."""
FEWEST_LANES_SAVED = 256
"""Lanes of all steps along k that short lines leave empty, from which it pays to run on from one into the next: where results
lie apart, each is then written by itself."""
WIDEST_PANEL = 64
"""Columns of a panel, at the most."""
SLIVER_RUN = 32
"""Elements that are copied at a step along k of an a that lies along rows, at the least: two cache lines of f32. A step reads
another page, which the processor has to look up: once for the slivers of several tiles rather than once for those of each."""
WIDEST_STEP = 4
"""Elements that neighbouring columns, or steps along k, lie apart where b is copied by vectors: as many loads give one. The
gradient of x of a transposed convolution of stride 3 took twice as long element by element."""
LEAST_DEPTH = 256
"""Steps along k in a full block, on the processor with the smallest caches. With fewer in all, no sums wait anywhere."""


def slivers_together(rows: int) -> int:
    """Of how many tiles of rows the slivers are copied at a time."""
    return -(-SLIVER_RUN // rows)


def takes_panels(spec: Contract) -> bool:
    """Is it a product in which every element of b serves many rows? What is an argument is taken to be of a usual size."""
    if spec.segments is not None or not spec.n or not spec.k:
        return False
    rows, products = typical_size(spec, spec.m), typical_size(spec, spec.axes)
    if products < FEWEST_PRODUCTS or rows < FEWEST_SCATTERED_USES:
        return False
    is_far = _is_far(spec) or rows_are_far(spec) or is_in_parts(spec)
    if rows < fewest_rows(spec) or (feeds_lanes(spec) and not is_far):
        return False
    return typical(spec, with_flat_columns(spec).n[-1].extent) >= LEAST_COLUMNS


def fewest_rows(spec: Contract) -> int:
    """Rows that must read a column for its copy to pay. Steps along k that are an argument apart are better copied, too."""
    is_known = size((*spec.k, *spec.n)) is not None
    if is_known and feeds_lanes(spec):
        return FEWEST_USES
    if lies_along_k(spec) and typical(spec, spec.k[-1].extent) >= LONG_K:
        return FEWEST_USES_OF_ANY_SIZE if size(spec.axes) is None else FEWEST_USES_ALONG_K
    return FEWEST_SCATTERED_USES


def lies_along_k(spec: Contract) -> bool:
    """Are both operands contiguous along k?"""
    reads = (the_read(spec.a), the_read(spec.b))
    return all(coefficient(read.offset, spec.k[-1].name) == 1 and not read.guard for read in reads)


def feeds_lanes(spec: Contract) -> bool:
    """Does b lie contiguously along columns, and far enough, so that tiles could read it where it is?"""
    columns = typical(spec, with_flat_columns(spec).n[-1].extent)
    read, extent = the_read(spec.b), typical(spec, spec.n[-1].extent)
    lies_so = not read.guard and coefficient(read.offset, spec.n[-1].name) == 1
    return lies_so and extent >= (LEAST_COLUMNS // 2 if extent == columns else SHORT_LINE)


def _is_far(spec: Contract) -> bool:
    """Is b of a batch too large to stay in a second-level cache? It may be where its size is an argument."""
    read = the_read(spec.b)
    if size((*spec.k, *spec.n)) is None:
        return True
    elements = typical_span(spec, spec.arg(read.tensor)) // max(1, typical_size(spec, spec.batch))
    return elements * DTYPES[read.dtype].bytes > KEPT_BYTES


def with_flat_columns(spec: Contract) -> Contract:
    """The spec with as few axes of n as its epilogue allows."""
    while (flat := with_joined_columns(spec)) is not None:
        spec = flat
    return spec


def with_joined_columns(spec: Contract) -> Contract | None:
    """The spec with its last two axes of n as one; None where its epilogue does not allow that, or there is but one."""
    outer, inner = spec.n[-2:] if len(spec.n) > 1 else (None, None)
    others = replace(spec, b=Const(0))
    if outer is None or inner is None or not are_joinable(others, outer, inner):
        return None
    flat = joined(others, outer, inner)
    return replace(flat, b=_over_columns(spec.b, outer, inner, flat))


def over_images(spec: Contract) -> Contract:
    """The spec with its columns as one axis where images, or what else is outside of them, have too few for tiles: a tile runs
    on from one to the next. The results are contiguous within an image, and are written so: see `image_of`."""
    pixels = static(spec.n[-1].extent) if len(spec.n) == 2 and size(spec.axes) is not None else None
    if pixels is None or not SHORTEST_IMAGE <= pixels <= LONGEST_IMAGE or pixels % LEAST_COLUMNS == 0:
        return spec
    outer, inner = spec.n
    stores = [step for step in spec.epilogue if isinstance(step, Store)]
    if any(coefficient(store.offset, inner.name) != 1 for store in stores):
        return spec
    flat = _as_one_column(spec)
    return spec if flat is None or lines_of(flat) is None else flat


def over_lines(spec: Contract) -> Contract:
    """The spec with its columns as one axis where the innermost has so few that vectors would lack many of their lanes, and the
    others cannot join it, since the results lie apart: a gradient that goes to every second pixel of a small image. Lines whose
    length is an argument are taken to be such."""
    if len(spec.n) > 1 and static(spec.n[-1].extent) is None:
        flat = None if len(with_flat_columns(spec).n) < len(spec.n) else _as_one_column(spec)
        return spec if flat is None or not takes_panels(flat) or lines_of(flat) is None else flat
    line = static(spec.n[-1].extent) if len(spec.n) > 1 and size(spec.axes) is not None else None
    if line is None or line >= LEAST_COLUMNS or size(spec.n) == line or takes_panels(spec):
        return spec
    if (LEAST_COLUMNS - line) * (size(spec.k) or 0) < FEWEST_LANES_SAVED:
        return spec
    flat = spec
    while flat is not None and len(flat.n) > 1:
        flat = _as_one_column(flat)
    return spec if flat is None or not takes_panels(flat) or lines_of(flat) is None else flat


def _as_one_column(spec: Contract) -> Contract | None:
    """The spec with its last two axes of n as one; None where that has no name of its own."""
    outer, inner = spec.n[-2:]
    name = f"{outer.name}_{inner.name}"
    if name in {*(a.name for a in spec.axes), *(a.name for a in spec.args)}:
        return None
    column = Axis(name, mul(inner.extent, outer.extent))
    become = {outer.name: name, inner.name: name}
    whole = tuple(compare(">=", axis.extent, Const(1)) for axis in (outer, inner))  # which that of their product does not say
    return mapped(
        replace(spec, facts=(*spec.facts, *whole)),
        expr=lambda expr: substituted(expr, _places(name, outer, inner)),
        axes=lambda axes: tuple(column if a == inner else a for a in axes if a != outer),
        name=lambda old: become.get(old, old),
    )


@dataclass(frozen=True, slots=True)
class Image:
    """Where columns run over images of so many `pixels`: the epilogue over the number of an image and of a pixel in it."""

    pixels: int
    steps: tuple[Step, ...]


IMAGE, PIXEL = "#image", "#pixel"
LINE, WITHIN = "#line", "#within"


def image_of(spec: Contract) -> Image | None:
    """None where the results of all columns lie as one. Where pixels are an argument, an image counts as one pixel: each result
    is written by itself."""
    offsets = [node for step in spec.epilogue if isinstance(step, Store) for node in walk(step.offset)]
    divided = [e for e in offsets if isinstance(e, Call) and e.fn == "%" and e.args[0] == Var(spec.n[-1].name)]
    if not divided:
        return None
    column, extent = divided[0].args
    by_image: dict[Expr, Expr] = {
        Call("/", (column, extent), INDEX): Var(IMAGE),
        Call("%", (column, extent), INDEX): Var(PIXEL),
    }

    def exchanged(expr: Expr) -> Expr:
        return rewrite(expr, lambda node: by_image.get(node))

    return Image(static(extent) or 1, tuple(map_step(step, exchanged) for step in spec.epilogue))


def _places(column: str, outer: Axis, inner: Axis) -> dict[str, Expr]:
    """Two axes by the number of their column."""
    flat, extent = Var(column), inner.extent
    return {outer.name: Call("/", (flat, extent), INDEX), inner.name: Call("%", (flat, extent), INDEX)}


def _over_columns(b: Expr, outer: Axis, inner: Axis, flat: Contract) -> Expr:
    """b with its read over the axes of the flat spec: two axes of n are quotient and remainder of its last."""
    places = _places(flat.n[-1].name, outer, inner)

    def rule(node: Expr) -> Expr | None:
        if not isinstance(node, Read):
            return None
        moved = node.map_children(lambda child: substituted(child, places))
        known = dict(node.strides)
        return replace(moved, strides=tuple((a.name, known.get(a.name)) for a in flat.axes))

    return rewrite(b, rule)


@dataclass(frozen=True, slots=True)
class Lines:
    """Columns of a b, `length` of them at a time, whose elements lie `step` apart: the pixels of a row of an image. Where their
    length is an argument, they begin `pitch` apart: whether each lies after the one before it shows at a call."""

    length: Expr
    step: int
    pitch: Expr | None = None

    def reached_by(self, lanes: int) -> int | None:
        """How many of them a vector of columns meets at the most, of those that begin at multiples of their number; None where
        their length is an argument."""
        length = static(self.length)
        if length is None:
            return None
        apart = gcd(length, lanes)
        return (length - apart + lanes - 1) // length + 1


def lines_of(spec: Contract) -> Lines | None:
    """Those of flat columns; None where b does not lie so, each line after the one before it and a step of 1 or 2 apart."""
    column, offset = spec.n[-1], the_read(spec.b).offset
    divided = [e for e in walk(offset) if isinstance(e, Call) and e.fn in ("/", "%") and column.name in variables(e)]
    if any(static(e.args[1]) is None for e in divided):
        return _lines_of_any_length(offset, column.name, divided)
    lengths = [static(e.args[1]) or 0 for e in divided if variables(e) == {column.name}]
    length, extent = gcd(*lengths), static(column.extent)
    if not divided or len(lengths) < len(divided) or length < 2 or extent is None or extent % length:
        return None
    origin = dict.fromkeys(variables(offset), 0)
    firsts = range(0, extent, length)
    ends = [[value_at(offset, {**origin, column.name: first + c}) for c in (0, 1, length - 1)] for first in firsts]
    step = ends[0][1] - ends[0][0]
    is_even = all(second - first == step for first, second, _ in ends)
    is_onward = all(first - last >= step for (_, _, last), (first, _, _) in pairwise(ends))
    return Lines(Const(length), step) if 1 <= step <= WIDEST_STEP and is_even and is_onward else None


def _lines_of_any_length(offset: Expr, column: str, divided: Sequence[Call]) -> Lines | None:
    """Those of two axes: the offset steps along the quotient and the rest of a column."""
    lengths = {e.args[1] for e in divided if e.args[0] == Var(column)}
    if len(lengths) != 1:
        return None
    (length,) = lengths
    places: dict[Expr, Expr] = {
        Call("/", (Var(column), length), INDEX): Var(LINE),
        Call("%", (Var(column), length), INDEX): Var(WITHIN),
    }
    offset = rewrite(offset, lambda node: places.get(node))
    by_axis = affine(offset, [LINE, WITHIN])
    if by_axis is None or column in variables(offset):
        return None
    step, pitch = static(by_axis.factor(WITHIN)), by_axis.factor(LINE)
    return Lines(length, step, pitch) if step is not None and 1 <= step <= WIDEST_STEP else None
