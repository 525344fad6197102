"""An attention in parts, for those who write its kernel: what is done for a row and its cols, and what for each width."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from uol.codegen.attention.reach import vanishes
from uol.codegen.indexing.arithmetic import ONE, ZERO
from uol.codegen.specs.drop_unit_axes import without_unit_axes
from uol.codegen.specs.head import head_of
from uol.codegen.specs.nodes import Attention, Contract, Dot, Fold, Let, Read, Reduce, Step, Store, Weighted
from uol.codegen.specs.steps import stored_directly, used_variables
from uol.codegen.specs.traverse import with_steps
from uol.ir.program.nodes import Axis, Expr, Var

Axes = tuple[Axis, ...]


@dataclass(frozen=True, slots=True)
class WidthPart:
    """The sums over one width, and the steps over it, stores at the end of what they need."""

    width: tuple[Axis, ...]
    sums: tuple[Weighted, ...]
    steps: tuple[Step, ...]


def with_rows(spec: Attention) -> Attention:
    """The attention without axes of extent 1; where no row would be left, of one query a head, the last axis of rows stays: a
    tile has rows, of which there is one then. Values that are only stored have no names."""
    some = any(axis.extent != ONE for axis in spec.rows)
    kept = frozenset() if some else frozenset(axis.name for axis in spec.rows[-1:])
    return with_steps(without_unit_axes(spec, kept), stored_directly)


def weights_of(spec: Attention) -> tuple[Let, ...]:
    """The values that sums are weighted with, each once."""
    wanted = {s.weight for s in spec.sums}
    return tuple(s for s in spec.steps if isinstance(s, Let) and s.name in wanted)


def vanishes_without_maximum(spec: Attention) -> bool:
    """Whether all that is added up for a row (what folds take, and the weights) says by itself that it is 0 where a score is
    -inf, as `select(score == -inf, 0, ...)` of the scores that the maximum is of. Then a row without a maximum adds up zeros,
    and no exp(-inf - -inf) is ever added."""
    assert spec.hi is not None
    lets = {s.name: s.value for s in spec.steps if isinstance(s, Let)}
    folded = [s.value for s in spec.steps if isinstance(s, Fold) and s.op != "max"]
    terms = [*folded, *(w.value for w in weights_of(spec))]
    return all(vanishes(term, spec.hi.value, lets, products=False) for term in terms)


def behind_maximum(spec: Attention) -> tuple[Let, ...]:
    """The lets that end in what the maximum is of, where they can take the place of the last dot: nothing else uses that.
    Empty where they cannot."""
    hi, last = spec.hi, spec.dots[-1].name
    lets = {s.name: s for s in spec.steps if isinstance(s, Let)}
    if hi is None or not isinstance(hi.value, Var) or hi.value.name not in lets:
        return ()
    target = lets.pop(hi.value.name)
    rest = _behind([s for s in spec.steps if s is not target and not isinstance(s, Let)] + list(weights_of(spec)), lets)
    if last in used_variables(rest):
        return ()
    return (*(s for s in _behind([target], lets) if isinstance(s, Let) and s is not target), target)


def _behind(wanted: Sequence[Step], lets: Mapping[str, Let]) -> list[Step]:
    """The steps, after the lets that they need."""
    found: dict[str, Step] = {}
    pending = list(wanted)
    while pending:
        step = pending.pop()
        if isinstance(step, Store) or step.name in found:
            continue
        found[step.name] = step
        pending += [lets[n] for n in used_variables([step]) if n in lets]
    order = [*lets, *(s.name for s in wanted if not isinstance(s, Store))]
    return [found[n] for n in dict.fromkeys(order) if n in found]


def row_steps(spec: Attention) -> tuple[Step, ...]:
    """The steps of the epilogue that are the same for all of a width."""
    return tuple(s for s in spec.epilogue if _is_of_row(spec, s))


def width_parts(spec: Attention) -> tuple[WidthPart, ...]:
    """One part a width."""
    widths = dict.fromkeys(s.width for s in spec.sums)
    return tuple(WidthPart(w, tuple(s for s in spec.sums if s.width == w), _steps_over(spec, w)) for w in widths)


def dot_product(spec: Attention, dot: Dot) -> Contract:
    """A dot as a contraction of rows with cols."""
    return _product(spec, dot, spec.cols, dot.depth, dot.a, dot.b)


def weighted_product(spec: Attention, total: Weighted) -> Contract:
    """A sum as a contraction of weights with cols: its `a` stands for the weight, which is in no memory."""
    weight = Read(total.weight, ZERO, tuple((a.name, ZERO) for a in spec.axes), (), None, total.dtype)
    return _product(spec, total, total.width, spec.cols, weight, total.value)


def _product(spec: Attention, part: Dot | Weighted, n: Axes, k: Axes, a: Expr, b: Expr) -> Contract:
    head = head_of(spec)
    head["name"] = f"{spec.name}_{part.name}"
    return Contract(
        **head,
        batch=spec.batch,
        m=spec.rows,
        n=n,
        k=k,
        a=a,
        b=b,
        acc=part.name,
        acc_dtype=part.dtype,
        line=part.line,
        epilogue=(),
    )


def as_row(spec: Attention, stores: Sequence[Store]) -> Reduce:
    """The steps between dots and sums as those of a Reduce, with `stores` of the weights at their end."""
    return Reduce(**head_of(spec), rows=spec.batch + spec.rows, cols=spec.cols, steps=(*spec.steps, *stores))


def _is_of_row(spec: Attention, step: Step) -> bool:
    return isinstance(step, Let | Store) and set(step.axes) <= {a.name for a in spec.batch + spec.rows}


def _steps_over(spec: Attention, width: tuple[Axis, ...]) -> tuple[Step, ...]:
    """The stores over rows and this width, after what they need that is no step of the row."""
    own = {a.name for a in width}
    outer = {a.name for a in spec.batch + spec.rows}
    kept: list[Step] = []
    needed: set[str] = set()
    for step in reversed(spec.epilogue):
        is_store = isinstance(step, Store) and set(step.axes) - outer == own
        is_needed = isinstance(step, Let) and step.name in needed and not _is_of_row(spec, step)
        if is_store or is_needed:
            kept.append(step)
            needed |= used_variables([step])
    return tuple(reversed(kept))
