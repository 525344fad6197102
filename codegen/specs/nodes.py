"""Kernel specs: what one kernel computes, with nothing said about how.

A spec is the hand-over from the middle of the house to its backends. Index, guard and value are expressions of the program;
in place of `Load` stands `Read`, whose offset is flat over the spec's axes. Loops and tails live in the renderers.

    Map       y[axes] = steps
    Reduce    rows x cols: folds over the cols, then row and element steps
    Contract  acc[batch, m, n] = sum over k of a[batch, m, k] * b[batch, n, k], then an epilogue; in segments, too
    Attention sums over cols of what becomes of inner products of rows with cols
    Pack      y[axes] = one read: a copy into another layout
    Scan      running folds along one axis, for each of rows
    Scatter   y[place(index)] += value(index)
    Select    the order of a row's elements, or its first places

Attention, Scan, Scatter, Select and segments are asked for by `Capability`: a machine that does not name them gets others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Literal, Self

from uol.codegen.partition.grouped_value import Mode
from uol.ir.integers.terms import compare
from uol.ir.program.nodes import Axis, Expr, Scalar

ArgRole = Literal["in", "out", "workspace"]


@dataclass(frozen=True, slots=True)
class Arg:
    """A buffer of a kernel. `shape` and `strides` (in elements) are per logical dim; the buffer starts at its first
    element. A result or workspace is dense in some order of its dims; an input may have any non-negative strides."""

    name: str
    dtype: str
    shape: tuple[Expr, ...]
    strides: tuple[Expr, ...]
    role: ArgRole


@dataclass(frozen=True, slots=True)
class Within:
    """low <= value < high; a missing side is None. Only the sides that had to be checked are present."""

    value: Expr
    low: Expr | None
    high: Expr | None

    @property
    def children(self) -> tuple[Expr, ...]:
        return tuple(e for e in (self.value, self.low, self.high) if e is not None)

    @property
    def conditions(self) -> tuple[Expr, ...]:
        """Each side that is there, as a comparison."""
        low = () if self.low is None else (compare(">=", self.value, self.low),)
        return low if self.high is None else (*low, compare("<", self.value, self.high))

    def map_children(self, go: Callable[[Expr], Expr]) -> Self:
        low, high = (None if side is None else go(side) for side in (self.low, self.high))
        return replace(self, value=go(self.value), low=low, high=high)


@dataclass(frozen=True, slots=True)
class Holds:
    """Any other condition on an access (divisibility, masks, data-dependent indices)."""

    condition: Expr

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.condition,)

    @property
    def conditions(self) -> tuple[Expr, ...]:
        return self.children

    def map_children(self, go: Callable[[Expr], Expr]) -> Self:
        return replace(self, condition=go(self.condition))


Guard = Within | Holds
Strides = tuple[tuple[str, Expr | None], ...]
"""(axis name, elements per step of that axis), in the order of the spec's axes."""


def guard_operands(guards: Iterable[Guard]) -> tuple[Expr, ...]:
    """What guards compare, in order."""
    return tuple(operand for guard in guards for operand in guard.children)


@dataclass(frozen=True, slots=True)
class Read(Expr):
    """`tensor[offset]` where every guard holds, else `fill`.

    offset    flat element offset over the spec's axes, in Horner form
    strides   (axis name, elements per step of it), for every axis of the spec in order; None where none is the same along it
    guard     empty when every access is proven; then `fill` is None"""

    tensor: str
    offset: Expr
    strides: Strides
    guard: tuple[Guard, ...]
    fill: Expr | None
    dtype: str

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.offset, *guard_operands(self.guard), *(() if self.fill is None else (self.fill,)))

    def map_children(self, go: Callable[[Expr], Expr]) -> Self:
        return replace(
            self,
            offset=go(self.offset),
            strides=tuple((name, None if stride is None else go(stride)) for name, stride in self.strides),
            guard=tuple(guard.map_children(go) for guard in self.guard),
            fill=None if self.fill is None else go(self.fill),
        )

    def stride(self, axis: str) -> Expr | None:
        """The constant stride along `axis`; None when there is none."""
        return dict(self.strides)[axis]


