"""Types and extents of a text whose type variables are not bound: what a gradient's casts and bounds are made of.

A type is a name of the text (`T`, `f32`), `acc(T)` where that differs from T for some T of its set, "idx", "bool", or
None for what has no type of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

from uol.ir.functions import FUNCTIONS
from uol.ir.gradients.maps.signs import Signs
from uol.ir.gradients.text.substitution import Item, binder_key, index_key
from uol.ir.integers.terms import COMPARISONS
from uol.ir.syntax.surface import (
    Access,
    Apply,
    Binary,
    Bool,
    Expr,
    Name,
    Node,
    Number,
    Op,
    Pack,
    Param,
    Reduction,
    Unary,
    bounded_by,
    operands,
)
from uol.ir.types import DTYPES, INDEX, accumulator_of, base_type, is_float

Dims = tuple[Item, ...]


@dataclass(slots=True)
class Types:
    """The type variables of an operator with their sets, the tensors that are known so far, and what is known of the dims."""

    sets: Mapping[str, tuple[str, ...]]
    tensors: dict[str, str] = field(default_factory=dict)
    dims: dict[str, Dims] = field(default_factory=dict)
    signs: Signs = field(default_factory=Signs)

    def is_float(self, dtype: str | None) -> bool:
        if dtype is None:
            return False
        name = base_type(dtype)
        return all(DTYPES[t].kind == "float" for t in self.sets.get(name, (name,)) if t in DTYPES) and dtype != INDEX

    def accumulator(self, dtype: str) -> str:
        """What `acc` casts to."""
        if base_type(dtype) != dtype:
            return dtype
        if dtype in DTYPES:
            return DTYPES[dtype].accumulator
        wide = all(DTYPES[t].accumulator == t for t in self.sets[dtype])
        return dtype if wide else accumulator_of(dtype)

    def canonical(self, dtype: str) -> str:
        """The name by which a declared type goes here: `acc(T)` only where that differs from T."""
        return dtype if base_type(dtype) == dtype else self.accumulator(base_type(dtype))

    def cast(self, expr: Expr, source: str, target: str) -> Expr:
        """`expr` of type `source` as a `target`. From one variable's accumulator to another's there is no word in the
        language but through the variable."""
        if source == target:
            return expr
        match expr:
            case Apply(fn="select", args=(condition, a, Number(value=0) as zero)) if not isinstance(a, Pack):
                return Apply("select", (condition, self.cast(a, source, target), zero))
            case Apply(fn="select", args=(condition, Number(value=0) as zero, b)) if not isinstance(b, Pack):
                return Apply("select", (condition, zero, self.cast(b, source, target)))
            case Unary(op="neg", arg=Apply(fn="acc", args=(arg,))) if not isinstance(arg, Pack) and self.of(arg) == target:
                return Unary("neg", arg)
            case Apply(fn="acc", args=(arg,)) if not isinstance(arg, Pack) and self.of(arg) == target:
                return arg
        if self.accumulator(source) == target:
            return Apply("acc", (expr,))
        if base_type(target) != target:
            return Apply("acc", (Apply(base_type(target), (expr,)),))
        return Apply(target, (expr,))

    def of(self, node: Node) -> str | None:
        """The type of an expression."""
        match node:
            case Bool() | Unary(op="not"):
                return "bool"
            case Binary(op=op) if op in COMPARISONS or op in ("and", "or"):
                return "bool"
            case Unary() | Binary():
                return self.common(operands(node))
            case Apply(fn="acc", args=(arg,)):
                inner = self.of(arg)
                return None if inner is None else self.accumulator("i64" if inner == INDEX else inner)
            case Apply(fn=fn) if fn in DTYPES or fn in self.sets:
                return fn
            case Apply(fn="select", args=(_, a, b)):
                return self.common((a, b))
            case Apply(fn=fn, args=args) if fn in FUNCTIONS:
                return self.common(args)
            case Access(tensor=Name(id=name)):
                return self.tensors.get(name)
            case Reduction(op="argmax" | "argmin" | "argsort"):
                return "i64"
            case Reduction(args=args):
                return self.of(args[0])
        return None

    def common(self, parts: tuple[Node, ...]) -> str | None:
        return next((t for t in map(self.of, parts) if t is not None), None)

    def declare(self, param: Param) -> None:
        self.tensors[param.name] = self.canonical(param.type)
        self.dims[param.name] = param.dims


def float_types(op: Op, integers: Collection[str] = ()) -> Op:
    """The operator with every type variable that can be a float restricted to floats; those of `integers`, which can be others,
    to these."""
    domain = []
    for type_set in op.domain:
        wanted = tuple(t for t in type_set.types if t in DTYPES and is_float(t) != (type_set.variable in integers))
        domain.append(replace(type_set, types=wanted) if wanted else type_set)
    return replace(op, domain=tuple(domain))


def has_gradient(op: Op, integers: Collection[str] = ()) -> bool:
    """Whether an operator goes from a float to a float, with integers for some of the type variables that admit both."""
    op = float_types(op, integers)
    types = Types({t.variable: t.types for t in op.domain})
    return all(any(types.is_float(p.type) for p in params) for params in (op.params, op.results))


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an index stands alone: the tensor, and the number of the dim.

    firm      without an `else`
    bounding  not this index, but one of a reduction that it bounds: `j` of `sum[j <= i](x[j])`
    """

    tensor: str
    dim: int
    firm: bool
    bounding: bool = False


def standing(node: Node, index: Item) -> Iterator[Standing]:
    """Every place where an index stands alone in an expression."""
    if isinstance(node, Reduction):
        if index_key(index) in map(binder_key, node.binders):
            return
        for binder in bounded_by(node, index):
            found = (place for arg in node.args for place in standing(arg, Name(binder.name)))
            yield from (replace(place, firm=False, bounding=True) for place in found)
    if isinstance(node, Access) and isinstance(node.tensor, Name):
        for number, item in enumerate(node.index):
            if item == index:
                yield Standing(node.tensor.id, number, node.fill is None)
    for operand in operands(node):
        yield from standing(operand, index)


def extent_in(
    types: Types, nodes: tuple[Node, ...], index: Item, *, firm: bool = False, alone: bool = False
) -> Item | None:
    """The dim over which an index runs where it stands alone in the expressions; an `else` counts where nothing else does, and
    what it bounds where it stands nowhere alone, unless that is asked for; several that do not agree count for nothing."""
    places = [p for n in nodes for p in standing(n, index) if p.dim < len(types.dims.get(p.tensor, ()))]
    counted = next((p for p in places if p.firm), None)
    if counted is not None:
        return types.dims[counted.tensor][counted.dim]
    own = [p for p in places if not p.bounding]
    loose = list(dict.fromkeys(types.dims[p.tensor][p.dim] for p in (own if own or alone else places)))
    return loose[0] if len(loose) == 1 and not firm else None
