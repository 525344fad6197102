"""Elements side by side in one access: which reads and stores of a spec lie so along an axis, and how many go at once.

A thread computes `width` elements that follow each other. What it needs of them side by side is loaded before, what it gives
is stored behind, each in accesses of up to 16 bytes where all tensors lie on such addresses; else element by element, in the
same kernel.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from uol.backends.c_text.index_intervals import NATURAL
from uol.backends.simt.c_text.printer import Printer
from uol.backends.simt.c_text.terms import Known, Local, Pointer, Primitive, Scalar, Vector, select
from uol.backends.simt.c_text.types import SHORT_INTEGERS
from uol.backends.simt.elements.multiples import NONE, Multiples, is_multiple_of
from uol.backends.simt.elements.pieces import ELEMENT, Pieces
from uol.backends.simt.elements.spans import FIRST, Group, Span, may_be_picked, one_place, span_of
from uol.backends.simt.kernel.nodes import Assign, Declare, Do, Loop
from uol.backends.simt.kernel.scope import Scope
from uol.backends.simt.machine.limits import SECTOR_BYTES, WHOLE_BYTES
from uol.codegen.indexing.arithmetic import ZERO, add, mul, static, sub, substituted
from uol.codegen.specs.ends import until_end
from uol.codegen.specs.nodes import Fold, Holds, KernelSpec, Read, Reduce, Step, Store
from uol.codegen.specs.sizes import known_multiples
from uol.codegen.specs.traverse import accesses, reads, step_expressions
from uol.ir.integers.intervals import Interval
from uol.ir.integers.terms import negate
from uol.ir.program.nodes import Axis, Call, Const, Expr, Var, zero_of
from uol.ir.program.walk import rewrite, substitute, variables
from uol.ir.types import DTYPES

VECTOR = "vector"
"""The local variable of a kernel that counts its vectors."""
Access = TypeVar("Access", Read, Store, Span)
ALIGNED = "$aligned"
"""Whether all tensors lie where whole accesses may begin."""
FLAG = Var(ALIGNED, "bool")


def width_along(
    spec: KernelSpec, axis: Axis, within: Axis | None = None, along: Iterable[Axis] = (), *, near: bool = False
) -> int:
    """How many elements along an axis a thread should have: so many that the widest is accessed by 16 bytes; 1 where the
    extent is not a multiple of it, or something is neither the same along the axis, nor side by side, nor apart by sectors.
    `within`: an axis along which windows may lie that touch. `along`: axes such that what does not lie along them counts for
    little: where it is the widest, it is moved in pieces. `near`: what lies near together may be picked from vectors."""
    multiples, group = known_multiples(spec.where), Group.of(spec, axis, 1, within)
    spec, end = until_end(spec) if isinstance(spec, Reduce) else (spec, None)
    lengths = (axis.extent,) if end is None or end.axis != axis else (axis.extent, end.first, end.extent)
    moved = [each for each in accesses(spec) if stride_along(each, axis) != ZERO]
    whole = [a for a in moved if is_side_by_side(a, axis, 1, multiples) or is_window(a, axis, within, 1, multiples)]
    if axis.extent == ZERO or not whole:
        return 1
    others = [each for each in moved if each not in whole and not _is_apart(each, axis)]
    if others and not near:
        return 1
    names = {axis.name for axis in along}
    often = [a for a in whole if not names or (isinstance(a, Read) and (a.guard or names & variables(a.offset)))]
    width = WHOLE_BYTES // max(DTYPES[each.dtype].bytes for each in often or whole)
    while width > 1 and not (
        all(is_multiple_of(length, width, multiples) for length in lengths)
        and all(
            is_side_by_side(a, axis, width, multiples)
            or is_window(a, axis, within, width, multiples)
            or (near and may_be_picked(a, group.of_width(width)))
            for a in (*whole, *others)
        )
    ):
        width //= 2
    return width


def is_window(access: Read | Store, axis: Axis, within: Axis | None, width: int, multiples: Multiples = NONE) -> bool:
    """Does each step of the axis go on by a run of elements side by side along `within`? The runs of `width` steps are as many
    vectors as a run has elements."""
    if within is None or static(within.extent) is None or not isinstance(access, Read) or access.guard:
        return False
    if stride_along(access, within) != Const(1) or stride_along(access, axis) != within.extent:
        return False
    return is_multiple_of(substituted(access.offset, {axis.name: ZERO, within.name: ZERO}), width, multiples)


def stride_along(access: Read | Store, axis: Axis) -> Expr | None:
    """By how much the offset goes on with each step of the axis. Where data has a part in it, the spec does not say."""
    if axis.name not in variables(access.offset):
        return ZERO
    found = dict(access.strides).get(axis.name)
    return Const(1) if found is None and steps_by_one(access.offset, axis) else found


def steps_by_one(expr: Expr, axis: Axis) -> bool:
    match expr:
        case Var(name=name):
            return name == axis.name
        case Call(fn="+", args=(a, b)):
            return any(steps_by_one(x, axis) and axis.name not in variables(y) for x, y in ((a, b), (b, a)))
        case Call(fn="-", args=(a, b)):
            return steps_by_one(a, axis) and axis.name not in variables(b)
    return False


def is_side_by_side(access: Read | Store, axis: Axis, width: int, multiples: Multiples = NONE) -> bool:
    """Do steps of the axis go from element to element, groups of `width` from a multiple of it on, all or none of a group where
    conditions hold? `multiples`: what sizes that are arguments are multiples of."""
    first = substituted(access.offset, {axis.name: ZERO})
    if stride_along(access, axis) != Const(1) or not is_multiple_of(first, width, multiples):
        return False
    if isinstance(access, Store):
        return True
    fixed = access.fill is None or axis.name not in variables(access.fill)
    return fixed and all(_is_alike(c, axis, width, multiples) for guard in access.guard for c in guard.conditions)


def _is_alike(condition: Expr, axis: Axis, width: int, multiples: Multiples) -> bool:
    """Has a condition one value in all of a group of `width`? Where it is none of the axis; or compares it with a bound
    between two groups."""
    if axis.name not in variables(condition):
        return True
    match condition:
        case Call(fn="and", args=args):
            return all(_is_alike(a, axis, width, multiples) for a in args)
        case Call(fn="<" | ">=", args=(place, bound)) if axis.name not in variables(bound) and steps_by_one(place, axis):
            first = substituted(place, {axis.name: ZERO})
            return is_multiple_of(first, width, multiples) and is_multiple_of(bound, width, multiples)
    return False


def _is_apart(access: Read | Store, axis: Axis) -> bool:
    """Is each element in a sector of its own anyway, or where data says?"""
    stride = stride_along(access, axis)
    if stride is None:
        return any(True for _ in reads(access.offset))
    step = static(stride)
    return step is not None and step * DTYPES[access.dtype].bytes >= SECTOR_BYTES


@dataclass(slots=True)
class Vectors:
    """What a thread has of `width` elements along an axis: reads and stores by the names of the vectors for them. `backwards`:
    the last of them comes first. `within`: the axis of windows, all of whose steps a thread takes at once. `group`: of what is
    picked from spans of vectors; none where nothing is."""

    axis: Axis
    width: int
    multiples: Multiples = field(default_factory=dict)
    backwards: bool = False
    within: Axis | None = None
    group: Group | None = None
    loads: dict[str, Read] = field(default_factory=dict)
    windows: dict[str, Read] = field(default_factory=dict)
    spans: dict[str, Span] = field(default_factory=dict)
    varying: frozenset[str] = frozenset()
    """By what an element is picked from spans."""
    stores: dict[str, Store] = field(default_factory=dict)

    @property
    def unrolled(self) -> Axis | None:
        """The axis of windows, where there are any; or of what is picked from spans, where no vector is read anew at each of
        its steps."""
        within = self.within
        if within is None or self.windows:
            return within
        if any(within.name in variables(load) for load in self.loads.values()):
            return None
        return within if within.name in self.varying else None

    @property
    def element(self) -> Expr:
        """Which element of its vectors a thread is at."""
        return sub(Const(self.width - 1), Var(ELEMENT)) if self.backwards else Var(ELEMENT)

    def taken(self, step: Step) -> Step:
        """The step of one element, with vectors in place of what lies side by side in memory."""
        step = replace(step, value=self._where_needed(step.value))
        match step:
            case Store() if is_side_by_side(step, self.axis, self.width, self.multiples):
                name = _name_of(step, self.stores, step.tensor)
                self.stores[name] = step
                return replace(step, tensor=name, offset=self.element, strides=(), value=self._value(step.value))
            case Fold(where=where):
                return replace(step, value=self._value(step.value), where=tuple(map(self._value, where)))
        return replace(step, value=self._value(step.value))

    def _where_needed(self, expr: Expr) -> Expr:
        """The expression, in which an arm of a choice that is one for all elements of a vector is read where it is chosen."""
        expr = expr.map_children(self._where_needed)
        if not isinstance(expr, Call) or expr.fn != "select":
            return expr
        chosen, first, second = expr.args
        if not _is_alike(chosen, self.axis, self.width, self.multiples):
            return expr
        return replace(expr, args=(chosen, self._read_where(first, chosen), self._read_where(second, negate(chosen))))

    def _read_where(self, expr: Expr, holds: Expr) -> Expr:
        """The expression with what is read side by side read where a condition holds, that is asked of the same place."""

        def rule(node: Expr) -> Expr | None:
            if not isinstance(node, Read) or node.guard or stride_along(node, self.axis) != Const(1):
                return None
            if not variables(holds) <= variables(node.offset):
                return None
            return replace(node, guard=(Holds(holds),), fill=zero_of(node.dtype))

        return rewrite(expr, rule)

    def _value(self, expr: Expr) -> Expr:
        return rewrite(expr, self._rule)

    def _rule(self, node: Expr) -> Expr | None:
        if not isinstance(node, Read):
            return None
        if self.within is not None and is_window(node, self.axis, self.within, self.width, self.multiples):
            name = _name_of(node, self.windows, node.tensor, "window")
            self.windows[name] = node
            place = add(mul(self.element, self.within.extent), Var(self.within.name))
            return replace(node, tensor=name, offset=place, strides=())
        if is_side_by_side(node, self.axis, self.width, self.multiples):
            return self.taken_read(node)
        return None if self.group is None else self._picked(node, self.group)

    def _picked(self, read: Read, group: Group) -> Expr | None:
        """An element of a span; what is one element for the whole group is read there."""
        if (one := one_place(read, group)) is not None:
            return replace(read, offset=one, strides=())
        found = span_of(read, group)
        if found is None:
            return None
        span, place = found
        self.varying |= variables(place)
        for name, load in self.loads.items():
            if span.count == 1 and (load.tensor, load.offset, load.guard) == (read.tensor, span.first.offset, span.first.guard):
                return replace(read, tensor=name, offset=place, strides=(), guard=(), fill=None)
        name = _name_of(span, self.spans, read.tensor, "span")
        self.spans[name] = span
        return replace(read, tensor=name, offset=place, strides=(), guard=(), fill=None)

    def taken_read(self, read: Read) -> Read:
        """The element of a vector that stands for a read."""
        name = _name_of(read, self.loads, read.tensor)
        self.loads[name] = read
        return replace(read, tensor=name, offset=self.element, strides=(), guard=(), fill=None)

    def at_element(self, step: Step, counter: str) -> Step:
        """The step with the axis, and the counter over all axes, at the element at hand."""
        match step:
            case Store():
                step = replace(step, offset=self.at(step.offset, counter))
            case Fold():
                step = replace(step, where=tuple(self.at(each, counter) for each in step.where))
        return replace(step, value=self.at(step.value, counter))

    def at(self, expr: Expr, counter: str) -> Expr:
        """The same of an expression."""
        return substitute(expr, {name: add(Var(name), self.element) for name in (self.axis.name, counter)})

    def needed(self, names: frozenset[str]) -> frozenset[str]:
        """Names of variables, with the axis where its first step is one."""
        return names | {self.axis.name} if FIRST in names else names

    def known(self, printer: Printer) -> Printer:
        """A printer that knows the vectors and the element."""
        names = printer.names.with_locals([ALIGNED, ELEMENT, *self.loads, *self.windows, *self.spans, *self.stores])
        vectors = {name: f"{names.variables[name]}.at" for name in (*self.loads, *self.stores)}
        vectors |= {name: names.variables[name] for name in self.windows}
        vectors |= {name: f"{names.variables[name]}{'.at' if each.count == 1 else ''}" for name, each in self.spans.items()}
        ranges = printer.ranges
        bounds = {**ranges.variables, ELEMENT: Interval(0, self.width - 1)}
        if self.axis.name in names.variables:
            names = names.bound(**{FIRST: names.variables[self.axis.name]})
            bounds[FIRST] = ranges.variables.get(self.axis.name, NATURAL)
        names = replace(names, tensors={**names.tensors, **vectors})
        return replace(printer, names=names, proofs=replace(printer.proofs, ranges=replace(ranges, variables=bounds)))

    def aligned(self, printer: Printer, workspaces: frozenset[str], further: Iterable[Read] = ()) -> Declare:
        """`const bool aligned = uol::is_aligned(x, y);`. Workspaces always are."""
        moved: list[Read | Store] = [*further, *self.loads.values(), *self.windows.values()]
        moved += [*(span.vector for span in self.spans.values()), *self.stores.values()]
        tensors = dict.fromkeys(each.tensor for each in moved if each.tensor not in workspaces)
        return Declare(printer.names.variables[ALIGNED], Scalar("bool"), Known(are_aligned(tensors), printer))

    def load(self, name: str, read: Read, scope: Scope, into: Expr | None = None) -> None:
        """`const uol::Vector<float, 4> x_vec = uol::load_vector<4>(x, i, aligned);`, or the fill where a guard does not hold.
        `into`: a variable that there is."""
        scope.declare_looked_up(read)
        for mask in (scope.positioned(guard.condition) for guard in read.guard if isinstance(guard, Holds)):
            for asked in reads_in_any_case(mask):
                scope.read_once(asked)
        kind, variable = self.kind_of(read.dtype), scope.printer.names.variables[name]
        if (pieces := self._pieces(read, name, scope.printer)).count > 1:
            scope.put(Declare(variable, kind))
            return pieces.load(read.tensor, scope.positioned(read.offset), read.guard, FLAG, scope)
        value = self._loaded(read, self.width, scope)
        return scope.put(Declare(variable, kind, value) if into is None else Assign(scope.known(into), value))

    def _loaded(self, read: Read, width: int, scope: Scope) -> Expr:
        """`uol::load_vector<4>(x, i, aligned)`, or the fill."""
        condition = scope.conjunction(c for guard in read.guard for c in guard.conditions)
        printer, kind = scope.printer, Vector(Scalar(read.dtype, stored=True), width)
        offset = Known(scope.positioned(read.offset), scope.printer.where(read.guard))
        value = Primitive("load_vector", (width,), (Pointer(read.tensor), offset, FLAG), kind)
        if read.fill is None or condition is None:
            return scope.known(value)
        held = (Scalar(read.dtype, stored=True),) if read.dtype in SHORT_INTEGERS else ()  # whose numbers are ints
        fill = Primitive("filled_vector", (width, *held), (Known(read.fill, printer, stored=True),), kind)
        return scope.known(select(condition, value, fill))

    def load_span(self, name: str, scope: Scope) -> None:
        """All vectors of a span, in registers."""
        span = self.spans[name]
        kind, variable = Scalar(span.vector.dtype, stored=True), scope.printer.names.variables[name]
        if span.count == 1:
            return scope.put(Declare(variable, Vector(kind, span.width), self._of_span(span.first, span.width, scope)))
        scope.put(Declare(variable, kind, extent=span.count * span.width))
        pieces = Pieces(kind, span.width, span.count, Local(variable, kind), in_array=True)
        return pieces.fill(lambda inner: self._of_span(span.vector, span.width, inner), scope)

    def _of_span(self, read: Read, width: int, scope: Scope) -> Expr:
        """A vector, behind statements for the positions that its guards ask about."""
        positioned = scope.positioned(read)
        assert isinstance(positioned, Read)
        return self._loaded(positioned, width, scope)

    def load_window(self, name: str, read: Read, scope: Scope) -> None:
        """All windows of a thread, which lie side by side: a vector for each of their columns."""
        assert self.within is not None
        columns, kind = static(self.within.extent) or 0, Scalar(read.dtype, stored=True)
        variable = scope.printer.names.variable(name)
        scope.put(Declare(variable, kind, extent=self.width * columns))
        first = scope.positioned(substituted(read.offset, {self.within.name: ZERO}))
        pieces = Pieces(kind, self.width, columns, Local(variable, kind), in_array=True)
        pieces.load(read.tensor, first, (), FLAG, scope)

    def _pieces(self, access: Read | Store, name: str, printer: Printer) -> Pieces:
        """Of a vector that is wider than an access."""
        width = min(self.width, WHOLE_BYTES // DTYPES[access.dtype].bytes)
        variable = Local(printer.names.variables[name], self.kind_of(access.dtype))
        return Pieces(Scalar(access.dtype, stored=True), width, self.width // width, variable)

    def read_once(self, steps: Iterable[Step], scope: Scope) -> None:
        """What steps of elements read that is the same for all elements of a thread, read in front of the loop over them."""
        steps = tuple(steps)
        varying = {ELEMENT, *(step.name for step in steps if not isinstance(step, Store))}
        varying |= set() if self.within is None else {self.within.name}
        for read in (read for step in steps for expr in step_expressions(step) for read in reads_in_any_case(expr)):
            if not varying & variables(read):
                scope.read_once(read)

    def declaration(self, name: str, printer: Printer) -> Declare:
        """`uol::Vector<float, 4> y_vec;`"""
        return Declare(printer.names.variables[name], self.kind_of(self.stores[name].dtype))

    def loop(self, inner: Scope, outer: Scope) -> None:
        """`for (int v = 0; v < 4; ++v)` over the statements of one element."""
        element = outer.printer.names.variable(ELEMENT)
        outer.put(Loop(element, ZERO, Const(self.width), tuple(inner.body), unrolled=True))

    def store(self, name: str, offset: Expr, scope: Scope) -> None:
        """`uol::store_vector(y, i, y_vec, aligned);`"""
        place, store = scope.positioned(offset), self.stores[name]
        if (pieces := self._pieces(store, name, scope.printer)).count > 1:
            return pieces.store(store.tensor, place, FLAG, scope)
        vector = Local(scope.printer.names.variables[name], self.kind_of(store.dtype))
        return scope.put(Do(scope.known(Primitive("store_vector", (), (Pointer(store.tensor), place, vector, FLAG)))))

    def kind_of(self, dtype: str) -> Vector:
        """Of a vector."""
        return Vector(Scalar(dtype, stored=True), self.width)


def are_aligned(tensors: Iterable[str]) -> Expr:
    """May whole accesses begin where these tensors do? Where there are none, they may."""
    pointers = tuple(map(Pointer, tensors))
    return Primitive("is_aligned", (), pointers, Scalar("bool")) if pointers else Const(True, "bool")


def reads_in_any_case(expr: Expr) -> Iterator[Read]:
    """The outermost reads of an expression that no condition decides on."""
    match expr:
        case Read():
            yield expr
        case Call(fn="select" | "and" | "or", args=(first, *_)):
            yield from reads_in_any_case(first)
        case _:
            for child in expr.children:
                yield from reads_in_any_case(child)


def _name_of(access: Access, known: Mapping[str, Access], tensor: str, what: str = "vec") -> str:
    """The name of the vector for an access: `$x_vec`, or with a number where another access of the tensor has that."""
    number = 0
    while known.get(name := f"${tensor}_{what}{number or ''}", access) != access:
        number += 1
    return name
