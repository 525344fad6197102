"""The steps of a kernel from the statements of its group: lets, folds and stores over the kernel's axes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from uol.codegen.indexing.access import Accesses, classify
from uol.codegen.names import unused
from uol.codegen.partition.group import Group, split_axes
from uol.codegen.partition.grouped_value import Segmented
from uol.codegen.program.scans import Running
from uol.codegen.specs.nodes import Fold, Guard, Let, Segments, Step, Store
from uol.ir.program import nodes
from uol.ir.program.nodes import Axis, Expr, Program, Stage, Var
from uol.ir.program.walk import substitute, variables


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
            if isinstance(stage, nodes.Scatter):
                continue
            if isinstance(stage.value, Running):
                out.append(Fold(name, stage.value.op, self.value(stage.value.body), stage.dtype, (), stage.line))
            elif isinstance(stage.value, nodes.Reduce):
                if self.group.kind not in ("contract", "attention"):
                    where = tuple(self.value(w) for w in stage.value.where)
                    out.append(Fold(name, stage.value.op, self.value(stage.value.body), stage.dtype, where, stage.line))
            elif not isinstance(stage.value, nodes.Order | Segmented):
                out.append(Let(name, self.value(stage.value), stage.dtype, axes, stage.line))
            if stage.name in self.keep:
                out.append(self.store(stage, name, axes))
        return tuple(out)

    def store(self, stage: Stage, name: str, axes: tuple[str, ...]) -> Store:
        index = tuple(substitute(Var(a.name), self.split) for a in stage.axes)
        over = tuple(a for a in self.space if a.name in axes)
        offset, strides = self.accesses().offset(stage.name, index, over)
        return Store(stage.name, offset, strides, Var(name, stage.dtype), stage.dtype, axes, stage.line)

    def addition(self) -> tuple[tuple[Expr, ...], tuple[Guard, ...], Store]:
        """Where the scatter of a group adds along each dim, when, and what."""
        stage = self.group.anchor
        assert isinstance(stage, nodes.Scatter)
        place = tuple(self.value(t) for t in stage.target)
        guard = classify(tuple(self.value(g) for g in stage.guard), {a.name for a in self.space})
        offset, strides = self.accesses().offset(stage.name, place, self.space)
        axes = tuple(a.name for a in self.space)
        return place, guard, Store(stage.name, offset, strides, self.value(stage.value), stage.dtype, axes, stage.line)

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
