"""The stages of one kernel, before it becomes a spec."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, replace

from uol.codegen.attention.pattern import Pattern
from uol.codegen.partition.contraction import Contraction
from uol.codegen.partition.division import Division, division_of
from uol.codegen.partition.grouped_value import Segmented
from uol.codegen.program.scans import Running
from uol.codegen.program.unify_axes import plain_indices, rename_axes
from uol.codegen.specs import nodes as specs
from uol.ir.program.nodes import Axis, Call, Expr, Load, Order, Put, Reduce, Scatter, Stage, Tally, Var
from uol.ir.program.walk import stage_expressions, walk
from uol.ir.types import INDEX


@dataclass(frozen=True, slots=True)
class Group:
    """Stages that one kernel computes, producers first, and its kind. `rows` are the anchor's axes, `cols` those it reduces;
    a map has no cols, a contraction knows its factors; those of a select are what its anchor orders. An attention's stages are
    its sums and folds, and what uses them; its rows are those that all of these have. `division`: an axis of stages that is a
    row and a column."""

    kind: type[specs.KernelSpec]
    stages: tuple[Stage, ...]
    rows: tuple[Axis, ...]
    cols: tuple[Axis, ...] = ()
    contraction: Contraction | None = None
    attention: Pattern | None = None
    division: Division | None = None

    @property
    def names(self) -> frozenset[str]:
        return frozenset(s.name for s in self.stages)

    @property
    def put_into(self) -> frozenset[str]:
        """The tensors that stages put elements into."""
        return frozenset(s.into for s in self.stages if isinstance(s, Put))

    @property
    def anchor(self) -> Stage:
        """The stage that gave the group its rows: its first reduction, scan, scatter or order, else its first stage."""
        return next((s for s in self.stages if is_anchor(s)), self.stages[0])


def split_axes(group: Group) -> Mapping[str, Expr]:
    """The axes of stages that a kernel has in two parts, as expressions of those."""
    found = group.contraction or group.attention or group.division
    return found.split if found is not None else {}


def is_anchor(stage: Stage) -> bool:
    """Does the stage more than compute each element on its own?"""
    return isinstance(stage, Scatter) or isinstance(stage.value, Reduce | Running | Order | Segmented)


def start(stage: Stage, adopted: Iterable[Stage], contraction: Contraction | None) -> Group:
    """A group around one stage."""
    stages = (*adopted, stage)
    if isinstance(stage, Scatter):
        return Group(specs.Scatter, stages, stage.axes)
    if isinstance(stage.value, Running):
        return Group(specs.Scan, stages, stage.axes)
    if isinstance(stage.value, Order):
        return Group(specs.Select, stages, stage.axes, (stage.value.axis,))
    if contraction is not None:
        return Group(specs.Contract, stages, stage.axes, contraction.k, contraction)
    if isinstance(stage.value, Reduce):
        return Group(specs.Reduce, stages, stage.axes, stage.value.axes)
    return Group(specs.Map, stages, stage.axes)


def start_attention(pattern: Pattern) -> Group:
    """A group around an attention."""
    first, widths = pattern.made[0], {a for s in pattern.sums for a in s.width}
    return Group(specs.Attention, pattern.made, tuple(a for a in first.axes if a not in widths), (), None, pattern)


def join(
    group: Group, stage: Stage, adopted: Iterable[Stage], is_contraction: bool, facts: Container[Expr]
) -> Group | None:
    """The group with one more stage, or None where they do not fit.

    A reduction joins where rows and cols are the same sets of axes; one that gives the place of an extremum counts places
    in the order of its cols, which must be the group's. An elementwise stage joins a reduction over its
    rows or over rows and cols, an attention over its rows or those and the width of a sum, a map, contraction, scan or select
    over all its axes, and a scan another one in the same direction. A scatter takes nothing. Whatever is read from inside the
    group is read at its own indices.
    """
    new = [a for a in adopted if a.name not in group.names]
    if group.kind is specs.Scatter or isinstance(stage, Scatter) or isinstance(stage.value, Order):
        return None
    if isinstance(stage.value, Running):
        fits = axis_set(stage.axes) == axis_set(group.rows) and _runs_with(group.anchor, stage.value)
    elif isinstance(stage.value, Segmented):
        return None
    elif isinstance(stage.value, Reduce):
        if group.kind is not specs.Reduce or is_contraction:
            return None
        stage = _with_cols(stage, group.cols)
        assert isinstance(stage.value, Reduce)
        in_order = stage.value.op not in ("argmax", "argmin") or stage.value.axes == group.cols
        fits = axis_set(stage.axes) == axis_set(group.rows) and axis_set(stage.value.axes) == axis_set(group.cols) and in_order
    else:
        group = _divided(group, stage, facts) or _aligned(group, stage)
        fits = _space(group, stage) in _full_spaces(group)
    space = axis_set(group.rows + group.cols) if group.kind is specs.Reduce else axis_set(group.rows)
    if group.kind is specs.Attention:
        space = axis_set(stage.axes)
    if not fits or not all(_space(group, a) <= space for a in new):
        return None
    joined = replace(group, stages=(*group.stages, *new, stage))
    return joined if reads_own_indices(joined) else None


def _runs_with(anchor: Stage, scan: Running) -> bool:
    first = anchor.value
    if not isinstance(first, Running):
        return False
    return (first.along.name, first.reverse, first.exclusive) == (scan.along.name, scan.reverse, scan.exclusive)


def storable(group: Group, stage: Stage) -> bool:
    """Does the kernel visit every element of the stage exactly once? A scatter stores what it adds to alone; what
    counts the keys of an order is stored with it."""
    if group.kind is specs.Scatter:
        return isinstance(stage, Scatter)
    if isinstance(stage, Tally):
        return True
    return _space(group, stage) in _full_spaces(group)


def _space(group: Group, stage: Stage) -> frozenset[Axis]:
    """The axes of a stage as those of the group."""
    return axis_set(stage.axes) if group.division is None else group.division.over(stage.axes)


def axis_set(axes: Iterable[Axis]) -> frozenset[Axis]:
    return frozenset(axes)


def reads_own_indices(group: Group) -> bool:
    """Every access to a tensor of the group is at the axes of its stage; what it puts elsewhere is not read."""
    made = {s.name: tuple(a.name for a in s.axes) for s in group.stages}
    parts = [node for s in group.stages for e in stage_expressions(s) for node in walk(e)]
    loads = [node for node in parts if isinstance(node, Load) and node.tensor in made]
    if any(isinstance(node, Load) and node.tensor in group.put_into for node in parts):
        return False
    if (division := group.division) is not None:
        at = {name: tuple(division.placed(Var(axis)) for axis in axes) for name, axes in made.items()}
        return all(tuple(map(division.placed, load.index)) == at[load.tensor] and not load.guard for load in loads)
    return all(plain_indices(load) == made[load.tensor] and not load.guard for load in loads)


def computes_indices(group: Group) -> bool:
    """Does an index, or a bound, depend on a value that the group itself makes?"""
    made = group.names
    parts = (node for s in group.stages for e in stage_expressions(s) for node in walk(e))
    indices = (node for node in parts if isinstance(node, Call) and node.fn == "cast" and node.dtype == INDEX)
    return any(isinstance(n, Load) and n.tensor in made for index in indices for n in walk(index))


def _full_spaces(group: Group) -> tuple[frozenset[Axis], ...]:
    if group.kind is specs.Reduce:
        return axis_set(group.rows), axis_set(group.rows + group.cols)
    if group.attention is not None:
        return axis_set(group.rows), *(axis_set(group.rows + s.width) for s in group.attention.sums)
    return (axis_set(group.rows),)


def _with_cols(stage: Stage, cols: tuple[Axis, ...]) -> Stage:
    """The reduction with its reduced axes renamed after the group's, where only the names differ."""
    assert isinstance(stage.value, Reduce)
    own = stage.value.axes
    if axis_set(own) == axis_set(cols) or [a.extent for a in own] != [c.extent for c in cols]:
        return stage
    return rename_axes(stage, {a.name: c.name for a, c in zip(own, cols, strict=True)})


