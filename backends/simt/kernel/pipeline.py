"""Software pipelining: while one tile is computed with, the next ones are on their way.

asynchronous(loop, stages)   copies into a ring of stages of shared memory, stages - 1 groups ahead
through_registers(loop)      loads into registers before the products, stores to the other of two stages behind them
in_one_stage(loop)           the same with one stage, which all have read before the next tile is stored
"""

from __future__ import annotations

from dataclasses import dataclass

from uol.backends.simt.c_text.address import flipped, total
from uol.backends.simt.c_text.terms import Local, Scalar, less, select
from uol.backends.simt.kernel.nodes import Assign, Barrier, Block, Body, Commit, Declare, If, Loop, Statement, Wait
from uol.backends.simt.kernel.rewrite import substituted
from uol.codegen.indexing.arithmetic import ZERO
from uol.ir.program.nodes import Call, Const, Expr
from uol.ir.types import INDEX

READ, WRITE = Local("read"), Local("write")
"""The byte at which the stage that is computed with begins, and the one that is filled."""
TILE = Local("tile")


@dataclass(frozen=True, slots=True)
class TileLoop:
    """for tile in range(count): fetch; place; compute.

    first     what `fetch` is for the first tile. Of products it alone may be partial, and guards stand here only; of attention
              it may be known to be whole, and guards stand elsewhere
    fetch     brings a tile on its way, into the stage that begins at byte `WRITE`, or into registers
    place     what puts a tile that lies in registers into the stage at `WRITE`
    compute   with the stage at `READ`
    advance   moves what `fetch` reads to the next tile. It stands outside of the condition under which there is a next tile:
              within it ptxas copies every pointer. The last steps lead behind the tensors; nothing is read there
    least     how many tiles there are at least, whatever the block: whether these are there is not asked
    last      what `compute` is for the last tile, where that differs and there is one, and how many tiles come before it
    """

    count: Expr
    first: Body
    fetch: Body
    compute: Body
    advance: Body
    stage_bytes: int
    place: Body = ()
    least: int = 0
    last: tuple[Body, Expr] | None = None

    def if_there(self, number: int, body: Body) -> Body:
        """Statements for the `number`-th tile, where there is one."""
        if number >= self.least:
            return (If(less(Const(number), self.count), body),)
        return (Block(body),) if any(isinstance(each, Declare) for each in body) else body

    @property
    def compute_last(self) -> Body:
        return self.compute if self.last is None else self.last[0]


def asynchronous(loop: TileLoop, stages: int, unroll: int = 1) -> Body:
    """The prologue fetches stages - 1 tiles, each a group; where there is no such tile, an empty one. A turn waits for the
    oldest group; behind a barrier it is there for all threads, and the stage that was read last is free. `unroll`: turns that
    the compiler writes one after another; a multiple of `stages` makes of the stages' places constants. A last tile that is
    computed with otherwise comes behind the loop; a turn of two stages asks for no next tile then."""
    ring = stages * loop.stage_bytes
    prologue: list[Statement] = []
    for stage in range(stages - 1):
        fetched = substituted(loop.first if stage == 0 else loop.fetch, {WRITE.name: Const(stage * loop.stage_bytes)})
        prologue += [*loop.if_there(stage, fetched), Commit(), *loop.advance]
    ahead = less(total(TILE, stages - 1), loop.count)
    body: Body = (
        Wait(stages - 2),
        Barrier(),
        *(loop.fetch if stages == 2 and loop.last is not None else (If(ahead, loop.fetch),)),
        Commit(),
        *loop.advance,
        *loop.compute,
        Assign(READ, _next(READ, loop.stage_bytes, ring)),
        Assign(WRITE, _next(WRITE, loop.stage_bytes, ring)),
    )
    return (
        *prologue,
        Declare(READ.name, Scalar(INDEX), Const(0), constant=False),
        Declare(WRITE.name, Scalar(INDEX), Const(ring - loop.stage_bytes), constant=False),
        Loop(TILE.name, ZERO, loop.count if loop.last is None else loop.last[1], body, times=unroll),
        Wait(0),
        Barrier(),
        *(() if loop.last is None else (Block(loop.last[0]), Barrier())),
    )


def through_registers(loop: TileLoop) -> Body:
    """A turn loads the next tile into registers, computes with the stage that is there, and stores the next tile into the
    other stage. The last tile is computed with behind the loop: a turn asks nothing, and what it has in registers ends with
    it."""
    first = substituted((*loop.first, *loop.advance, *loop.place), {WRITE.name: Const(0)})
    other = substituted(loop.place, {WRITE.name: flipped(READ, loop.stage_bytes)})
    body: Body = (
        *loop.fetch,
        *loop.advance,
        *loop.compute,
        *other,
        Barrier(),
        Assign(READ, flipped(READ, loop.stage_bytes)),
    )
    return (
        *loop.if_there(0, first),
        Barrier(),
        Declare(READ.name, Scalar(INDEX), Const(0), constant=False),
        Loop(TILE.name, Const(1), loop.count, body, times=1),
        *loop.if_there(0, loop.compute_last),
        Barrier(),
    )


def in_one_stage(loop: TileLoop) -> Body:
    """The same where there is room for one stage: a second barrier says that all threads have read it."""
    place = substituted(loop.place, {WRITE.name: Const(0)})
    compute = substituted(loop.compute, {READ.name: Const(0)})
    first = (*substituted(loop.first, {WRITE.name: Const(0)}), *loop.advance, *place)
    body: Body = (*loop.fetch, *loop.advance, *compute, Barrier(), *place, Barrier())
    last = substituted(loop.compute_last, {READ.name: Const(0)})
    return (
        *loop.if_there(0, first),
        Barrier(),
        Loop(TILE.name, Const(1), loop.count, body, times=1),
        *loop.if_there(0, last),
        Barrier(),
    )


def _next(at: Local, step: int, ring: int) -> Expr:
    """The next stage of the ring."""
    following = total(at, step)
    return select(Call("==", (following, Const(ring)), "bool"), ZERO, following)
