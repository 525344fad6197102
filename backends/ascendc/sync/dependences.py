"""Synchronisation by dependence analysis over (on-chip region, pipe): flags between pipes, barriers within one.

Pipes run in order, each on its own. The program is walked as it would be issued, with a vector clock a pipe over the cells of
memory (`cells`), until nothing is missing; so no flag is emitted for an order that already holds. Every loop runs two
iterations (three where it alternates between two slots), and in walks of their own those that hold no other loop run fewer,
if they may: what the last iteration waits for says nothing of a loop that has not got as far. An instruction that touches a
region after another pipe, or after its own vector pipe, needs that access in its clock; if it is not there, a flag or a
barrier is added to the plan in the innermost block that holds both, and its effect on the clocks joins the walk. What other
flags make superfluous is dropped then.

    clock[p][q] >= t    p issues nothing before q has finished its first t instructions

A flag from q to p raises clock[p] to what q knows and has done; a barrier of p raises clock[p][p] to all that p has issued.

Rules of the machine: PipeBarrier documentation (V after V, MTE2 onto the destination of an MTE2), event ids strictly
alternating between set and wait, waits on S hold back all later issue.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from uol.backends.ascendc.instructions import Block, Branch, Instr, Loop, Node, View
from uol.backends.ascendc.machine import EVENT_IDS, FIRST_EVENT_ID, Pipe
from uol.backends.ascendc.sync.cells import Access, Cells, Memory, Place, cells_of
from uol.backends.ascendc.sync.iterations import ITERATIONS, holds_loop, least_walked, most_walked, short_loops, slotted_bodies

PIPES: tuple[Pipe, ...] = ("S", "V", "M", "MTE1", "MTE2", "MTE3", "FIX")
ORDERED: frozenset[Pipe] = frozenset({"S", "M", "MTE1", "MTE3", "FIX"})
"""Pipes whose instructions need no barrier against each other here: Mmad's own rule is the cube generator's, the others
never touch a region twice without another pipe between."""

Clock = dict[Pipe, int]


@dataclass(slots=True, eq=False)
class Edge:
    """A flag from `src` to `dst` within one block: set after node `set_after`, waited for before node `wait_before`.

    distance  0: the wait follows the set within one iteration; 1 or 2: the wait belongs to that many iterations later,
              and the flag is set beforehand for the first ones
    ids       event ids in use: two where both slots of a double-buffered loop have a flag of their own
    event     the first id; -1 where none was left and the edge is a barrier of all pipes
    """

    block: Block
    src: Pipe
    dst: Pipe
    set_after: int
    wait_before: int
    distance: int = 0
    ids: int = 1
    event: int = -1

    @property
    def name(self) -> str:
        return f"{self.src}_{self.dst}"


@dataclass(slots=True)
class Plan:
    """Edges, and by (block, node) the pipes that have a barrier before the node."""

    edges: list[Edge] = field(default_factory=list)
    barriers: dict[tuple[int, int], list[Pipe]] = field(default_factory=dict)

    def add_barrier(self, block: Block, node: int, pipe: Pipe) -> None:
        pipes = self.barriers.setdefault((id(block), node), [])
        assert pipe not in pipes, "a barrier that did not order its pipe"
        pipes.append(pipe)

    def before(self, block: Block, node: int) -> tuple[list[Edge], Sequence[Pipe]]:
        """The flags that are awaited before a node, and the pipes that have a barrier there."""
        waits = [e for e in self.edges if e.block is block and e.wait_before == node]
        return waits, self.barriers.get((id(block), node), ())

    def after(self, block: Block, node: int) -> list[Edge]:
        """The flags that are set after a node."""
        return [e for e in self.edges if e.block is block and e.set_after == node]

    def around(self, block: Block, node: int) -> tuple[int, int, int]:
        """How many flags are set, flags awaited, and barriers made around a node of a block, each time that it is reached,
        beside those that `preset` counts."""
        waits, barriers = self.before(block, node)
        awaited = sum(e.event >= 0 for e in waits)
        return sum(e.event >= 0 for e in self.after(block, node)), awaited, len(waits) - awaited + len(barriers)

    def holds_vectors(self, block: Block, node: int) -> bool:
        """Does a barrier before a node hold vector instructions until those before are done?"""
        waits, barriers = self.before(block, node)
        return "V" in barriers or any(e.event < 0 for e in waits)

    def preset(self, node: Node) -> int:
        """How many flags are set before a node of the program itself, and awaited behind it, for the loops that it holds."""
        return sum(e.distance for e in self.carried_within(node) if e.event >= 0)

    def carried(self) -> list[Edge]:
        """The flags over back-edges."""
        return [e for e in self.edges if e.distance]

    def carried_within(self, node: Node) -> list[Edge]:
        """The flags over back-edges that a loop holds: they are set beforehand."""
        return [e for e in self.carried() if _contains(node.body, e.block)] if isinstance(node, Loop) else []

    def number(self, slotted: Sequence[Block]) -> None:
        """Event ids, in order of the waits. Flags of double-buffered loops take one id a slot: a source pipe may run one
        iteration ahead of the pipe that waits."""
        used: dict[str, int] = {}
        for edge in self.edges:
            alternates = any(edge.block is block for block in slotted)
            edge.ids = 2 if edge.distance == 2 or (alternates and not edge.distance) else 1
            first = used.get(edge.name, FIRST_EVENT_ID.get(edge.name, 0))
            if first + edge.ids > EVENT_IDS:
                edge.event = -1
                continue
            edge.event = first
            used[edge.name] = first + edge.ids


def synchronise(program: Block, addresses: Mapping[str, int]) -> Plan:
    """The flags and barriers that order every pair of conflicting accesses."""
    plan = Plan()
    cells = cells_of(program, addresses)
    while True:
        try:
            _walk(program, plan, cells)
        except _Changed:
            continue
        _prune(program, plan, cells)
        plan.number(slotted_bodies(program))
        return plan


def _prune(program: Block, plan: Plan, cells: Cells) -> None:
    """Drops flags that other flags make superfluous: flags over back-edges whose order comes about by way of a third pipe,
    and flags before the loops of which one over a back-edge of the same pipes, set beforehand, takes care."""
    pairs = {(e.src, e.dst) for e in plan.carried()}
    early = [e for e in plan.edges if e.block is program and (e.src, e.dst) in pairs and not e.distance]
    for edge in plan.carried() + early:
        place = plan.edges.index(edge)
        plan.edges.remove(edge)
        if not _holds(program, plan, cells):
            plan.edges.insert(place, edge)


def _holds(program: Block, plan: Plan, cells: Cells) -> bool:
    """Does the plan order everything as it is?"""
    try:
        _walk(program, plan, cells, frozen=True)
    except _Changed:
        return False
    return True


def _walk(program: Block, plan: Plan, cells: Cells, *, frozen: bool = False) -> None:
    """Walks the program. How often loops run is not known, and so neither is the slot that is in use after one: both are
    tried, with each number of iterations of the loops that may be short. Raises _Changed where the plan grew (or would have
    to, if it is `frozen`)."""
    least = min(map(least_walked, short_loops(program)), default=ITERATIONS)
    for most in range(ITERATIONS, least - 1, -1):
        for slot in range(2 if slotted_bodies(program) else 1):
            _Walk(plan, cells, slot, most, frozen=frozen).block(program, 0)


class _Changed(Exception):
    """The plan got an edge that changes what has been walked already."""


@dataclass(slots=True)
class _Frame:
    """A block that is being walked: after each of its nodes, what every pipe knew."""

    block: Block
    iteration: int
    node: int = 0
    known: list[dict[Pipe, Clock]] = field(default_factory=list)


class _Walk:
    """One walk through a program. `slot` is the slot in use at its start, `most` how often an innermost loop runs if it need
    not run more often; `frozen`: the plan must hold as it is."""

    def __init__(self, plan: Plan, cells: Cells, slot: int, most: int, *, frozen: bool) -> None:
        self.plan, self.most, self.frozen = plan, most, frozen
        self.memory = Memory(cells, slot)
        self.clocks = _Clocks()
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
            waits, barriers = self.plan.before(block, number)
            for edge in waits:
                self.wait(edge)
            for pipe in barriers:
                self.clocks.barrier(pipe)
            self.node(node)
            for edge in self.plan.after(block, number):
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
                for iteration in range(self.iterations(node)):
                    self.block(body, iteration)
                    if node.slotted:
                        self.memory.slot = 1 - self.memory.slot
                if not node.least:
                    self.clocks.forget(before)
            case Branch(body=body):
                before = self.clocks.snapshot()
                self.block(body, 0)
                self.clocks.forget(before)

    def iterations(self, loop: Loop) -> int:
        return most_walked(loop) if holds_loop(loop.body) else min(most_walked(loop), max(self.most, least_walked(loop)))

    def instruction(self, instr: Instr) -> None:
        trace = tuple((f.block, f.node, f.iteration) for f in self.frames)
        missing = self.missing(instr, trace)
        if missing and self.frozen:
            raise _Changed
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
                last = max(n for n in range(mine[1]) if _uses_pipe(frame.block.nodes[n], access.pipe))
                self.plan.edges.append(Edge(frame.block, access.pipe, dst, last, mine[1]))
                if mine[0] is not trace[-1][0]:
                    raise _Changed  # a wait further out: what lies between is walked with it
                self.clocks.learn(dst, frame.known[last][access.pipe])
                return
        raise AssertionError("two accesses at one place")

    def carry(self, block: Block, src: Pipe, dst: Pipe, set_after: int, wait_before: int, distance: int) -> None:
        """One flag a pair of pipes over the back-edge of a loop: set after the last source, waited for before the first
        use. The set comes after the wait of the same iteration, so that they alternate."""
        known = next((e for e in self.plan.carried() if e.block is block and (e.src, e.dst) == (src, dst)), None)
        if known is None:
            self.plan.edges.append(Edge(block, src, dst, max(set_after, wait_before), wait_before, distance))
            raise _Changed
        state = (known.set_after, known.wait_before, known.distance)
        known.wait_before = min(known.wait_before, wait_before)
        known.set_after = max(known.set_after, set_after, known.wait_before)
        known.distance = min(known.distance, distance)
        assert state != (known.set_after, known.wait_before, known.distance), "a flag that did not order its pipes"
        raise _Changed

    def barrier(self, missing: list[Access], pipe: Pipe, trace: tuple[Place, ...]) -> None:
        """A barrier of one pipe before the outermost node that keeps it after the accesses."""
        access = max(missing, key=lambda a: a.time)
        for mine, other in zip(trace, access.trace, strict=False):
            if mine[1:] != other[1:]:
                self.plan.add_barrier(mine[0], mine[1], pipe)
                if mine[0] is not trace[-1][0]:
                    raise _Changed
                self.clocks.barrier(pipe)
                return
        raise AssertionError("two accesses at one place")

    def preset(self, node: Node) -> None:
        """Flags over back-edges are set once before the outermost loop that holds them."""
        for edge in self.plan.carried_within(node):
            self.flags[id(edge)] = [self.clocks.told_by(edge.src) for _ in range(edge.distance)]

    def wait(self, edge: Edge) -> None:
        waiting = self.flags.get(id(edge), [])
        if waiting:
            self.clocks.learn(edge.dst, waiting.pop(0))


class _Clocks:
    """The progress of every pipe, and what every pipe knows of it."""

    def __init__(self) -> None:
        self.time: Clock = dict.fromkeys(PIPES, 0)
        self.known: dict[Pipe, Clock] = {p: dict.fromkeys(PIPES, 0) for p in PIPES}

    def issue(self, pipe: Pipe) -> int:
        """One more instruction of the pipe; its number."""
        self.time[pipe] += 1
        return self.time[pipe]

    def ordered(self, source: Pipe, time: int, pipe: Pipe) -> bool:
        """Does what `pipe` issues now come after the source's instruction of that number?"""
        return (source == pipe and pipe in ORDERED) or self.known[pipe][source] >= time

    def barrier(self, pipe: Pipe) -> None:
        self.known[pipe][pipe] = self.time[pipe]

    def told_by(self, pipe: Pipe) -> Clock:
        """What a flag set by the pipe now tells: all that it knows, and all that it has done."""
        return {**self.known[pipe], pipe: self.time[pipe]}

    def learn(self, pipe: Pipe, news: Clock) -> None:
        """A flag arrives. A wait on S holds back all later issue, so that every pipe learns what S does."""
        for listener in PIPES if pipe == "S" else (pipe,):
            clock = self.known[listener]
            for other, time in news.items():
                clock[other] = max(clock[other], time)

    def snapshot(self) -> dict[Pipe, Clock]:
        return {p: dict(c) for p, c in self.known.items()}

    def forget(self, before: Mapping[Pipe, Clock]) -> None:
        """After code that may not have run: only what was known before it."""
        for pipe, clock in before.items():
            self.known[pipe] = {p: min(t, self.known[pipe][p]) for p, t in clock.items()}


def _contains(block: Block, inner: Block) -> bool:
    """Is `inner` the block or one within it?"""
    if block is inner:
        return True
    return any(_contains(n.body, inner) for n in block.nodes if isinstance(n, Loop | Branch))


def _uses_pipe(node: object, pipe: Pipe) -> bool:
    """Does anything in the node run on the pipe?"""
    match node:
        case Instr(pipe=own):
            return own == pipe
        case Loop(body=body) | Branch(body=body):
            return any(_uses_pipe(n, pipe) for n in body.nodes)
    return False