def _divided(group: Group, stage: Stage, facts: Container[Expr]) -> Group | None:
    """The group with its cols named after an element stage's further axes, one of which is a row and a col of it."""
    if group.kind is not specs.Reduce or group.division is not None:
        return None
    division = division_of(group.stages, group.rows, group.cols, stage, facts)
    if division is None:
        return None
    extra = tuple(division.within if a == division.axis else a for a in stage.axes if a not in group.rows)
    if [a.extent for a in extra] != [c.extent for c in group.cols]:
        return None
    names = {c.name: e.name for c, e in zip(group.cols, extra, strict=True)}
    stages = tuple(rename_axes(s, names) for s in group.stages)
    return replace(group, stages=stages, cols=extra, division=division)


def _aligned(group: Group, stage: Stage) -> Group:
    """The group with its cols named after an element stage's further axes, where only the names differ."""
    extra = tuple(a for a in stage.axes if a not in group.rows)
    if group.kind is not specs.Reduce or not extra or axis_set(extra) == axis_set(group.cols):
        return group
    if [a.extent for a in extra] != [c.extent for c in group.cols]:
        return group
    names = {c.name: e.name for c, e in zip(group.cols, extra, strict=True)}
    stages = tuple(rename_axes(s, names) for s in group.stages)
    return replace(group, stages=stages, cols=extra)
