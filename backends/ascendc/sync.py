"""Synchronisation by dependence analysis over (on-chip region, pipe).

Pipes run in order, each on its own. The program is walked as it would be issued, every loop two iterations (three where it
alternates between two slots), with a vector clock a pipe: what it knows of the progress of the others. An instruction that
touches a region after another pipe, or after its own vector pipe, needs that access in its clock; if it is not there, a flag
or a barrier is added in the innermost block that holds both, and its effect on the clocks joins the walk. So no flag is
emitted for an order that already holds.

Rules of the machine: PipeBarrier documentation (V after V, MTE2 onto the destination of an MTE2), event ids strictly
alternating between set and wait, waits on S hold back all later issue.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from uol.backends.ascendc.buffers import Buffer, View
from uol.backends.ascendc.machine import Pipe
from uol.backends.ascendc.program import Block, Branch, Instr, Loop, Node
from uol.backends.ascendc.sync_plan import Edge, Plan, contains, uses_pipe

PIPES: tuple[Pipe, ...] = ("S", "V", "M", "MTE1", "MTE2", "MTE3", "FIX")
ORDERED: frozenset[Pipe] = frozenset({"S", "M", "MTE1", "MTE3", "FIX"})
"""Pipes whose instructions need no barrier against each other here: Mmad's own rule is the cube generator's, the others
never touch a region twice without another pipe between."""

Clock = dict[Pipe, int]
Place = tuple[Block, int, int]
"""A block, the number of a node in it, and the iteration of the loop whose body the block is."""


@dataclass(frozen=True, slots=True)
class Access:
    """One access that has happened: who, when, and where in the program."""

    pipe: Pipe
    time: int
    trace: tuple[Place, ...]
    view: View


@dataclass(slots=True)
class _Cell:
    """The last accesses to one stretch of memory."""

    writes: list[Access] = field(default_factory=list)
    reads: list[Access] = field(default_factory=list)


@dataclass(slots=True)
class _Frame:
    """A block that is being walked: after each of its nodes, what every pipe knew."""

    block: Block
    iteration: int
    node: int = 0
    known: list[dict[Pipe, Clock]] = field(default_factory=list)


class _Changed(Exception):
    """The plan got an edge that changes what has been walked already."""


def synchronise(program: Block, addresses: Mapping[str, int]) -> Plan:
    """The flags and barriers that order every pair of conflicting accesses."""
    plan = Plan()
    cells = _cells(program, addresses)
    while True:
        try:
            _walk(program, plan, cells)
        except _Changed:
            continue
        _prune(program, plan, cells)
        plan.number(_slotted(program))
        return plan


def _prune(program: Block, plan: Plan, cells: Mapping[Buffer, tuple[tuple[int, ...], ...]]) -> None:
    """Drops flags that other flags make superfluous: flags over back-edges whose order comes about by way of a third pipe,
    and flags before the loops of which one over a back-edge of the same pipes, set beforehand, takes care."""
    pairs = {(e.src, e.dst) for e in plan.carried()}
    early = [e for e in plan.edges if e.block is program and (e.src, e.dst) in pairs and not e.distance]
    for edge in plan.carried() + early:
        place = plan.edges.index(edge)
        plan.edges.remove(edge)
        if not _holds(program, plan, cells):
            plan.edges.insert(place, edge)


def _holds(program: Block, plan: Plan, cells: Mapping[Buffer, tuple[tuple[int, ...], ...]]) -> bool:
    """Does the plan order everything as it is?"""
    try:
        _walk(program, plan, cells, frozen=True)
    except _Changed:
        return False
    return True


def _walk(
    program: Block, plan: Plan, cells: Mapping[Buffer, tuple[tuple[int, ...], ...]], *, frozen: bool = False
) -> None:
    """Walks the program. How often loops run is not known, and so neither is the slot that is in use after one: both are
    tried. Raises _Changed where the plan grew (or would have to, if it is `frozen`)."""
    for slot in range(2 if _slotted(program) else 1):
        _Walk(program, plan, cells, slot, frozen=frozen).block(program, 0)


class _Walk:
    def __init__(
        self, program: Block, plan: Plan, cells: Mapping[Buffer, tuple[tuple[int, ...], ...]], slot: int, *, frozen: bool
    ) -> None:
        self.frozen, self.slot = frozen, slot
        self.program, self.plan, self.cells = program, plan, cells
        self.memory: dict[int, _Cell] = {}
        self.time: Clock = dict.fromkeys(PIPES, 0)
        self.clock: dict[Pipe, Clock] = {p: dict.fromkeys(PIPES, 0) for p in PIPES}
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
                self.clock[pipe][pipe] = self.time[pipe]
            self.node(node)
            for edge in self.plan.sets_after(block, number):
                self.flags.setdefault(id(edge), []).append(self.seen_by(edge.src))
            frame.known.append({p: self.seen_by(p) for p in PIPES})
        self.frames.pop()

    def node(self, node: Node) -> None:
        match node:
            case Instr():
                self.instruction(node)
            case Loop(body=body):
                self.loop_of[id(body)] = node.name
                before = self.snapshot()
                for iteration in range(3 if node.slotted else 2):
                    self.block(body, iteration)
                    if node.slotted:
                        self.slot = 1 - self.slot
                if not node.runs:
                    self.forget(before)
            case Branch(body=body):
                before = self.snapshot()
                self.block(body, 0)
                self.forget(before)

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
        self.time[instr.pipe] += 1
        for view in instr.reads:
            self.record(Access(instr.pipe, self.time[instr.pipe], trace, view), writes=False)
        for view in instr.writes:
            self.record(Access(instr.pipe, self.time[instr.pipe], trace, view), writes=True)

    def missing(self, instr: Instr, trace: tuple[Place, ...]) -> list[Access]:
        """Earlier accesses that conflict with the instruction and are not known to have finished."""
        found: dict[tuple[Pipe, int], Access] = {}
        for view, writes in [(v, False) for v in instr.reads] + [(v, True) for v in instr.writes]:
            for cell in self.touched(view):
                for access in (*cell.writes, *(cell.reads if writes else ())):
                    if not self.ordered(access, instr.pipe) and not self.disjoint(access, view, trace):
                        found.setdefault((access.pipe, access.time), access)
        return list(found.values())

    def ordered(self, access: Access, pipe: Pipe) -> bool:
        if access.pipe == pipe and pipe in ORDERED:
            return True
        return self.clock[pipe][access.pipe] >= access.time

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
                    raise _Changed  # a wait further out: what lies between is walked with it
                self.learn(dst, frame.known[last][access.pipe])
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
                self.clock[pipe][pipe] = self.time[pipe]
                return
        raise AssertionError("two accesses at one place")

    def preset(self, node: Node) -> None:
        """Flags over back-edges are set once before the outermost loop that holds them."""
        if not isinstance(node, Loop):
            return
        for edge in self.plan.carried():
            if contains(node.body, edge.block):
                self.flags[id(edge)] = [self.seen_by(edge.src) for _ in range(edge.distance)]

    def wait(self, edge: Edge) -> None:
        waiting = self.flags.get(id(edge), [])
        if waiting:
            self.learn(edge.dst, waiting.pop(0))

    def learn(self, pipe: Pipe, news: Clock) -> None:
        for listener in PIPES if pipe == "S" else (pipe,):
            clock = self.clock[listener]
            for other, time in news.items():
                clock[other] = max(clock[other], time)

    def seen_by(self, pipe: Pipe) -> Clock:
        """What a flag set by the pipe now tells: all that it knows, and all that it has done."""
        return {**self.clock[pipe], pipe: self.time[pipe]}

    def snapshot(self) -> dict[Pipe, Clock]:
        return {p: dict(c) for p, c in self.clock.items()}

    def forget(self, before: Mapping[Pipe, Clock]) -> None:
        """After code that may not have run: only what was known before it."""
        for pipe, clock in before.items():
            self.clock[pipe] = {p: min(t, self.clock[pipe][p]) for p, t in clock.items()}

    def touched(self, view: View) -> list[_Cell]:
        slots = self.cells[view.buffer]
        if view.whole:
            return [self.memory.setdefault(c, _Cell()) for slot in slots for c in slot]
        return [self.memory.setdefault(c, _Cell()) for c in slots[self.slot if len(slots) > 1 else 0]]

    def record(self, access: Access, *, writes: bool) -> None:
        for cell in self.touched(access.view):
            if not writes:
                cell.reads.append(access)
            elif access.view.per or access.view.part:
                cell.writes.append(access)
            else:
                cell.writes, cell.reads = [access], []


def _slotted(block: Block) -> list[Block]:
    """The bodies of all loops that alternate between slots."""
    found: list[Block] = []
    for node in block.nodes:
        if isinstance(node, Loop) and node.slotted:
            found.append(node.body)
        if isinstance(node, Loop | Branch):
            found += _slotted(node.body)
    return found


def _cells(program: Block, addresses: Mapping[str, int]) -> dict[Buffer, tuple[tuple[int, ...], ...]]:
    """For each buffer and slot, the elementary stretches of memory that it covers: buffers that share bytes share cells."""
    buffers = _buffers(program)
    result: dict[Buffer, tuple[tuple[int, ...], ...]] = {}
    first = 0
    for memory in {b.memory for b in buffers}:
        here = [b for b in buffers if b.memory == memory]
        spans = {b: [addresses[b.name] + s * b.slot_bytes for s in range(b.slots)] for b in here}
        edges = sorted({e for b in here for s in spans[b] for e in (s, s + b.slot_bytes)})
        for b in here:
            result[b] = tuple(tuple(first + i for i, e in enumerate(edges) if s <= e < s + b.slot_bytes) for s in spans[b])
        first += len(edges)
    return result


def _buffers(block: Block) -> list[Buffer]:
    found: dict[Buffer, None] = {}
    for node in block.nodes:
        match node:
            case Instr(reads=reads, writes=writes):
                found.update(dict.fromkeys(v.buffer for v in (*reads, *writes)))
            case Loop(body=body) | Branch(body=body):
                found.update(dict.fromkeys(_buffers(body)))
    return list(found)
