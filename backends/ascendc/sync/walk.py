"""The walk through a program as it would be issued, and where a flag or barrier goes that it finds missing.

Every loop runs two iterations (three where it alternates between two slots). An instruction that touches a region after
another pipe, or after its own vector pipe, needs that access in its clock; if it is not there, a flag or a barrier is added to
the plan in the innermost block that holds both, and its effect on the clocks joins the walk.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from uol.backends.ascendc.instructions import Block, Branch, Instr, Loop, Node
from uol.backends.ascendc.machine import Pipe
from uol.backends.ascendc.memory.buffers import View
from uol.backends.ascendc.memory.cells import Access, Cells, Memory, Place
from uol.backends.ascendc.sync.clocks import PIPES, Clock, Clocks
from uol.backends.ascendc.sync.plan import Edge, Plan, contains, uses_pipe


class Changed(Exception):
    """The plan got an edge that changes what has been walked already."""


@dataclass(slots=True)
class _Frame:
    """A block that is being walked: after each of its nodes, what every pipe knew."""

    block: Block
    iteration: int
    node: int = 0
    known: list[dict[Pipe, Clock]] = field(default_factory=list)


class Walk:
    """One walk through a program. `slot` is the slot in use at its start; `frozen`: the plan must hold as it is."""

    def __init__(
        self, program: Block, plan: Plan, cells: Cells, slot: int, *, frozen: bool
    ) -> None:
        self.frozen = frozen
        self.program, self.plan = program, plan
        self.memory = Memory(cells, slot)
        self.clocks = Clocks()
        self.frames: list[_Frame] = []
        self.flags: dict[int, list[Clock]] = {}
        self.loop_of: dict[int, str] = {}

    def block(self, block: Block, iteration: int) -> None:
        frame = _Frame(block, iteration)
        self.frames.append(frame)
        for number, node in enumerate(block.nodes):
            frame.node = number
            if len(self.frames) == 1:
                self.preset(node)
            for edge in self.plan.waits_before(block, number):
                self.wait(edge)
            for pipe in self.plan.barriers_before(block, number):
                self.clocks.barrier(pipe)
            self.node(node)
            for edge in self.plan.sets_after(block, number):
                self.flags.setdefault(id(edge), []).append(self.clocks.told_by(edge.src))
            frame.known.append({p: self.clocks.told_by(p) for p in PIPES})
        self.frames.pop()

    def node(self, node: Node) -> None:
        match node:
            case Instr():
                self.instruction(node)
            case Loop(body=body):
                self.loop_of[id(body)] = node.name
                before = self.clocks.snapshot()
                for iteration in range(3 if node.slotted else 2):
                    self.block(body, iteration)
                    if node.slotted:
                        self.memory.slot = 1 - self.memory.slot
                if not node.runs:
                    self.clocks.forget(before)
            case Branch(body=body):
                before = self.clocks.snapshot()
                self.block(body, 0)
                self.clocks.forget(before)

    def instruction(self, instr: Instr) -> None:
        trace = tuple((f.block, f.node, f.iteration) for f in self.frames)
        missing = self.missing(instr, trace)
        if missing and self.frozen:
            raise Changed
        while foreign := [a for a in missing if a.pipe != instr.pipe]:
            self.order(max(foreign, key=lambda a: a.time), instr.pipe, trace)
            missing = [a for a in missing if not self.ordered(a, instr.pipe)]
        if missing:
            self.barrier(missing, instr.pipe, trace)
        time = self.clocks.issue(instr.pipe)
        for view in instr.reads:
            self.memory.record(Access(instr.pipe, time, trace, view), writes=False)
        for view in instr.writes:
            self.memory.record(Access(instr.pipe, time, trace, view), writes=True)

    def missing(self, instr: Instr, trace: tuple[Place, ...]) -> list[Access]:
        """Earlier accesses that conflict with the instruction and are not known to have finished."""
        found: dict[tuple[Pipe, int], Access] = {}
        for view, writes in [(v, False) for v in instr.reads] + [(v, True) for v in instr.writes]:
            for access in self.memory.conflicting(view, writes=writes):
                if not self.ordered(access, instr.pipe) and not self.disjoint(access, view, trace):
                    found.setdefault((access.pipe, access.time), access)
        return list(found.values())

    def ordered(self, access: Access, pipe: Pipe) -> bool:
        return self.clocks.ordered(access.pipe, access.time, pipe)

    def disjoint(self, access: Access, view: View, trace: tuple[Place, ...]) -> bool:
        """Different parts of one buffer, or different iterations of a loop of which each touches its own part."""
        if view.part and access.view.part not in ("", view.part) and access.view.buffer == view.buffer:
            return True
        if not view.per or access.view.per != view.per or access.view.buffer != view.buffer:
            return False
        for mine, other in zip(trace, access.trace, strict=False):
            if mine[0] is not other[0]:
                return False
            if self.loop_of.get(id(mine[0])) == view.per:
                return mine[2] != other[2]
            if mine[1:] != other[1:]:
                return False
        return False

    def order(self, access: Access, dst: Pipe, trace: tuple[Place, ...]) -> None:
        """A flag by which `dst` learns that the access has finished."""
        for level, (mine, other) in enumerate(zip(trace, access.trace, strict=False)):
            if mine[2] != other[2]:
                self.carry(mine[0], access.pipe, dst, other[1], mine[1], mine[2] - other[2])
            if mine[1] != other[1]:
                frame = self.frames[level]
                last = max(n for n in range(mine[1]) if uses_pipe(frame.block.nodes[n], access.pipe))
                self.plan.edges.append(Edge(frame.block, access.pipe, dst, last, mine[1]))
                if mine[0] is not trace[-1][0]:
                    raise Changed  # a wait further out: what lies between is walked with it
                self.clocks.learn(dst, frame.known[last][access.pipe])
                return
        raise AssertionError("two accesses at one place")

    def carry(self, block: Block, src: Pipe, dst: Pipe, set_after: int, wait_before: int, distance: int) -> None:
        """One flag a pair of pipes over the back-edge of a loop: set after the last source, waited for before the first
        use. The set comes after the wait of the same iteration, so that they alternate."""
        known = next((e for e in self.plan.carried() if e.block is block and (e.src, e.dst) == (src, dst)), None)
        if known is None:
            self.plan.edges.append(Edge(block, src, dst, max(set_after, wait_before), wait_before, distance))
            raise Changed
        state = (known.set_after, known.wait_before, known.distance)
        known.wait_before = min(known.wait_before, wait_before)
        known.set_after = max(known.set_after, set_after, known.wait_before)
        known.distance = min(known.distance, distance)
        assert state != (known.set_after, known.wait_before, known.distance), "a flag that did not order its pipes"
        raise Changed

    def barrier(self, missing: list[Access], pipe: Pipe, trace: tuple[Place, ...]) -> None:
        """A barrier of one pipe before the outermost node that keeps it after the accesses."""
        access = max(missing, key=lambda a: a.time)
        for mine, other in zip(trace, access.trace, strict=False):
            if mine[1:] != other[1:]:
                self.plan.add_barrier(mine[0], mine[1], pipe)
                if mine[0] is not trace[-1][0]:
                    raise Changed
                self.clocks.barrier(pipe)
                return
        raise AssertionError("two accesses at one place")

    def preset(self, node: Node) -> None:
        """Flags over back-edges are set once before the outermost loop that holds them."""
        if not isinstance(node, Loop):
            return
        for edge in self.plan.carried():
            if contains(node.body, edge.block):
                self.flags[id(edge)] = [self.clocks.told_by(edge.src) for _ in range(edge.distance)]

    def wait(self, edge: Edge) -> None:
        waiting = self.flags.get(id(edge), [])
        if waiting:
            self.clocks.learn(edge.dst, waiting.pop(0))
