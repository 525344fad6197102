"""Sizes that a call tells, in a C interface: where each symbolic dim is read off, and expressions over them as C."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from uol.codegen.indexing.dim_values import over_dims
from uol.codegen.specs.expression_text import expr_text
from uol.codegen.specs.nodes import KernelGraph
from uol.ir.errors import UolError
from uol.ir.program.nodes import Call, Const, Expr, Var

_INFIX = {"and": "&&", "or": "||", **{op: op for op in ("+", "-", "*", "<", "<=", ">", ">=", "==", "!=")}}
_FUNCTIONS = {"/": "uol_floor_div", "%": "uol_floor_mod", "min": "uol_min", "max": "uol_max"}


@dataclass(frozen=True, slots=True)
class DimRow:
    """A symbolic dim: the size of tensor number `tensor` (called `name_of_tensor`) along `axis`."""

    name: str
    tensor: int
    axis: int
    name_of_tensor: str


def dim_rows(graph: KernelGraph) -> tuple[DimRow, ...]:
    """Where each of the graph's dims is read off, in order. Those that are no tensor's size by themselves are left out."""
    places: dict[str, DimRow] = {}
    for number, arg in enumerate(graph.args):
        for axis, extent in enumerate(arg.shape):
            if isinstance(extent, Var):
                places.setdefault(extent.name, DimRow(extent.name, number, axis, arg.name))
    return tuple(places[name] for name in graph.dims if name in places)


def untold_dims(graph: KernelGraph) -> tuple[str, ...]:
    """The dims that a caller in C cannot tell by the shapes of tensors."""
    told = {row.name for row in dim_rows(graph)}
    return tuple(name for name in graph.dims if name not in told)


def conditions(graph: KernelGraph) -> tuple[Expr, ...]:
    """What must hold of the sizes of a call, beyond that none is negative: the `where` clause and what the proofs left over."""
    natural = {Call(">=", (Var(name), Const(0)), "bool") for name in graph.dims}
    return tuple(c for c in over_dims((*graph.facts, *graph.checks), graph.dims) if c not in natural)


def c_text(expr: Expr, dims: Mapping[str, str]) -> str:
    """An expression over dims in C, in parentheses where it has parts; `/` and `%` floor, and by 0 give 0.

    >>> c_text(Call("/", (Var("N"), Const(2)), "idx"), {"N": "dims[0]"})
    'uol_floor_div(dims[0], 2)'
    """
    match expr:
        case Const(value=value):
            return str(int(value))
        case Var(name=name):
            return dims[name]
        case Call(fn="neg" | "not" as fn, args=(arg,)):
            return f"({'-' if fn == 'neg' else '!'}{c_text(arg, dims)})"
        case Call(fn=fn, args=(left, right)) if fn in _INFIX:
            return f"({c_text(left, dims)} {_INFIX[fn]} {c_text(right, dims)})"
        case Call(fn=fn, args=(left, right)) if fn in _FUNCTIONS:
            return f"{_FUNCTIONS[fn]}({c_text(left, dims)}, {c_text(right, dims)})"
    raise UolError(f"{expr_text(expr)} is no expression over sizes")
