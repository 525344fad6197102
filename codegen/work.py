"""Work: what a spec has to do on any machine, and what a kernel really moves and issues on one.

work_of        compulsory bytes and operations by kind, closed forms in the dims
operand_bytes  of an operator, whatever its kernels are
Issued         counts of a kernel with a schedule on a device, each an interval: equal ends where the count is exact
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import reduce

from uol.codegen.indexing.arithmetic import NO_DIMS, ZERO, add, folded, mul, product, size, static, value_at
from uol.codegen.specs.evaluations import evaluations
from uol.codegen.specs.graph import KernelGraph
from uol.codegen.specs.nodes import (
    Arg,
    Attention,
    Contract,
    Fold,
    KernelSpec,
    Read,
    Scatter,
    Select,
    Store,
)
from uol.codegen.specs.search import Search, searches
from uol.codegen.specs.traverse import is_one_read, products_in, reads, steps_of
from uol.ir.errors import UolError
from uol.ir.integers.intervals import Interval
from uol.ir.integers.terms import idx
from uol.ir.program.nodes import Axis, Call, Const, Expr
from uol.ir.program.walk import variables
from uol.ir.types import DTYPES, INDEX, is_float

SPECIAL = frozenset(
    ("exp", "exp2", "expm1", "log", "log2", "log1p", "sqrt", "rsqrt", "tanh", "erf", "sin", "cos", "pow", "sigmoid", "/")
)
"""What no unit does in one step: the functions, and a quotient of floats."""

FREE = frozenset(("cast", "select"))
"""Calls that are no operation."""


@dataclass(frozen=True, slots=True)
class Work:
    """What any kernel of a spec does at least, as closed forms in the dims: every element that is read or written moves once.

    read_bytes, written_bytes   of the arguments; of a tensor that is looked up in, as many elements as are looked up, or all;
                                of keys, as many as are halved for every point, or all.
                                What a guard leaves out counts
    operations                  by kind: "f32-vector", "f64-vector", "integer", "special"; "f16-matrix", "bf16-matrix",
                                "f32-matrix", "i8-matrix", ... for the products of a contraction, by the type of its factors.
                                A multiply-add is two; a cast, a choice and what an index is computed by are none
    """

    read_bytes: Expr
    written_bytes: Expr
    operations: Mapping[str, Expr]

    @property
    def bytes(self) -> Expr:
        return add(self.read_bytes, self.written_bytes)


@dataclass(frozen=True, slots=True)
class Issued:
    """What a kernel with a schedule moves and issues on a device. Counts are intervals (least, most); both ends are one where
    the count is exact. A bound that is missing (None) is not known.

    memory_bytes    what passes the device's memory at least: the compulsory bytes
    read_bytes      of global memory, in whole sectors: what the accesses ask the caches for
    written_bytes   likewise
    scratch_bytes   read and written of on-chip memories that kernels address
    operations      by kind, as `Work.operations`; what is computed and not stored (the edge of a tile) counts, too
    primitives      by name: "barrier", "shuffle", or a machine's instructions
    statements      executed statements of the emitted text by unit, each of a thread once
    accesses        bytes of global memory that threads ask for, by tensor and by how many one access has, where threads ask
                    for them; not those of one element that all threads of a warp ask for, which is none of a row's
    cycles          of the core that takes longest, by unit, where the machine's tables say how long its instructions take
    blocks, waves   blocks of the grid, and how often the cores take one each of those that do not leave at once
    resident        blocks that a core has at once, whose waits overlap
    again_bytes     what passes the memory once more: of tensors that the last cache does not hold until they are read again
    waits           how often a block waits for memory, one wait after another
    leaving         blocks that leave at once, where data decides
    longest         the share of all work that the longest block has, where data decides; else 0
    """

    memory_bytes: int
    read_bytes: Interval
    written_bytes: Interval
    scratch_bytes: Interval = Interval(0, 0)
    operations: Mapping[str, Interval] = field(default_factory=dict)
    primitives: Mapping[str, Interval] = field(default_factory=dict)
    statements: Mapping[str, Interval] = field(default_factory=dict)
    accesses: Mapping[tuple[str, int], Interval] = field(default_factory=dict)
    cycles: Mapping[str, Interval] = field(default_factory=dict)
    blocks: int = 1
    waves: int = 1
    resident: int = 1
    again_bytes: int = 0
    waits: int = 1
    launches: int = 1
    leaving: int = 0
    longest: float = 0.0


def work_of(spec: KernelSpec) -> Work:
    """Compulsory bytes and operations of a spec: every term of every fold counts, those that conditions leave out, too.

    >>> from uol.codegen.specs.nodes import Map, Store
    >>> from uol.ir.program.nodes import Var
    >>> strides = (("i", Const(1)),)
    >>> x, y = (Arg(name, "f32", (Const(8),), (Const(1),), role) for name, role in (("x", "in"), ("y", "out")))
    >>> value = Call("exp", (Read("x", Var("i"), strides, (), None, "f32"),), "f32")
    >>> store = Store("y", Var("i"), strides, value, "f32", ("i",), 2)
    >>> work = work_of(Map("f", (x, y), (), (), (), "", (Axis("i", Const(8)),), (store,)))
    >>> work.bytes, work.operations
    (Const(value=64, dtype='idx'), {'special': Const(value=8, dtype='idx')})
    """
    points = _Points({axis.name: axis for axis in spec.axes})
    operations: dict[str, Expr] = {}
    for kind, number in (*_of_values(spec, points), *_of_parts(spec, points)):
        operations[kind] = add(operations.get(kind, ZERO), number)
    return Work(_bytes(spec, _reads(spec, points)), _bytes(spec, _writes(spec, points)), operations)


def operand_bytes(graph: KernelGraph) -> Expr:
    """What a kernel of all of an operator would move: its inputs and results, each once. What lies between kernels is none.

    Of an input that several kernels read it is what the one reads that reads most of it.
    """
    moved: dict[tuple[str, str], list[Expr]] = {}
    own = {arg.name for arg in graph.args}
    for spec in graph.specs:
        points = _Points({axis.name: axis for axis in spec.axes})
        for way, places in (("read", _reads(spec, points)), ("written", _writes(spec, points))):
            for tensor, number in _by_tensor(spec, places).items():
                if tensor in own:
                    moved.setdefault((tensor, way), []).append(number)
    return total_of(reduce(lambda a, b: folded(idx("max", a, b)), numbers) for numbers in moved.values())


def unit_of(dtype: str) -> str:
    """The kind of an operation on a type: narrow floats are computed in f32."""
    return "integer" if not is_float(dtype) else "f64-vector" if dtype == "f64" else "f32-vector"


def operations_of(value: Expr) -> Iterator[str]:
    """The kind of every operation that a value takes at one point; what an index is computed by is none."""
    if isinstance(value, Read):
        return
    if isinstance(value, Search):
        yield from (unit_of(value.value.type) for _ in range(value.steps if static(value.count) is not None else 1))
    if isinstance(value, Call) and value.fn not in FREE:
        operand = value.args[0].type if value.dtype == "bool" else value.dtype
        if operand != INDEX:
            yield "special" if value.fn in SPECIAL and is_float(operand) else unit_of(operand)
    for child in value.children:
        yield from operations_of(child)


def matrix_kind(*factors: Expr) -> str:
    """The kind of the products of two factors: by the widest type that is read, or computed.

    >>> matrix_kind(Read("x", ZERO, (), (), None, "f16"), Read("w", ZERO, (), (), None, "f32"))
    'f32-matrix'
    """
    types = (next(reads(f)).dtype if is_one_read(f) else f.type for f in factors)
    dtype = max(types, key=lambda d: DTYPES[d].bits)
    is_byte = not is_float(dtype) and DTYPES[dtype].bits == 8
    return f"{'i8' if is_byte else dtype}-matrix" if is_float(dtype) or is_byte else "integer"


@dataclass(frozen=True, slots=True)
class _Points:
    """How many points axes span, by their names."""

    axes: Mapping[str, Axis]

    def of(self, names: Iterable[str]) -> Expr:
        wanted = frozenset(names)
        return size(axis for name, axis in self.axes.items() if name in wanted)


def _of_values(spec: KernelSpec, points: _Points) -> Iterator[tuple[str, Expr]]:
    """What the expressions compute, over the axes that they are evaluated over."""
    for each in evaluations(spec):
        yield from ((kind, mul(points.of(each.space), Const(n))) for kind, n in Counter(operations_of(each.expr)).items())


def _of_parts(spec: KernelSpec, points: _Points) -> Iterator[tuple[str, Expr]]:
    """Products, folds, additions and comparisons that are no call: a Select compares each element once at least."""
    match spec:
        case Contract():
            shared = () if spec.segments is None or spec.segments.over == "rows" else (spec.segments.of,)
            axes = [axis.name for axis in spec.axes if axis.name not in shared]
            yield from ((matrix_kind(a, b), mul(points.of(axes), Const(2))) for a, b in products_in(spec))
        case Attention():
            pairs = [axis.name for axis in (*spec.batch, *spec.rows, *spec.cols)]
            for dot in spec.dots:
                yield matrix_kind(dot.a, dot.b), mul(points.of((*pairs, *(a.name for a in dot.depth))), Const(2))
            for total in spec.sums:
                yield matrix_kind(total.value), mul(points.of((*pairs, *(a.name for a in total.width))), Const(2))
            yield from ((unit_of(f.dtype), points.of(pairs)) for f in spec.steps if isinstance(f, Fold))
        case Scatter(add=step):
            yield unit_of(step.dtype), size(spec.axes)
        case Select(rows=rows, col=col, key=key):
            yield unit_of(key.type), size((*rows, col))
        case _:
            yield from ((unit_of(f.value.type), size(spec.axes)) for f in steps_of(spec) if isinstance(f, Fold))


Places = Mapping[tuple[str, Expr], Expr]
"""At how many points an access of a tensor differs, by tensor and offset."""


def _reads(spec: KernelSpec, points: _Points) -> Places:
    found = [(read, each.space) for each in evaluations(spec) for read in reads(each.expr)]
    looked = [(search, each.space) for each in evaluations(spec) for search in searches(each.expr)]
    places = {(read.tensor, read.offset): points.of(_varying(read) & space | _looked_up(spec, read)) for read, space in found}
    return places | {(s.tensor, s): mul(points.of(space), Const(s.steps)) for s, space in looked}


def _looked_up(spec: KernelSpec, read: Read) -> frozenset[str]:
    """The axis whose keys say where a read is, of rows in segments."""
    segments = spec.segments if isinstance(spec, Contract) else None
    return frozenset({segments.at} if segments is not None and segments.of in variables(read.offset) else ())


def _writes(spec: KernelSpec, points: _Points) -> Places:
    """Of a Scatter's tensor all, for it starts at 0."""
    if isinstance(spec, Scatter):
        return {(spec.add.tensor, ZERO): _elements(spec.arg(spec.add.tensor))}
    stores = [step for step in steps_of(spec) if isinstance(step, Store)]
    return {(s.tensor, s.offset): points.of(_varying(s) & frozenset(s.axes)) for s in stores}


