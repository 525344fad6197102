"""What synchronisation a program gets: flags between pipes and barriers within one, placed at nodes of its blocks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from uol.backends.ascendc.instructions import Block, Branch, Instr, Loop
from uol.backends.ascendc.machine import EVENT_IDS, FIRST_EVENT_ID, Pipe


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

    def barriers_before(self, block: Block, node: int) -> Iterable[Pipe]:
        return self.barriers.get((id(block), node), ())

    def waits_before(self, block: Block, node: int) -> list[Edge]:
        return [e for e in self.edges if e.block is block and e.wait_before == node]

    def sets_after(self, block: Block, node: int) -> list[Edge]:
        return [e for e in self.edges if e.block is block and e.set_after == node]

    def carried(self) -> list[Edge]:
        return [e for e in self.edges if e.distance]

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


def contains(block: Block, inner: Block) -> bool:
    """Is `inner` the block or one within it?"""
    if block is inner:
        return True
    return any(contains(n.body, inner) for n in block.nodes if isinstance(n, Loop | Branch))


def uses_pipe(node: object, pipe: Pipe) -> bool:
    """Does anything in the node run on the pipe?"""
    match node:
        case Instr(pipe=own):
            return own == pipe
        case Loop(body=body) | Branch(body=body):
            return any(uses_pipe(n, pipe) for n in body.nodes)
    return False
