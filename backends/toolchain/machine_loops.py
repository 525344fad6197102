"""Loops of machine code, whatever the machine: of a listing with jumps, those that lead back to where they began.

A natural loop is what can reach a jump back without passing the place that it leads to, which all ways into the loop pass (Aho,
Lam, Sethi, Ullman, Compilers, section 9.6): blocks that a compiler lays elsewhere are found, too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Instruction:
    """`target` is the address that it jumps to, if any; `leaves`: what stands behind it is reached by no way from it."""

    address: int
    name: str
    text: str
    target: int | None = None
    leaves: bool = False


Listing = Sequence[Instruction]
Blocks = Sequence[range]
"""Numbers of instructions that are carried out one behind another."""


def innermost_loop(listing: Listing, counts: Callable[[Instruction], bool]) -> tuple[Instruction, ...] | None:
    """Of the loops that have no other within them with such an instruction, the one with most of them; of several with as many,
    which differ in what they ask beside, the one with fewest others. None without any."""
    found = {frozenset(loop): sum(counts(listing[i]) for i in loop) for loop in loops(listing)}
    counted = [loop for loop, number in found.items() if number]
    inner = [loop for loop in counted if not any(other < loop for other in counted)]
    if not inner:
        return None
    best = max(inner, key=lambda loop: (found[frozenset(loop)], -len(loop), -min(loop)))
    return tuple(listing[i] for i in sorted(best))


def loops(listing: Listing) -> list[list[int]]:
    """The natural loops, as numbers of instructions; those of one beginning are one loop."""
    blocks = _blocks(listing)
    follow = _successors(listing, blocks)
    before: list[list[int]] = [[] for _ in blocks]
    for block, others in enumerate(follow):
        for other in others:
            before[other].append(block)
    dominators = _dominators(follow, before)
    bodies: dict[int, set[int]] = {}
    for block, own in dominators.items():
        for head in set(follow[block]) & own:
            bodies.setdefault(head, {head}).update(_body(head, block, before, dominators.keys()))
    return [[i for block in sorted(body) for i in blocks[block]] for body in bodies.values()]


def _blocks(listing: Listing) -> Blocks:
    places = {each.address: number for number, each in enumerate(listing)}
    starts = {0}
    for number, each in enumerate(listing):
        if each.target is not None or each.leaves:
            starts.add(number + 1)
        if each.target in places:
            starts.add(places[each.target])
    ordered = sorted(start for start in starts if start < len(listing))
    return [range(start, end) for start, end in zip(ordered, [*ordered[1:], len(listing)], strict=True)]


def _successors(listing: Listing, blocks: Blocks) -> list[list[int]]:
    first = {listing[block.start].address: number for number, block in enumerate(blocks)}
    found: list[list[int]] = []
    for number, block in enumerate(blocks):
        last = listing[block[-1]]
        behind = [] if last.leaves or number + 1 == len(blocks) else [number + 1]
        found.append([*behind, *([first[last.target]] if last.target in first else [])])
    return found


def _dominators(follow: Sequence[Sequence[int]], before: Sequence[Sequence[int]]) -> dict[int, set[int]]:
    """Of each block that is reached, those that every way to it passes."""
    reached, waiting = {0}, [0]
    while waiting:
        for other in follow[waiting.pop()]:
            if other not in reached:
                reached.add(other)
                waiting.append(other)
    found = {block: set(reached) for block in sorted(reached)} | {0: {0}}
    changed = True
    while changed:
        changed = False
        for block in found:
            if block == 0:
                continue
            shared = set.intersection(*(found[other] for other in before[block] if other in found)) | {block}
            if shared != found[block]:
                found[block], changed = shared, True
    return found


def _body(head: int, last: int, before: Sequence[Sequence[int]], reached: Collection[int]) -> set[int]:
    body, waiting = {head}, [last]
    while waiting:
        block = waiting.pop()
        if block not in body:
            body.add(block)
            waiting += [other for other in before[block] if other in reached]
    return body
