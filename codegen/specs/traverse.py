"""Walking and rebuilding a spec of any kind, by the structure of its dataclasses.

    parts         steps, products, segments, guards     expressions    everything that is evaluated
    accesses      reads and stores                      axis_groups    the axes, by what they are for
    searched      what is looked for among keys
    mapped        the spec with its expressions, steps, axes or their names exchanged

What a pass does to one kind of spec it does to all: where a field is added to a kind, nothing here or in a pass changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from typing import Any, TypeVar

from uol.codegen.specs.head import SpecHead
from uol.codegen.specs.nodes import (
    Attention,
    Contract,
    Dot,
    Fold,
    Holds,
    KernelSpec,
    Let,
    Read,
    Segments,
    Select,
    Step,
    Store,
    Strides,
    Weighted,
    Within,
)
from uol.codegen.specs.search import Search, searches
from uol.ir.integers.terms import ZERO
from uol.ir.program.nodes import Axis, Call, Const, Expr, Var
from uol.ir.program.walk import rewrite, walk

S = TypeVar("S", bound=KernelSpec)
Part = Let | Fold | Store | Dot | Weighted | Segments | Within | Holds
"""What a spec is put together from, beside axes and expressions."""


def parts(spec: KernelSpec) -> Iterator[Part]:
    """Every part of a spec, in the order of its fields."""
    for value in _own(spec).values():
        yield from (part for part in (value if isinstance(value, tuple) else (value,)) if isinstance(part, Part))


def steps_of(spec: KernelSpec) -> tuple[Step, ...]:
    """The steps of any kind of spec; of a Contract, its epilogue."""
    return tuple(part for part in parts(spec) if isinstance(part, Step))


def expressions(spec: KernelSpec) -> Iterator[Expr]:
    """Every expression of a spec that is evaluated: values, conditions, keys and store offsets."""
    return _expressions(tuple(_own(spec).values()))


def step_expressions(step: Step) -> tuple[Expr, ...]:
    return tuple(_expressions(step))


def values_of(step: Step) -> tuple[Expr, ...]:
    """The values that a step computes, without the offset that a store writes to."""
    return (step.value, *step.where) if isinstance(step, Fold) else (step.value,)


def values(spec: KernelSpec) -> Iterator[Expr]:
    """Every expression of a spec but the offsets that its stores write to."""
    for value in _own(spec).values():
        for part in value if isinstance(value, tuple) else (value,):
            yield from values_of(part) if isinstance(part, Step) else _expressions(part)


def reads(expr: Expr) -> Iterator[Read]:
    """The reads of an expression, in order, those within indices and guards included."""
    return (node for node in walk(expr) if isinstance(node, Read))


def main_read(factor: Expr) -> Read:
    """The read of a factor of a product: the one that it is, or that others stand beside, at all of the factor's axes."""
    return max(reads(factor), key=lambda read: sum(stride != ZERO for _, stride in read.strides))


def is_one_read(factor: Expr) -> bool:
    """Is a factor a read, perhaps in casts?"""
    while isinstance(factor, Call) and factor.fn == "cast":
        (factor,) = factor.args
    return isinstance(factor, Read)


def products_in(spec: Contract) -> tuple[tuple[Expr, Expr], ...]:
    """The factors of all products that a contraction sums."""
    return ((spec.a, spec.b), *spec.more)


def accesses(spec: KernelSpec) -> Iterator[Read | Store]:
    """Every read and every store of a spec."""
    for expr in expressions(spec):
        yield from reads(expr)
    yield from (step for step in steps_of(spec) if isinstance(step, Store))


def searched(spec: KernelSpec) -> Iterator[Search]:
    """Every search of a spec: they read, too."""
    return (search for expr in expressions(spec) for search in searches(expr))


def axis_groups(spec: KernelSpec) -> dict[str, tuple[Axis, ...]]:
    """The axes of a spec by the field that they stand in: only axes of one group may become one. An axis with a part of its
    own (what a scan runs along) is in no group."""
    return _own(spec, "tuple[Axis, ...]")


def lines_of(spec: KernelSpec) -> list[int]:
    """The lines of the operator that a spec computes."""
    own = {spec.line} if isinstance(spec, Contract | Select) else set()
    return sorted(own | {part.line for part in parts(spec) if isinstance(part, Step | Dot | Weighted)})


def names_of(spec: KernelSpec) -> tuple[str, ...]:
    """The names that a spec gives to values of its own: accumulators, segments of rows, products, steps."""
    match spec:
        case Contract(acc=acc, segments=Segments(over="rows", of=of)):
            own: tuple[str, ...] = (acc, of)
        case Contract(acc=acc, sum_of_a=name):
            own = (acc, *filter(None, (name,)))
        case Attention(dots=dots, sums=sums):
            own = (*(dot.name for dot in dots), *(total.name for total in sums))
        case Select(at=at):
            own = (at,)
        case _:
            own = ()
    return own + tuple(step.name for step in steps_of(spec) if isinstance(step, Let | Fold))


