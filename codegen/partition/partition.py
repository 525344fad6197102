"""Which stages become one kernel.

Attentions are found beforehand; other reductions, scans, scatters and orders anchor kernels. An elementwise stage follows the
last kernel that makes one of its operands, and joins it if the machine accepts the joined kernel; one that depends on inputs
alone floats: every kernel that reads it at its own indices adopts (recomputes) it, and whoever reads it at other indices finds
it in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from uol.codegen.attention.pattern import Pattern
from uol.codegen.partition import group as grouping
from uol.codegen.partition.computed_factors import with_factors
from uol.codegen.partition.contraction import Contraction
from uol.codegen.partition.group import Group
from uol.codegen.program.scans import Running
from uol.codegen.program.unify_axes import plain_indices
from uol.codegen.specs.nodes import Map, Reduce
from uol.ir.program.nodes import Load, Order, Program, Put, Scatter, Stage, Tally
from uol.ir.program.walk import loads, stored


@dataclass(slots=True)
class Partition:
    """The state of one run over the steps of a program, its attentions among them: the groups so far and the stages that still
    float."""

    program: Program
    steps: tuple[Stage | Pattern, ...]
    contraction: Callable[[Stage], Contraction | None]
    accepts: Callable[[Group], bool]
    computed_factors: bool = False
    groups: list[Group] = field(default_factory=list)
    floating: dict[str, Stage] = field(default_factory=dict)

    def run(self) -> tuple[Group, ...]:
        """Groups in launch order; every result is made by one of them."""
        for step in self.steps:
            if isinstance(step, Pattern):
                self.begin(step)
            elif not self.try_join(step):
                self.place(step)
        made = {stored(s) for g in self.groups for s in g.stages if grouping.storable(g, s)}
        for stage in list(self.floating.values()):
            if self.program.tensors[stage.name].role == "out" and stage.name not in made:
                self.materialise(stage)
        return tuple(self.groups)

    def begin(self, pattern: Pattern) -> None:
        """An attention is a group from the beginning; what it reads is in memory."""
        for stage in [s for s in self.floating.values() if s.name in pattern.outside]:
            self.materialise(stage)
        self.groups.append(grouping.start_attention(pattern))

    def place(self, stage: Stage) -> None:
        """A reduction, scan, scatter, order or put anchors a new group; any other elementwise stage floats."""
        if not grouping.is_anchor(stage) and not isinstance(stage, Put):
            self.floating[stage.name] = stage
            return
        contraction = self.contraction(stage)
        if contraction is not None and self.computed_factors:
            stage, contraction = self.around_computed(stage, contraction)
        adopted = self.acceptable(stage) if contraction is None else ()
        self.materialise_operands(stage, adopted)
        self.groups.append(grouping.start(stage, adopted, contraction))

    def around_computed(self, stage: Stage, contraction: Contraction) -> tuple[Stage, Contraction]:
        """A contraction with the floating stages in its factors that are cheaper to compute again than to keep in memory."""
        inner = with_factors(stage, self.floating, self.program)
        found = None if inner == stage else self.contraction(inner)
        return (stage, contraction) if found is None else (inner, found)

    def acceptable(self, stage: Stage) -> tuple[Stage, ...]:
        """What a kernel around the stage adopts: everything at hand, or nothing where the machine refuses that. An order adopts
        nothing, since its values are read again where it has put them; a scan what lies along all of it."""
        if isinstance(stage.value, Order):
            return ()
        adopted = self.adoptable(stage)
        if isinstance(stage.value, Running) and any(not set(a.axes) <= set(stage.axes) for a in adopted):
            return ()
        return adopted if adopted and self.accepts(grouping.start(stage, adopted, None)) else ()

    def try_join(self, stage: Stage) -> bool:
        """Join the earliest group from which all operands are at hand. What counts the keys of an order is made with it."""
        if isinstance(stage, Tally):
            number = next(n for n, group in enumerate(self.groups) if stage.of in group.names)
            self.groups[number] = replace(self.groups[number], stages=(*self.groups[number].stages, stage))
            return True
        adopted = self.adoptable(stage)
        first = max((self.home(s) for s in (*adopted, stage)), default=-1)
        floats = first < 0 and not grouping.is_anchor(stage) and not isinstance(stage, Put)
        if isinstance(stage, Scatter) or isinstance(stage.value, Order) or floats:
            return False
        if self.floats_elsewhere(stage, adopted):
            return False
        is_contraction = self.contraction(stage) is not None
        for number in range(max(first, 0), len(self.groups)):
            if isinstance(stage, Put) and not self.share_reads(self.groups[number], stage):
                continue
            joined = grouping.join(self.groups[number], stage, adopted, is_contraction, self.program.facts)
            if joined is not None and self.accepts(joined):
                self.groups[number] = joined
                return True
        return False

    def share_reads(self, group: Group, put: Put) -> bool:
        """Does a group make, or read, a tensor that is read for what is put? Else nothing is won by going over both at once."""
        read = {load.tensor for load in loads(put)}
        return not read.isdisjoint(group.names | {load.tensor for s in group.stages for load in loads(s)})

    def home(self, stage: Stage) -> int:
        """The last group that makes an operand; -1 where all are inputs or float."""
        made = {name: i for i, g in enumerate(self.groups) for name in g.names | g.put_into if name not in self.floating}
        return max((made[load.tensor] for load in loads(stage) if load.tensor in made), default=-1)

    def adoptable(self, stage: Stage) -> tuple[Stage, ...]:
        """The floating stages that the stage reads at their own indices, and theirs, producers first; none that one of them
        reads at other indices too, since a kernel holds one element of each."""
        refused: set[str] = set()
        while True:
            found = self.within_reach(stage, refused)
            reads = [load for s in (*found.values(), stage) for load in loads(s) if load.tensor in found]
            elsewhere = {load.tensor for load in reads if not self.is_own(load)}
            if not elsewhere:
                return tuple(s for s in self.floating.values() if s.name in found)
            refused |= elsewhere

    def within_reach(self, stage: Stage, refused: set[str]) -> dict[str, Stage]:
        """The floating stages at the end of reads at own indices, through others of them."""
        found: dict[str, Stage] = {}
        pending = [stage]
        while pending:
            for load in loads(pending.pop()):
                if load.tensor in self.floating and load.tensor not in (*found, *refused) and self.is_own(load):
                    found[load.tensor] = self.floating[load.tensor]
                    pending.append(found[load.tensor])
        return found

    def is_own(self, load: Load) -> bool:
        """Is a floating stage read at its own indices?"""
        own = tuple(a.name for a in self.floating[load.tensor].axes)
        return plain_indices(load) == own and not load.guard

    def floats_elsewhere(self, stage: Stage, adopted: tuple[Stage, ...]) -> bool:
        """Does the stage (or what it adopts) read a floating stage that it cannot adopt?"""
        own = {a.name for a in adopted}
        return any(load.tensor in self.floating and load.tensor not in own for s in (*adopted, stage) for load in loads(s))

    def materialise_operands(self, stage: Stage, adopted: tuple[Stage, ...]) -> None:
        """Put every floating stage into memory that the stage, or what it adopts, reads and that is not adopted."""
        kept = {a.name for a in adopted}
        for load in (load for s in (*adopted, stage) for load in loads(s)):
            if load.tensor in self.floating and load.tensor not in kept:
                self.materialise(self.floating[load.tensor])

    def materialise(self, stage: Stage) -> None:
        """Give a floating stage a kernel: one that computes all of it already, else the first map over the same axes from
        which its operands are at hand, else the first over rows that makes such elements, too, else one of its own."""
        adopted = self.acceptable(stage)
        self.materialise_operands(stage, adopted)
        self.floating.pop(stage.name, None)
        if any(grouping.storable(g, s) for g in self.groups for s in g.stages if s.name == stage.name):
            return
        first = max((self.home(s) for s in (*adopted, stage)), default=-1)
        at_hand = range(max(first, 0), len(self.groups))
        elements = {a.name for a in adopted if grouping.axis_set(a.axes) == grouping.axis_set(stage.axes)}
        maps = [n for n in at_hand if self.groups[n].kind is Map]
        rows = [n for n in at_hand if self.groups[n].kind is Reduce and not self.groups[n].names.isdisjoint(elements)]
        for number in (*maps, *rows):
            joined = grouping.join(self.groups[number], stage, adopted, False, self.program.facts)
            if joined is not None and self.accepts(joined):
                self.groups[number] = joined
                return
        self.groups.append(grouping.start(stage, adopted, None))
