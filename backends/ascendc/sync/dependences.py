"""Synchronisation by dependence analysis over (on-chip region, pipe).

Pipes run in order, each on its own. The program is walked (`walk`) with a vector clock a pipe (`clocks`) over the cells of
memory (`memory/cells`) until nothing is missing; so no flag is emitted for an order that already holds. What other flags make
superfluous is dropped then.

Rules of the machine: PipeBarrier documentation (V after V, MTE2 onto the destination of an MTE2), event ids strictly
alternating between set and wait, waits on S hold back all later issue.
"""

from __future__ import annotations

from collections.abc import Mapping

from uol.backends.ascendc.instructions import Block, Branch, Loop
from uol.backends.ascendc.memory.cells import Cells, cells_of
from uol.backends.ascendc.sync.plan import Plan
from uol.backends.ascendc.sync.walk import Changed, Walk


def synchronise(program: Block, addresses: Mapping[str, int]) -> Plan:
    """The flags and barriers that order every pair of conflicting accesses."""
    plan = Plan()
    cells = cells_of(program, addresses)
    while True:
        try:
            _walk(program, plan, cells)
        except Changed:
            continue
        _prune(program, plan, cells)
        plan.number(_slotted(program))
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
    except Changed:
        return False
    return True


def _walk(
    program: Block, plan: Plan, cells: Cells, *, frozen: bool = False
) -> None:
    """Walks the program. How often loops run is not known, and so neither is the slot that is in use after one: both are
    tried. Raises Changed where the plan grew (or would have to, if it is `frozen`)."""
    for slot in range(2 if _slotted(program) else 1):
        Walk(program, plan, cells, slot, frozen=frozen).block(program, 0)


def _slotted(block: Block) -> list[Block]:
    """The bodies of all loops that alternate between slots."""
    found: list[Block] = []
    for node in block.nodes:
        if isinstance(node, Loop) and node.slotted:
            found.append(node.body)
        if isinstance(node, Loop | Branch):
            found += _slotted(node.body)
    return found
