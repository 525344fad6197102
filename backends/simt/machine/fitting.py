"""Does a launch fit the machine: its threads, its grid, the shared memory of a block?"""

from __future__ import annotations

from uol.backends.simt.c_text.counters import as_count, parts_of
from uol.backends.simt.machine.target import Machine
from uol.codegen.backend import Footprint, Refusal
from uol.codegen.indexing.arithmetic import ZERO, static
from uol.ir.program.nodes import Expr


def parts_by(count: Expr, of: int) -> Expr:
    """As many as the fields of a schedule make, which may be any numbers."""
    return parts_of(count, of) if of > 0 else ZERO


def fitting(
    machine: Machine, threads: int, blocks: Expr, shared_bytes: int, most_shared: int | None = None
) -> Footprint | Refusal:
    """Blocks that are arguments are asked for at the launch. `most_shared`: bytes of shared memory that a block may have, if
    not those that it may declare."""
    lanes, most = machine.lanes, machine.max_threads
    if threads <= 0 or threads > most or threads % lanes:
        legal = min(max(threads // lanes * lanes, lanes), most)
        return Refusal(f"a block of {threads} threads is not a multiple of {lanes} up to {most}", f"{legal} threads")
    known, most_blocks = static(blocks) or 0, machine.max_blocks(threads)
    if known > most_blocks:
        return Refusal(f"{known} blocks of {threads} threads exceed the grid's {most_blocks}", "a larger tile or block")
    most_bytes = machine.shared_bytes if most_shared is None else most_shared
    if shared_bytes > most_bytes:
        fewer = "fewer threads" if most_shared is None else "fewer stages or a smaller tile"
        return Refusal(f"{shared_bytes} bytes of shared memory are more than a block's {most_bytes}", fewer)
    return Footprint({"shared": shared_bytes} if shared_bytes else {}, (as_count(blocks), 1, 1), threads)