def _varying(access: Read | Store) -> frozenset[str]:
    return frozenset(axis for axis, stride in access.strides if stride != ZERO)


def _bytes(spec: KernelSpec, places: Places) -> Expr:
    return total_of(_by_tensor(spec, places).values())


def _by_tensor(spec: KernelSpec, places: Places) -> Mapping[str, Expr]:
    """Bytes of each tensor once: as many elements as there are places, all at most."""
    found: dict[str, Expr] = {}
    for tensor in dict.fromkeys(name for name, _ in places):
        arg = spec.arg(tensor)
        number = total_of(count for (name, _), count in places.items() if name == tensor)
        found[tensor] = mul(folded(idx("min", number, _elements(arg))), Const(DTYPES[arg.dtype].bytes))
    return found


def total_of(counts: Iterable[Expr]) -> Expr:
    """The folded sum."""
    total: Expr = ZERO
    for count in counts:
        total = add(total, count)
    return total


def _elements(arg: Arg) -> Expr:
    """How many elements of memory a buffer has: a dim with stride 0 repeats them."""
    return product(extent for extent, stride in zip(arg.shape, arg.strides, strict=True) if stride != ZERO)


def compulsory(spec: KernelSpec, dims: Mapping[str, int] = NO_DIMS) -> Issued:
    """What a kernel issues that does just what it must: for machines whose caches are their own business. `dims`: the sizes of
    those that are arguments.

    Raises UolError where one is missing.
    """
    work = work_of(spec)
    if missing := [name for name in spec.dims if name not in dims]:
        raise UolError(f"{spec.name} has dims that are arguments: {', '.join(missing)}", hint="give every dim when compiling")
    read, written = (value_at(count, dims) for count in (work.read_bytes, work.written_bytes))
    operations = {kind: exactly(value_at(number, dims)) for kind, number in work.operations.items()}
    return Issued(read + written, exactly(read), exactly(written), operations=operations)


def exactly(count: int) -> Interval:
    """A count that is known."""
    return Interval(count, count)
