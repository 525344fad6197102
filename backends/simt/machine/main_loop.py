"""The main loop of a kernel on matrix units, of what a listing of its binary says: any machine's instructions in one set of
classes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from uol.backends.toolchain.machine_loops import Instruction, innermost_loop
from uol.codegen.extensions import MainLoop

PRODUCT, WAIT, SPILL, LOAD = "product", "memory wait", "spill", "load"
Classes = Sequence[tuple[str, re.Pattern[str]]]
"""Of an instruction's name the first that fits."""


def classes(table: Mapping[str, str]) -> Classes:
    """Of patterns by class."""
    return [(name, re.compile(pattern)) for name, pattern in table.items()]


def class_of(name: str, table: Classes) -> str:
    """The class of an instruction; "other" where the table has none."""
    return next((found for found, pattern in table if pattern.match(name)), "other")


def main_loop(
    listing: Sequence[Instruction],
    table: Classes,
    *,
    loads: Mapping[str, tuple[int, bool]],
    narrow: Iterable[str],
    waits: Mapping[str, int],
) -> MainLoop | None:
    """Of a kernel's listing. By the text of an instruction: `loads`, the bytes of a lane that it brings from global memory, and
    whether beside what the thread does; `narrow`, accesses of shared memory of 2 bytes; `waits`, how many of the loads or
    groups before it may still be on their way behind it. None for a kernel that has no product in a loop."""
    loop = innermost_loop(listing, lambda each: class_of(each.name, table) == PRODUCT)
    if loop is None:
        return None
    mix = Counter(class_of(each.name, table) for each in loop)
    narrow_texts = set(narrow)
    return MainLoop(
        mix=mix,
        products=mix[PRODUCT],
        loads=Counter(loads[each.text] for each in loop if each.text in loads),
        narrow_scratch=sum(each.text in narrow_texts for each in loop),
        in_flight=tuple(waits[each.text] for each in loop if each.text in waits),
        spills=sum(class_of(each.name, table) == SPILL for each in listing),
        covered=_covered([_kind(each, table, loads, waits) for each in loop]),
    )


def _kind(instruction: Instruction, table: Classes, loads: Collection[str], waits: Collection[str]) -> str:
    if instruction.text in loads:
        return LOAD
    return WAIT if instruction.text in waits else class_of(instruction.name, table)


def _covered(kinds: Sequence[str]) -> int:
    """The fewest products that lie between a load and the first wait behind it, which may be in the next turn; 0 where a turn
    has no load, or waits for none."""
    if LOAD not in kinds or WAIT not in kinds:
        return 0
    fewest, since = len(kinds), None
    for kind in (*kinds, *kinds):
        if kind == LOAD:
            since = 0
        elif kind == WAIT and since is not None:
            fewest, since = min(fewest, since), None
        elif kind == PRODUCT and since is not None:
            since += 1
    return fewest