@dataclass(frozen=True, slots=True)
class Let:
    """`name = value`. `axes` names the axes that the value varies over: a subset of the spec's."""

    name: str
    value: Expr
    dtype: str
    axes: tuple[str, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Fold:
    """`name = op over the spec's cols of value`: one value a row.
    op is sum prod max min any all argmax argmin; in a Scan, recurrence: `value` is a map, `affine(by, plus)`, and the result
    t -> by * t + plus of all of them in turn, from 0 on. argmax and argmin: `value` is what is compared, the result is the
    row-major linear index over the cols in the spec's order, as i64 (i32 once it is known to fit). `where`: conditions."""

    name: str
    op: str
    value: Expr
    dtype: str
    where: tuple[Expr, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Store:
    """`tensor[offset] = value`, over `axes` (all of the spec's, or a Reduce's rows)."""

    tensor: str
    offset: Expr
    strides: Strides
    value: Expr
    dtype: str
    axes: tuple[str, ...]
    line: int


Step = Let | Fold | Store


@dataclass(frozen=True, slots=True)
class KernelSpec:
    """What every spec has. `dims`: symbolic dims, passed as arguments; `facts`: what is known about them;
    `source`: the printed op. Args come inputs first, then results, then workspaces, in the op's order. `where`: for which sizes
    of dims it has a kernel, which is not launched for others; a graph's specs are for all."""

    name: str
    args: tuple[Arg, ...]
    scalars: tuple[Scalar, ...]
    dims: tuple[str, ...]
    facts: tuple[Expr, ...]
    source: str
    where: tuple[Expr, ...] = field(default=(), kw_only=True)

    @property
    def axes(self) -> tuple[Axis, ...]:
        raise NotImplementedError  # every kind has its own

    def arg(self, name: str) -> Arg:
        return next(a for a in self.args if a.name == name)


@dataclass(frozen=True, slots=True)
class Map(KernelSpec):
    """Every element on its own. `index`: the iteration space in the (first) result's order; steps are Let and Store."""

    index: tuple[Axis, ...]
    steps: tuple[Step, ...]

    @property
    def axes(self) -> tuple[Axis, ...]:
        return self.index


@dataclass(frozen=True, slots=True)
class Reduce(KernelSpec):
    """Folds over `cols` for each of `rows`, with steps in order. A Let or Store whose axes lie within the rows is a row step,
    any other an element step; one after a fold may use its name. A row step may be alike along some rows. Several folds and
    stores are usual (softmax: max, sum, a store of every element). `ascending`: buffers that ascend along their last dim.
    `columns`: Stores over the first of the rows and the cols, of sums over all other rows of what is made of the steps'."""

    rows: tuple[Axis, ...]
    cols: tuple[Axis, ...]
    steps: tuple[Step, ...]
    ascending: tuple[str, ...] = ()
    columns: tuple[Step, ...] = ()

    @property
    def axes(self) -> tuple[Axis, ...]:
        return self.rows + self.cols


@dataclass(frozen=True, slots=True)
class Segments:
    """Rows or terms of a Contract in segments by `key`, an index that is read from data and varies along the axis `at` alone.

    rows    `at` is the only axis of m; `of` is the segment of a row, on which b depends, and not on m. Neighbouring rows are
            mostly of one segment; nothing goes wrong where they are not
    terms   `at` is the only axis of k; `of` is an axis of batch (0, where that is gone), whose terms are those with that key.
            The keys ascend: where they do not, what is summed is not specified, but nothing outside of operands is touched
    bounds  the argument for where segments begin (`contractions/segment_bounds.py`), of rows that ascend, too; or empty"""

    over: Mode
    at: str
    key: Expr
    of: str
    bounds: str = ""


@dataclass(frozen=True, slots=True)
class Contract(KernelSpec):
    """acc[batch, m, n] = sum[k](a * b): `a` and `b` are each one Read in casts, or computed around one at all of the factor's
    axes (`Capability.computed_factors`); a varies over batch, m, k, b over batch, n, k; the result's unit-stride axis is the
    last of n, where it is none of batch. `epilogue`: Lets and Stores that read `acc` over batch, m, n. Of each there may be
    several axes (a convolution has m = n, p, q). `tf32`: may f32 factors be in TF32? `sums`: Lets and Stores over batch
    and m that read `sum_of_a`, sum[k](a). `more`: factors of further products that `acc` has."""

    batch: tuple[Axis, ...]
    m: tuple[Axis, ...]
    n: tuple[Axis, ...]
    k: tuple[Axis, ...]
    a: Expr
    b: Expr
    acc: str
    acc_dtype: str
    line: int
    epilogue: tuple[Step, ...]
    segments: Segments | None = None
    tf32: bool = False
    sum_of_a: str = ""
    sums: tuple[Step, ...] = ()
    more: tuple[tuple[Expr, Expr], ...] = ()

    @property
    def axes(self) -> tuple[Axis, ...]:
        return self.batch + self.m + self.n + self.k


@dataclass(frozen=True, slots=True)
class Dot:
    """`name = sum over depth of a * b`, a value for each of an Attention's rows and cols. `a` varies over batch, rows and
    depth, `b` over batch, cols and depth; each holds exactly one Read, wrapped in casts."""

    name: str
    depth: tuple[Axis, ...]
    a: Expr
    b: Expr
    dtype: str
    line: int


@dataclass(frozen=True, slots=True)
class Weighted:
    """`name = sum over cols of weight * value`, a value for each of an Attention's rows and of width. `weight` is the name of
    a Let over rows and cols; `value` varies over batch, cols and width, and holds exactly one Read, wrapped in casts."""

    name: str
    width: tuple[Axis, ...]
    weight: str
    value: Expr
    dtype: str
    line: int


@dataclass(frozen=True, slots=True)
class Attention(KernelSpec):
    """sum[cols](w(dots[rows, cols]) * value[cols, width]) for each of `batch` and `rows`, for every one of `sums`:

        forward   s = q . k,               w = exp(s - hi),                      y = sum of w * v
        dq        s = q . k, dp = dy . v,  w = exp(s - hi) / z * (dp - delta),   dq = sum of w * k
        dk, dv    the same dots, their rows and cols exchanged; two weights,     dk = sum of w * q, dv = sum of p * dy

    `steps` are Lets over batch, rows and cols that use the dots, and Folds over the cols ("sum", and one "max" at most).
    `epilogue` steps (Let, Store) are over batch, rows and the width of one sum, or over batch and rows alone, and use sums
    and folds. No value over rows and cols is stored.
    Where there is a Fold of "max", `hi`, every weight and every other fold's value is a multiple of exp(t - hi), t being what
    `hi` is the maximum of, or exactly 0 (under a `select`). So the cols may pass by in tiles: what was added up under a
    smaller maximum is multiplied by exp(old - new). In a row whose `hi` stays at -inf every such exp is NaN."""

    batch: tuple[Axis, ...]
    rows: tuple[Axis, ...]
    cols: tuple[Axis, ...]
    dots: tuple[Dot, ...]
    steps: tuple[Step, ...]
    sums: tuple[Weighted, ...]
    epilogue: tuple[Step, ...]

    @property
    def axes(self) -> tuple[Axis, ...]:
        """A depth and a width may be one axis."""
        inner = (a for part in (*(d.depth for d in self.dots), *(s.width for s in self.sums)) for a in part)
        return tuple(dict.fromkeys((*self.batch, *self.rows, *self.cols, *inner)))

    @property
    def hi(self) -> Fold | None:
        """The maximum that the weights are relative to."""
        return next((s for s in self.steps if isinstance(s, Fold) and s.op == "max"), None)


@dataclass(frozen=True, slots=True)
class Pack(KernelSpec):
    """`out[index] = value`: one Read (or its cast) copied into a layout that another kernel wants. `index` is the
    physical order of the result, whose offset is dense over it. Positions beyond the source are the read's fill."""

    index: tuple[Axis, ...]
    steps: tuple[Step, ...]

    @property
    def axes(self) -> tuple[Axis, ...]:
        return self.index


@dataclass(frozen=True, slots=True)
class Scan(KernelSpec):
    """Running folds along `along` for each of `rows`. A Fold's name is, at each position, its op over the values at the
    positions up to this one (`reverse`: from this one on); with `exclusive` this one does not count, and the value at the
    last position (`reverse`: the first) is not evaluated. An index that argmax or argmin give is one along the axis. Lets
    and Stores are over these axes, or rows alone (a Store: what folds come to at last), and may use the folds' names."""

    rows: tuple[Axis, ...]
    along: Axis
    reverse: bool
    exclusive: bool
    steps: tuple[Step, ...]

    @property
    def axes(self) -> tuple[Axis, ...]:
        return (*self.rows, self.along)


@dataclass(frozen=True, slots=True)
class Scatter(KernelSpec):
    """The tensor that `add` names starts at 0; at every point of `index` where `guard` holds, `add.value` is added to its
    element at `add.offset`. Points may share an element; the order of the additions is not specified. `place` is the
    element's index along each dim of the tensor: where it is an axis alone, points that differ in that axis share nothing.
    `steps` are Lets."""

    index: tuple[Axis, ...]
    steps: tuple[Step, ...]
    place: tuple[Expr, ...]
    guard: tuple[Guard, ...]
    add: Store

    @property
    def axes(self) -> tuple[Axis, ...]:
        return self.index


@dataclass(frozen=True, slots=True)
class Select(KernelSpec):
    """For each of `rows`, the elements along `col` in the order of `key` (a value over rows and col): `at`, of type
    `at_dtype`, is the index along `col` of the element that stands at `place`. Equal keys keep their order, NaN is greater
    than every number. `place` runs over as many elements as are asked for. `steps` (Let, Store) are over rows and place and
    use `at`, in offsets too. `run`: a row is two runs that are in order already, the first of so many elements. `tally`: a
    Store over `keys` alone, of how many elements of the row have each of these as their key, which is an integer."""

    rows: tuple[Axis, ...]
    col: Axis
    place: Axis
    key: Expr
    descending: bool
    at: str
    at_dtype: str
    line: int
    steps: tuple[Step, ...]
    run: int | None = None
    keys: tuple[Axis, ...] = ()
    tally: Store | None = None

    @property
    def axes(self) -> tuple[Axis, ...]:
        return (*self.rows, self.col, self.place, *self.keys)
