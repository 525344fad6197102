"""Pictures with their zeros: a copy of a factor over the places that its windows lie on.

    y[p, q, o] = sum[r, s, c](x[2 p + r - 3, 2 q + s - 3, c] else 0) * w[o, r, s, c]
    ->   W[h, v, c] = x[h - 3, v - 3, c] else 0;   y[p, q, o] = sum[r, s, c] W[2 p + r, 2 q + s, c] * w[o, r, s, c]

Each pixel is copied once, however many windows have it; what reads the copy asks of no bounds, and its channels lie side by
side, as many as are wanted: those beyond are zeros.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from uol.codegen.indexing.affine import affine
from uol.codegen.indexing.arithmetic import ZERO, add, mul, static, sub
from uol.codegen.names import unused
from uol.codegen.specs.nodes import Arg, Contract, Guard, Pack, Read, Store, Within
from uol.codegen.specs.rewrites import Side, args_of, ordered, over_axes, place_in, strides_over, workspace_over
from uol.codegen.specs.traverse import is_one_read, main_read, names_of, values
from uol.codegen.specs.verify import verified
from uol.ir.integers.polynomials import from_poly, to_poly
from uol.ir.program.nodes import Axis, Const, Expr, Var
from uol.ir.program.walk import rewrite, variables
from uol.ir.types import INDEX


@dataclass(frozen=True, slots=True)
class _Place:
    """An axis of the copy: of the places `first`, `first` + 1 and so on of a sum of axes, `value`; from one to the next it is
    `step` elements of the factor's tensor. Places from `low` to before `high` are there; None: all on that side."""

    axis: Axis
    value: Expr
    first: int
    step: int
    low: Expr | None = None
    high: Expr | None = None

    @property
    def on_tensor(self) -> Expr:
        """The place, of a step along the axis."""
        return add(Var(self.axis.name, INDEX), Const(self.first))

    @property
    def guard(self) -> tuple[Guard, ...]:
        """What holds of the places that there are."""
        return () if self.low is None and self.high is None else (Within(self.on_tensor, self.low, self.high),)


@verified
def pack_places(contract: Contract, side: Side, last: str, wide: int) -> tuple[Pack, Contract] | None:
    """A kernel that copies a factor of a contraction of known sizes over its places, and the contraction that reads it there.
    Along `last`, an axis of which no guard asks, elements lie side by side, `wide` of them: an axis of the sum is moved behind
    the others then, and has as many terms, of which those beyond are 0.

    None where a factor is more than one read, or this one is not of sums of axes between bounds, of which no two share an axis,
    and of zeros elsewhere."""
    factor, other = (contract.a, contract.b) if side == "a" else (contract.b, contract.a)
    read = main_read(factor)
    seen = [axis for axis in contract.axes if axis.name in variables(factor)]
    if not (is_one_read(factor) and is_one_read(other)) or read.fill not in (None, Const(0, read.dtype)):
        return None
    places = _places(read, seen, {*names_of(contract), *(axis.name for axis in contract.axes)}, last, wide)
    if places is None:
        return None
    pack, workspace = _copy(contract, side, read, places)
    k = sorted(contract.k, key=lambda axis: axis.name == last)
    packed = _of_copy(places, workspace, read)
    copied = rewrite(factor, lambda node: packed if node == read else None)
    if k and k[-1].name == last and static(k[-1].extent) != wide:
        other = _guarded(other, k[-1])
        k[-1] = replace(k[-1], extent=Const(wide))
    axes = (*contract.batch, *contract.m, *contract.n, *k)
    factors = (copied, other) if side == "a" else (other, copied)
    a, b = (strides_over(each, [axis.name for axis in axes]) for each in factors)
    made = replace(contract, k=tuple(k), a=a, b=b, epilogue=tuple(over_axes(step, axes) for step in contract.epilogue))
    return pack, replace(made, args=ordered((*args_of(contract, tuple(values(made)), made.epilogue), workspace)))


