"""How often the loops of a program are walked to find every order that they need."""

from __future__ import annotations

from uol.backends.ascendc.instructions import Block, Branch, Loop

ITERATIONS = 3
"""Of a loop that alternates between two slots: the third is the first that finds a slot in use."""


def most_walked(loop: Loop) -> int:
    """How many iterations show every order that a loop needs."""
    return ITERATIONS if loop.slotted else ITERATIONS - 1


def least_walked(loop: Loop) -> int:
    """The fewest iterations of a loop that are walked; that it may have none is seen to after each."""
    return min(max(loop.least, 1), most_walked(loop))


def short_loops(block: Block) -> list[Loop]:
    """The loops that hold no other and may run less often than shows every order."""
    found: list[Loop] = []
    for node in block.nodes:
        if isinstance(node, Loop) and not holds_loop(node.body):
            found += [node] if least_walked(node) < most_walked(node) else []
        elif isinstance(node, Loop | Branch):
            found += short_loops(node.body)
    return found


def holds_loop(block: Block) -> bool:
    return any(isinstance(n, Loop) or (isinstance(n, Branch) and holds_loop(n.body)) for n in block.nodes)


def slotted_bodies(block: Block) -> list[Block]:
    """The bodies of all loops that alternate between slots."""
    found: list[Block] = []
    for node in block.nodes:
        if isinstance(node, Loop) and node.slotted:
            found.append(node.body)
        if isinstance(node, Loop | Branch):
            found += slotted_bodies(node.body)
    return found
