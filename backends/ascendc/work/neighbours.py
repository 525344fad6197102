"""The vector instructions before and behind each place of a program, in the order in which they are issued."""

from __future__ import annotations

from collections.abc import Mapping

from uol.backends.ascendc.instructions import Block, Branch, Instr, Loop

Neighbours = Mapping[tuple[int, int], tuple[Instr | None, Instr | None]]
"""Two vector instructions by (block, node): the last one before the node, and the first one of the node or behind it. Before
the first one of a loop's body stands the last one of the body, for all iterations but one follow another one."""


def neighbours_of(program: Block) -> Neighbours:
    """The neighbours of every node of a program."""
    issued: list[Instr] = []
    places: dict[tuple[int, int], tuple[int, int]] = {}
    _survey(program, issued, places, repeated=False)
    last = len(issued)
    return {
        place: (issued[before] if before >= 0 else None, issued[behind] if behind < last else None)
        for place, (before, behind) in places.items()
    }


def _survey(block: Block, issued: list[Instr], places: dict[tuple[int, int], tuple[int, int]], *, repeated: bool) -> None:
    """The numbers of both neighbours of every node of a block, whose instructions join those that were issued before."""
    first = len(issued)
    for number, node in enumerate(block.nodes):
        places[id(block), number] = (len(issued) - 1, len(issued))
        match node:
            case Instr(pipe="V"):
                issued.append(node)
            case Loop(body=body) | Branch(body=body):
                _survey(body, issued, places, repeated=isinstance(node, Loop))
    for number in range(len(block.nodes)) if repeated and len(issued) > first else ():
        before, behind = places[id(block), number]
        places[id(block), number] = (
            before if behind > first else len(issued) - 1,
            behind if behind < len(issued) else first,
        )
