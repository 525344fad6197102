"""From the statements of a group to the steps of its kernel: lets, folds and stores over the kernel's axes, and each access as
a flat offset, its strides, and its guards by kind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from uol.codegen.indexing.affine import affine, stride
from uol.codegen.indexing.arithmetic import conjuncts, flat_offset
from uol.codegen.names import unused
from uol.codegen.partition.group import Group, split_axes
from uol.codegen.partition.grouped_value import Segmented
from uol.codegen.program.scans import Running
from uol.codegen.specs.nodes import Attention, Contract, Fold, Guard, Holds, Let, Read, Segments, Step, Store, Within
from uol.codegen.specs.search import Reached, Search
from uol.ir.integers.facts import Facts
from uol.ir.integers.terms import in_range
from uol.ir.program import nodes
from uol.ir.program.nodes import Axis, Call, Const, Expr, Load, Program, Stage, Tensor, Var
from uol.ir.program.walk import rewrite, stored, substitute, variables, walk


@dataclass(frozen=True, slots=True)
class Accesses:
    """Lowers accesses over given axes. `strides` holds the layout of every tensor that lives in memory."""

    tensors: Mapping[str, Tensor]
    strides: Mapping[str, tuple[Expr, ...]]
    facts: tuple[Expr, ...]

    def value(self, expr: Expr, axes: Sequence[Axis], values: Mapping[str, Var]) -> Expr:
        """The expression with loads of tensors in `values` as variables, and every other load as a Read."""

        def rule(node: Expr) -> Expr | None:
            match node:
                case Load(tensor=tensor):
                    return values[tensor] if tensor in values else self.read(node, axes, values)
                case Reached(first=first, count=count, value=value, equal=equal, dtype=dtype):
                    (stride,) = self.strides[first.tensor]
                    return Search(first.tensor, stride, count, self.value(value, axes, values), equal, dtype)
            return None

        return rewrite(expr, rule)

    def read(self, load: Load, axes: Sequence[Axis], values: Mapping[str, Var]) -> Read:
        index = tuple(self.value(i, axes, values) for i in load.index)
        guard = tuple(self.value(g, axes, values) for g in load.guard)
        fill = None if load.fill is None else self.value(load.fill, axes, values)
        offset, strides = self.offset(load.tensor, index, axes)
        guards = classify(guard, {a.name for a in axes})
        return Read(load.tensor, offset, strides, guards, fill if guards else None, load.dtype)

    def offset(
        self, tensor: str, index: Sequence[Expr], axes: Sequence[Axis]
    ) -> tuple[Expr, tuple[tuple[str, Expr | None], ...]]:
        """The flat offset of an access and its stride along each axis."""
        offset = flat_offset(index, self.tensors[tensor].shape, self.strides[tensor])
        form = affine(offset)
        if form is not None:  # over dims, too: the factors are numbers
            return offset, tuple((a.name, form.factor(a.name)) for a in axes)
        return offset, tuple((a.name, self.stride(offset, a, axes)) for a in axes)

    def stride(self, offset: Expr, axis: Axis, axes: Sequence[Axis]) -> Expr | None:
        """Of an offset that is not affine in all of its variables."""
        if axis.name not in variables(offset):
            return Const(0)
        if any(isinstance(node, Read) for node in walk(offset)):
            return None
        facts = Facts(self.facts)
        with facts.scope(*(bound for a in axes for bound in in_range(a))):
            return stride(offset, axis.name, facts)


def classify(conditions: Sequence[Expr], axes: set[str]) -> tuple[Guard, ...]:
    """Conditions as intervals of an affine value where they are, in order; both sides of one value are joined."""
    guards: list[Guard] = []
    places: dict[Expr, int] = {}
    for condition in (part for c in conditions for part in conjuncts(c)):
        side = _interval_side(condition, axes)
        if side is None:
            guards.append(Holds(condition))
            continue
        if side.value not in places:
            places[side.value] = len(guards)
            guards.append(side)
            continue
        known = guards[places[side.value]]
        assert isinstance(known, Within)
        if side.low is not None and known.low is None:
            guards[places[side.value]] = replace(known, low=side.low)
        elif side.high is not None and known.high is None:
            guards[places[side.value]] = replace(known, high=side.high)
        elif side not in guards:
            guards.append(side)
    return tuple(guards)


def _interval_side(condition: Expr, axes: set[str]) -> Within | None:
    match condition:
        case Call(fn=">=", args=(value, low)) if _bounds(value, low, axes):
            return Within(value, low, None)
        case Call(fn="<", args=(value, high)) if _bounds(value, high, axes):
            return Within(value, None, high)
    return None


def _bounds(value: Expr, bound: Expr, axes: set[str]) -> bool:
    return affine(value) is not None and not (variables(bound) & axes) and value.type == bound.type == "idx"


@dataclass(frozen=True, slots=True)
class StepWriter:
    """Writes the steps of one group. `keep` names the tensors that it stores, `taken` what no new name may be, `space` the
    axes of the kernel in order."""

    program: Program
    strides: Mapping[str, tuple[Expr, ...]]
    taken: frozenset[str]
    group: Group
    keep: frozenset[str]
    space: tuple[Axis, ...]

    def steps(self) -> tuple[Step, ...]:
        out: list[Step] = []
        for stage in self.group.stages:
            name = self.local(stage.name)
            axes = self.step_axes(stage)
            if isinstance(stage, nodes.Scatter | nodes.Tally):
                continue
            if isinstance(stage.value, Running):
                out.append(Fold(name, stage.value.op, self.value(stage.value.body), stage.dtype, (), stage.line))
            elif isinstance(stage.value, nodes.Reduce):
                if self.group.kind not in (Contract, Attention):
                    where = tuple(self.value(w) for w in stage.value.where)
                    out.append(Fold(name, stage.value.op, self.value(stage.value.body), stage.dtype, where, stage.line))
            elif not isinstance(stage.value, nodes.Order | Segmented):
                out.append(Let(name, self.value(stage.value), stage.dtype, axes, stage.line))
            if stored(stage) in self.keep:
                out.append(self.store(stage, name, axes))
        return tuple(out)

    def store(self, stage: Stage, name: str, axes: tuple[str, ...]) -> Store:
        index = tuple(substitute(Var(a.name), self.split) for a in stage.axes)
        if isinstance(stage, nodes.Put):
            index = tuple(self.value(place) for place in stage.target)
        over = tuple(a for a in self.space if a.name in axes)
        offset, strides = self.accesses().offset(stored(stage), index, over)
        return Store(stored(stage), offset, strides, Var(name, stage.dtype), stage.dtype, axes, stage.line)

    def addition(self) -> tuple[tuple[Expr, ...], tuple[Guard, ...], Store]:
        """Where the scatter of a group adds along each dim, when, and what."""
        stage = self.group.anchor
        assert isinstance(stage, nodes.Scatter)
        place = tuple(self.value(t) for t in stage.target)
        guard = classify(tuple(self.value(g) for g in stage.guard), {a.name for a in self.space})
        offset, strides = self.accesses().offset(stage.name, place, self.space)
        axes = tuple(a.name for a in self.space)
        return place, guard, Store(stage.name, offset, strides, self.value(stage.value), stage.dtype, axes, stage.line)

    def tally(self) -> tuple[tuple[Axis, ...], Store | None]:
        """The keys that an order counts, and where their numbers go; none where nothing is counted."""
        for stage in self.group.stages:
            if isinstance(stage, nodes.Tally) and stage.name in self.keep:
                offset, strides = self.accesses().offset(stage.name, [Var(a.name) for a in stage.axes], stage.axes)
                over = tuple(axis.name for axis in stage.axes)
                return stage.axes, Store(stage.name, offset, strides, stage.value, stage.dtype, over, stage.line)
        return (), None

    def segments(self) -> Segments | None:
        """The segments of the contraction that the group is around."""
        found = self.group.anchor.value
        if not isinstance(found, Segmented):
            return None
        return Segments(found.over, found.at.name, self.value(found.key), found.of.name)

    def value(self, expr: Expr) -> Expr:
        """An expression of the program over the kernel's axes."""
        made = {s.name: s.dtype for s in self.group.stages}
        if self.group.attention is not None:
            made |= {name: self.program.tensors[name].dtype for name in self.group.attention.scores}
        values = {name: Var(self.local(name), dtype) for name, dtype in made.items()}
        return self.accesses().value(substitute(expr, self.split), self.space, values)

    def local(self, name: str) -> str:
        """The value of a tensor that is stored is not the buffer of that name."""
        if self.program.tensors[name].role == "local" and name not in self.keep:
            return name
        return unused(f"{name}_value", self.taken)

    def step_axes(self, stage: Stage) -> tuple[str, ...]:
        used = {n for a in stage.axes for n in variables(substitute(Var(a.name), self.split))}
        return tuple(a.name for a in self.space if a.name in used)

    def accesses(self) -> Accesses:
        return Accesses(self.program.tensors, self.strides, self.program.facts)

    @property
    def split(self) -> Mapping[str, Expr]:
        return split_axes(self.group)