def _copy(contract: Contract, side: Side, read: Read, places: Sequence[_Place]) -> tuple[Pack, Arg]:
    """The kernel that copies what a factor reads, and where."""
    index = tuple(place.axis for place in places)
    workspace = workspace_over(f"{contract.name}_places_{side}", read.dtype, index)
    rest = _constant(read.offset) - sum(place.step * _constant(place.value) for place in places)
    source = Read(
        read.tensor,
        _total((*(mul(place.on_tensor, Const(place.step)) for place in places), Const(rest))),
        tuple((place.axis.name, Const(place.step)) for place in places),
        tuple(guard for place in places for guard in place.guard),
        Const(0, read.dtype) if any(place.guard for place in places) else None,
        read.dtype,
    )
    offset, strides = place_in(workspace, index, index)
    store = Store(workspace.name, offset, strides, source, read.dtype, tuple(axis.name for axis in index), contract.line)
    pack = Pack(
        name=f"{contract.name}_pad_{side}",
        args=(contract.arg(read.tensor), workspace),
        scalars=(),
        dims=contract.dims,
        facts=contract.facts,
        source=contract.source,
        index=index,
        steps=(store,),
    )
    return pack, workspace


def _places(read: Read, seen: Sequence[Axis], taken: Iterable[str], last: str, wide: int) -> list[_Place] | None:
    """The axes of the copy, those on which pictures lie and the others, in the order of the tensor, but for the last."""
    steps = _factors(read.offset, seen)
    if steps is None:
        return None
    places, left, names = [], {axis.name: axis for axis in seen}, set(taken)
    for guard in read.guard:
        place = _of_guard(guard, left.values(), steps, unused("place", names))
        if place is None:
            return None
        places.append(place)
        names.add(place.axis.name)
        left = {name: axis for name, axis in left.items() if name not in variables(place.value)}
    if last not in left:
        return None
    for name, axis in left.items():
        extent = static(axis.extent) or 0
        is_wider = name == last and wide > extent
        own = replace(axis, extent=Const(wide)) if is_wider else axis
        places.append(_Place(own, Var(name, INDEX), 0, steps[name], None, Const(extent) if is_wider else None))
    return sorted(places, key=lambda place: (place.axis.name == last, -abs(place.step)))


def _of_guard(guard: Guard, left: Iterable[Axis], steps: Mapping[str, int], name: str) -> _Place | None:
    """The axis of the places between a guard's bounds; None where it asks of axes that another one asked of, or the tensor has
    no one step from place to place."""
    if not isinstance(guard, Within):
        return None
    axes = [axis for axis in left if axis.name in variables(guard.value)]
    factors = _factors(guard.value, axes)
    if factors is None or not variables(guard.value) <= set(factors) or not any(factors.values()):
        return None
    ratios = {divmod(steps[axis], factor) for axis, factor in factors.items() if factor}
    if len(ratios) > 1 or any(rest for _, rest in ratios):
        return None
    ((step, _),) = ratios
    reach = [factors[axis.name] * ((static(axis.extent) or 1) - 1) for axis in axes]
    first, past = (_constant(guard.value) + sum(pick(each, 0) for each in reach) for pick in (min, max))
    return _Place(Axis(name, Const(past - first + 1)), guard.value, first, step, guard.low, guard.high)


def _factors(expr: Expr, axes: Iterable[Axis]) -> dict[str, int] | None:
    """How often a sum has each axis; None where it is no such sum, or an extent is unknown."""
    form, numbers = affine(expr), dict[str, int]()
    for axis in axes:
        number = None if form is None else static(form.factor(axis.name))
        if number is None or static(axis.extent) is None:
            return None
        numbers[axis.name] = number
    return numbers


def _constant(expr: Expr) -> int:
    """What a sum of axes is where all are 0."""
    form = affine(expr)
    assert form is not None, "a sum of axes, each a number of times"
    return form.constant.get((), 0)


def _of_copy(places: Sequence[_Place], workspace: Arg, read: Read) -> Read:
    """What reads the copy, over the axes that the factor's read is over."""
    steps = zip(places, workspace.strides, strict=True)
    offset = _total(mul(sub(place.value, Const(place.first)), step) for place, step in steps)
    form = affine(offset)
    assert form is not None, "sums of axes, each a number of times"
    return Read(workspace.name, offset, tuple((axis, form.factor(axis)) for axis, _ in read.strides), (), None, read.dtype)


def _guarded(factor: Expr, last: Axis) -> Expr:
    """The factor with zeros beyond the last term along an axis."""

    def rule(node: Expr) -> Expr | None:
        if not isinstance(node, Read):
            return None
        guard = Within(Var(last.name, INDEX), None, last.extent)
        return replace(node, guard=(*node.guard, guard), fill=Const(0, node.dtype))

    return rewrite(factor, rule)


def _total(terms: Iterable[Expr]) -> Expr:
    """A sum of axes, each once."""
    found: Expr = ZERO
    for term in terms:
        found = add(found, term)
    return from_poly(to_poly(found, {}))