def own_segment(spec: Contract) -> Expr:
    """Of terms in segments: the one that a point of batch sums."""
    assert spec.segments is not None
    return Var(spec.segments.of) if spec.segments.of in {a.name for a in spec.batch} else Const(0)


def mapped(
    spec: S,
    *,
    expr: Callable[[Expr], Expr] = lambda expr: expr,
    step: Callable[[Step], Step] | None = None,
    axes: Callable[[tuple[Axis, ...]], tuple[Axis, ...]] = lambda axes: axes,
    name: Callable[[str], str | None] | None = None,
) -> S:
    """The spec with every expression exchanged for `expr` of it, and every group of axes for `axes` of it.

    step    what becomes of a step; without it, the step with its expressions exchanged
    name    what an axis is called from now on, in what steps are over and in strides; None for one that is gone. Where two
            become one, its stride is that of the inner

    >>> from uol.codegen.specs.nodes import Map
    >>> from uol.ir.program.nodes import Const
    >>> spec = Map("copy", (), (), (), (), "", (Axis("n", Const(1)), Axis("c", Const(4))), ())
    >>> mapped(spec, axes=lambda axes: axes[1:], name=lambda n: None if n == "n" else n).index
    (Axis(name='c', extent=Const(value=4, dtype='idx')),)
    """

    def value(old: Expr) -> Expr:
        return expr(old) if name is None else _renamed(expr(old), name)

    def axis(old: str) -> str:
        return old if name is None else name(old) or old

    def go(old: Any) -> Any:
        match old:
            case Expr():
                return value(old)
            case (Axis(), *_):
                return axes(old)
            case tuple():
                return tuple(go(item) for item in old)
            case Let() | Fold() | Store():
                new = map_step(old, expr) if step is None else step(old)
                return new if name is None else _over(new, name)
            case Segments():
                return replace(old, at=axis(old.at), key=value(old.key), of=axis(old.of))
            case Dot() | Weighted() | Within() | Holds():
                return replace(old, **{field.name: go(getattr(old, field.name)) for field in fields(old)})
        return old

    return replace(spec, **{field: go(old) for field, old in _own(spec).items()})


def map_step(step: Step, expr: Callable[[Expr], Expr]) -> Step:
    """The step with what it computes, its conditions and where it stores exchanged for `expr` of it."""
    match step:
        case Let():
            return replace(step, value=expr(step.value))
        case Fold():
            return replace(step, value=expr(step.value), where=tuple(map(expr, step.where)))
        case Store():
            return replace(step, offset=expr(step.offset), value=expr(step.value))


def map_strides(expr: Expr, change: Callable[[Strides], Strides]) -> Expr:
    """The expression with the strides of every read exchanged, of reads within reads, too."""

    def rule(node: Expr) -> Expr | None:
        if not isinstance(node, Read):
            return None
        inner = node.map_children(lambda child: rewrite(child, rule))
        return replace(inner, strides=change(inner.strides))

    return rewrite(expr, rule)


def without_strides(expr: Expr) -> Expr:
    """A value by what it is: the strides of its reads follow from their offsets and the axes of a spec."""
    return map_strides(expr, lambda given: ())


def with_steps(spec: S, change: Callable[[tuple[Step, ...]], tuple[Step, ...]]) -> S:
    """The spec with every run of steps exchanged for `change` of it."""
    changed: dict[str, Any] = {field: change(run) for field, run in _own(spec, "tuple[Step, ...]").items()}
    return replace(spec, **changed)


def _over(step: Step, name: Callable[[str], str | None]) -> Step:
    """The step over axes of other names."""
    inner = map_step(step, lambda expr: _renamed(expr, name))
    match inner:
        case Let():
            return replace(inner, axes=_names(inner.axes, name))
        case Fold():
            return inner
        case Store():
            return replace(inner, axes=_names(inner.axes, name), strides=_strides(inner.strides, name))


def _renamed(expr: Expr, name: Callable[[str], str | None]) -> Expr:
    return map_strides(expr, lambda strides: _strides(strides, name))


def _names(axes: tuple[str, ...], name: Callable[[str], str | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(new for old in axes if (new := name(old)) is not None))


def _strides(strides: Strides, name: Callable[[str], str | None]) -> Strides:
    return tuple({new: stride for old, stride in strides if (new := name(old)) is not None}.items())


def _own(spec: KernelSpec, annotation: str | None = None) -> dict[str, Any]:
    """What a spec holds beside its head, by field; with an annotation, in the fields that have it."""
    own = (field for field in fields(spec) if field.name not in SpecHead.__annotations__)
    return {field.name: getattr(spec, field.name) for field in own if annotation in (None, field.type)}


def _expressions(value: object) -> Iterator[Expr]:
    """The expressions of a spec's field; extents and strides are not evaluated."""
    match value:
        case Expr():
            yield value
        case (str(), _):
            return
        case tuple():
            for item in value:
                yield from _expressions(item)
        case Let() | Fold() | Store() | Dot() | Weighted() | Segments() | Within() | Holds():
            for field in fields(value):
                yield from _expressions(getattr(value, field.name))
