"""What a call fixes: types, ranks and dims from the tensors that are passed.

The same unification serves a call from Python, where dims are integers, and a call inside a text, where they are
expressions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from uol.ir.checker.messages import some
from uol.ir.checker.variadic_dims import expand_packs
from uol.ir.errors import ShapeError, UolError
from uol.ir.program.nodes import Const, Expr
from uol.ir.syntax import surface
from uol.ir.syntax.surface import Binary, Name, Number, Op, Pack
from uol.ir.types import resolved


@dataclass(frozen=True, slots=True)
class Argument:
    """A tensor as a call passes it."""

    dtype: str
    shape: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Binding:
    """What the names of an operator stand for in one call. `equations` are the dims that have no unknown left: the
    dim as it is written, the extent that was passed, and the parameter."""

    types: dict[str, str]
    ranks: dict[str, int]
    dims: dict[str, Expr]
    equations: tuple[tuple[surface.Expr, Expr, str], ...]
    op: Op

    @property
    def sizes(self) -> dict[str, int]:
        """The dims as integers, for a call with known shapes."""
        return {name: int(e.value) for name, e in self.dims.items() if isinstance(e, Const)}


def bind(op: Op, arguments: Sequence[Argument]) -> Binding:
    """Types, ranks and dims of a call. Raises ShapeError where the tensors do not fit the parameters."""
    if len(arguments) != len(op.params):
        raise _misfit(op, f"`{op.name}` takes {some(len(op.params), 'tensor')}, not {len(arguments)}")
    types = _types(op, arguments)
    ranks = _ranks(op, arguments)
    expanded = expand_packs(op, ranks)
    dims: dict[str, Expr] = {}
    attributes = {a.name for a in op.attributes}
    pairs = [
        (dim, extent, param.name)
        for param, argument in zip(expanded.params, arguments, strict=True)
        for dim, extent in zip(param.dims, argument.shape, strict=True)
    ]
    for dim, extent, _ in pairs:
        if isinstance(dim, Name) and dim.id not in attributes:
            dims.setdefault(dim.id, extent)
    for dim, extent, _ in pairs:
        if isinstance(dim, Pack) or not isinstance(extent, Const):
            continue
        found = solve(dim, int(extent.value), set(dims) | attributes)
        if found is not None:
            dims.setdefault(found[0], Const(found[1]))
    equations = tuple((d, e, p) for d, e, p in pairs if not isinstance(d, Pack) and not _is_definition(d, e, dims))
    return Binding(types, ranks, dims, equations, expanded)


def bind_shapes(op: Op, tensors: Sequence[tuple[str, Sequence[int]]]) -> Binding:
    """`bind` for tensors given by dtype and integer shape, as a call from Python has them."""
    return bind(op, [Argument(dtype, tuple(Const(int(n)) for n in shape)) for dtype, shape in tensors])


def _types(op: Op, arguments: Sequence[Argument]) -> dict[str, str]:
    sets = {t.variable: t.types for t in op.domain}
    types: dict[str, str] = {}
    for param, argument in zip(op.params, arguments, strict=True):
        if param.type in sets:
            types.setdefault(param.type, argument.dtype)
    for param, argument in zip(op.params, arguments, strict=True):
        wanted = resolved(param.type, types)
        if wanted != argument.dtype and wanted not in sets:
            raise _misfit(op, f"`{param.name}` of `{op.name}` is {wanted}, the tensor is {argument.dtype}", "cast the tensor")
        if param.type in sets and argument.dtype not in sets[param.type]:
            raise _misfit(op, f"`{op.name}` is not for {argument.dtype}", f"it is for {', '.join(sets[param.type])}")
    return types


def _ranks(op: Op, arguments: Sequence[Argument]) -> dict[str, int]:
    ranks: dict[str, int] = {}
    for param, argument in zip(op.params, arguments, strict=True):
        packs = [d.id for d in param.dims if isinstance(d, Pack)]
        plain = len(param.dims) - len(packs)
        given = len(argument.shape)
        if given < plain or (given > plain and not packs):
            least = "at least " if packs else ""
            raise _misfit(op, f"`{param.name}` of `{op.name}` has {least}{some(plain, 'dim')}, the tensor has {given}")
        for pack in packs:
            if ranks.setdefault(pack, given - plain) != given - plain:
                raise _misfit(
                    op, f"`*{pack}` of `{op.name}` has {some(ranks[pack], 'dim')}, in `{param.name}` it has {given - plain}"
                )
    return ranks


def solve(dim: surface.Expr, extent: int, known: AbstractSet[str]) -> tuple[str, int] | None:
    """The name and the value of the one unknown of `k*C + c == extent`; None where there is not one, or no whole one."""
    unknown = {n.id for n in _names(dim)} - known
    if len(unknown) != 1:
        return None
    linear = _linear(dim)
    if linear is None or not linear[0] or (extent - linear[1]) % linear[0]:
        return None
    return unknown.pop(), (extent - linear[1]) // linear[0]


def _linear(dim: surface.Expr) -> tuple[int, int] | None:
    """(k, c) of k*C + c over the one name of a dim."""
    match dim:
        case Number(value=int() as value):
            return 0, value
        case Name():
            return 1, 0
        case Binary(op="+" | "-" | "*" as op, left=left, right=right):
            a, b = _linear(left), _linear(right)
            if a is None or b is None:
                return None
            if op == "*":
                return (a[0] * b[1] + b[0] * a[1], a[1] * b[1]) if not a[0] * b[0] else None
            sign = 1 if op == "+" else -1
            return a[0] + sign * b[0], a[1] + sign * b[1]
    return None


def _names(node: surface.Node) -> list[Name]:
    return [n for n in surface.below(node) if isinstance(n, Name)]


def _is_definition(dim: surface.Expr, extent: Expr, dims: Mapping[str, Expr]) -> bool:
    return isinstance(dim, Name) and dims.get(dim.id) == extent


def _misfit(op: Op, message: str, hint: str | None = None) -> UolError:
    return ShapeError(message, hint=hint or f"its inputs are {', '.join(p.name for p in op.params)}")
