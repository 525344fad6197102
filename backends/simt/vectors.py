"""Elements side by side in one access: which reads and stores of a spec lie so along an axis, and how many go at once.

A thread computes `width` elements that follow each other. What it needs of them side by side is loaded before, what it gives
is stored behind, each in accesses of up to 16 bytes where all tensors lie on such addresses; else element by element, in the
same kernel.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from uol.backends.simt.c_text.printer import Printer
from uol.backends.simt.c_text.scope import Scope
from uol.backends.simt.c_text.types import STORAGE
from uol.backends.simt.schedules import SECTOR_BYTES
from uol.codegen.indexing.arithmetic import ZERO, add, static, substituted
from uol.codegen.specs.nodes import Fold, KernelSpec, Read, Step, Store
from uol.codegen.specs.sizes import known_multiples
from uol.codegen.specs.traverse import accesses, reads
from uol.ir.integers.intervals import Interval
from uol.ir.program.nodes import Axis, Call, Const, Expr, Var
from uol.ir.program.walk import rewrite, substitute, variables
from uol.ir.types import DTYPES

WHOLE_BYTES = 16
"""The largest access of a thread (CUDA C++ Programming Guide, "Device Memory Accesses"; CDNA2 ISA, global_load_dwordx4)."""
ELEMENT = "$v"
"""Which of its elements a thread is at."""
VECTOR = "vector"
"""The local variable of a kernel that counts its vectors."""
ALIGNED = "$aligned"
"""Whether all tensors lie where whole accesses may begin."""


Multiples = Mapping[Expr, int]
"""What sizes that are arguments are multiples of."""
NONE: Multiples = {}


def width_along(spec: KernelSpec, axis: Axis) -> int:
    """How many elements along an axis a thread should have: so many that the widest is accessed by 16 bytes; 1 where the
    extent is not a multiple of it, or something is neither the same along the axis, nor side by side, nor apart by sectors."""
    multiples = known_multiples(spec.where)
    moved = [each for each in accesses(spec) if stride_along(each, axis) != ZERO]
    whole = [each for each in moved if is_side_by_side(each, axis, 1, multiples)]
    if axis.extent == ZERO or not whole:
        return 1
    if not all(_is_apart(each, axis) for each in moved if each not in whole):
        return 1
    width = WHOLE_BYTES // max(DTYPES[each.dtype].bytes for each in whole)
    while width > 1 and not _go_together(whole, axis, width, multiples):
        width //= 2
    return width


def _go_together(whole: Iterable[Read | Store], axis: Axis, width: int, multiples: Multiples) -> bool:
    return is_multiple_of(axis.extent, width, multiples) and all(is_side_by_side(e, axis, width, multiples) for e in whole)


def stride_along(access: Read | Store, axis: Axis) -> Expr | None:
    """By how much the offset goes on with each step of the axis. Where data has a part in it, the spec does not say."""
    if axis.name not in variables(access.offset):
        return ZERO
    found = dict(access.strides).get(axis.name)
    return Const(1) if found is None and _steps_by_one(access.offset, axis) else found


def _steps_by_one(expr: Expr, axis: Axis) -> bool:
    match expr:
        case Var(name=name):
            return name == axis.name
        case Call(fn="+", args=(a, b)):
            return any(_steps_by_one(x, axis) and axis.name not in variables(y) for x, y in ((a, b), (b, a)))
        case Call(fn="-", args=(a, b)):
            return _steps_by_one(a, axis) and axis.name not in variables(b)
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


def is_multiple_of(expr: Expr, of: int, multiples: Multiples) -> bool:
    """Is an index a multiple of a number, whatever its variables are?"""
    if expr in multiples:
        return multiples[expr] % of == 0
    match expr:
        case Const(value=value):
            return int(value) % of == 0
        case Call(fn="+" | "-", args=args):
            return all(is_multiple_of(a, of, multiples) for a in args)
        case Call(fn="*", args=args):
            return any(is_multiple_of(a, of, multiples) for a in args)
    return of == 1


def _is_alike(condition: Expr, axis: Axis, width: int, multiples: Multiples) -> bool:
    """Has a condition one value in all of a group of `width`? Where it is none of the axis; or compares it with a bound
    between two groups."""
    if axis.name not in variables(condition):
        return True
    match condition:
        case Call(fn="and", args=args):
            return all(_is_alike(a, axis, width, multiples) for a in args)
        case Call(fn="<" | ">=", args=(place, bound)) if axis.name not in variables(bound) and _steps_by_one(place, axis):
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
    """What a thread has of `width` elements along an axis: reads and stores by the names of the vectors for them."""

    axis: Axis
    width: int
    multiples: Multiples = field(default_factory=dict)
    loads: dict[str, Read] = field(default_factory=dict)
    stores: dict[str, Store] = field(default_factory=dict)

    def taken(self, step: Step) -> Step:
        """The step of one element, with vectors in place of what lies side by side in memory."""
        match step:
            case Store() if is_side_by_side(step, self.axis, self.width, self.multiples):
                name = _vector_of(step, self.stores)
                self.stores[name] = step
                return replace(step, tensor=name, offset=Var(ELEMENT), strides=(), value=self._value(step.value))
            case Fold(where=where):
                return replace(step, value=self._value(step.value), where=tuple(map(self._value, where)))
        return replace(step, value=self._value(step.value))

    def _value(self, expr: Expr) -> Expr:
        return rewrite(expr, self._rule)

    def _rule(self, node: Expr) -> Expr | None:
        if not isinstance(node, Read) or not is_side_by_side(node, self.axis, self.width, self.multiples):
            return None
        return self.taken_read(node)

    def taken_read(self, read: Read) -> Read:
        """The element of a vector that stands for a read."""
        name = _vector_of(read, self.loads)
        self.loads[name] = read
        return replace(read, tensor=name, offset=Var(ELEMENT), strides=(), guard=(), fill=None)

    def at_element(self, step: Step, counter: str) -> Step:
        """The step with the axis, and the counter over all axes, at the element at hand."""
        values: dict[str, Expr] = {name: add(Var(name), Var(ELEMENT)) for name in (self.axis.name, counter)}
        match step:
            case Store():
                step = replace(step, offset=substitute(step.offset, values))
            case Fold():
                step = replace(step, where=tuple(substitute(each, values) for each in step.where))
        return replace(step, value=substitute(step.value, values))

    def known(self, printer: Printer) -> Printer:
        """A printer that knows the vectors and the element."""
        names = printer.names.with_locals([ALIGNED, ELEMENT, *self.loads, *self.stores])
        vectors = {name: f"{names.variables[name]}.at" for name in (*self.loads, *self.stores)}
        ranges = printer.ranges
        bounds = {**ranges.variables, ELEMENT: Interval(0, self.width - 1)}
        names = replace(names, tensors={**names.tensors, **vectors})
        return replace(printer, names=names, proofs=replace(printer.proofs, ranges=replace(ranges, variables=bounds)))

    def aligned(self, printer: Printer, workspaces: frozenset[str], further: Iterable[Read] = ()) -> str:
        """`const bool aligned = uol::is_aligned(x, y);`. Workspaces always are."""
        moved: tuple[Read | Store, ...] = (*further, *self.loads.values(), *self.stores.values())
        tensors = {each.tensor: None for each in moved if each.tensor not in workspaces}
        call = f"uol::is_aligned({', '.join(map(printer.names.tensor, tensors))})" if tensors else "true"
        return f"const bool {printer.names.variables[ALIGNED]} = {call};"

    def load(self, name: str, read: Read, scope: Scope, into: str | None = None) -> None:
        """`const uol::Vector<float, 4> x_vec = uol::load_vector<4>(x, i, aligned);`, or the fill where a guard does not hold.
        `into`: a variable that there is."""
        scope.declare_looked_up(read)
        condition = scope.condition(c for guard in read.guard for c in guard.conditions)
        printer = scope.printer
        offset = printer.where(read.guard).value(scope.positioned(read.offset))
        value = f"uol::load_vector<{self.width}>({printer.names.tensor(read.tensor)}, {offset}, {self._flag(printer)})"
        if read.fill is not None:
            value = f"{condition} ? {value} : uol::filled_vector<{self.width}>({printer.stored(read.fill)})"
        scope.add(f"{into or f'const {self.type_of(read.dtype)} {printer.names.variables[name]}'} = {value};")

    def declaration(self, name: str, printer: Printer) -> str:
        """`uol::Vector<float, 4> y_vec;`"""
        return f"{self.type_of(self.stores[name].dtype)} {printer.names.variables[name]};"

    def loop(self, inner: Scope, outer: Scope) -> None:
        """`for (int v = 0; v < 4; ++v)` over the statements of one element."""
        element = outer.printer.names.variable(ELEMENT)
        outer.lines.append("#pragma unroll")
        outer.block(f"for ({outer.printer.index_type} {element} = 0; {element} < {self.width}; ++{element})", inner.lines)

    def store(self, name: str, offset: str, printer: Printer) -> str:
        """`uol::store_vector(y, i, y_vec, aligned);`"""
        tensor = printer.names.tensor(self.stores[name].tensor)
        return f"uol::store_vector({tensor}, {offset}, {printer.names.variables[name]}, {self._flag(printer)});"

    def _flag(self, printer: Printer) -> str:
        return printer.names.variables[ALIGNED]

    def type_of(self, dtype: str) -> str:
        """Of a vector."""
        return f"uol::Vector<{STORAGE[dtype]}, {self.width}>"


def _vector_of(access: Read | Store, known: Mapping[str, Read | Store]) -> str:
    """The name of the vector for an access: `$x_vec`, or with a number where another access of the tensor has that."""
    number = 0
    while known.get(name := f"${access.tensor}_vec{number or ''}", access) != access:
        number += 1
    return name
