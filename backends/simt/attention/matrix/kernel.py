"""The kernel of an attention on matrix units.

    q_part = fragments of a warp's queries                    they stay in registers
    for tile of cols, `stages` ahead by asynchronous copies:
      s = q_part k                                            matrix units
      s = -inf where a row does not see a col                 in the last tiles alone
      s = exp2(s - greatest), sums are multiplied by what the greatest has grown
      y += s v                                                s as fragments of a left operand, rounded
    y / z, through shared memory to accesses of 16 bytes

Where tensors begin at no multiple of 16 bytes, the same threads copy elements one by one. Where tiles come through registers
(`registers.py`), the loop is one, and asks of each tile whether it is masked.
"""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import TypeGuard

from uol.backends.c_text.names import kernel_symbol
from uol.backends.simt.attention.matrix.copies import Fetches, element_by_element
from uol.backends.simt.attention.matrix.end import Ending, Result, end_of, ending_of
from uol.backends.simt.attention.matrix.place import BEGIN, FULL, FULL_FROM, TOP, Place, grid_of
from uol.backends.simt.attention.matrix.registers import MOST_OF_TWO_WARPS, Turned
from uol.backends.simt.attention.matrix.schedule import MatrixRows
from uol.backends.simt.attention.matrix.scores import FLOAT, Scores
from uol.backends.simt.attention.matrix.seen import visited
from uol.backends.simt.c_text.counters import as_count, parts_of
from uol.backends.simt.c_text.signatures import signature, stored_tensors
from uol.backends.simt.c_text.terms import Known, Scalar
from uol.backends.simt.elements.vectors import are_aligned
from uol.backends.simt.kernel.fold import constants_folded
from uol.backends.simt.kernel.nodes import Assign, Block, Body, Buffer, Declare, If, Kernel, Loop, Statement
from uol.backends.simt.kernel.pipeline import TILE, TileLoop, asynchronous
from uol.backends.simt.kernel.rewrite import substituted
from uol.backends.simt.machine.fragments import MatrixUnit
from uol.backends.simt.products.matrix.epilogue import Epilogue
from uol.backends.simt.products.matrix.kernel import LEAST_THREADS, LEAST_WARPS
from uol.backends.simt.products.matrix.place import TILES, index, nest
from uol.codegen.backend import Launch
from uol.codegen.indexing.arithmetic import ONE, ZERO, add, static, sub
from uol.codegen.specs.nodes import Attention
from uol.ir.program.nodes import Call, Const, Expr, Var
from uol.ir.types import INDEX


def matrix_attention(spec: Attention, tile: MatrixRows, unit: MatrixUnit) -> Kernel:
    """The kernel of an attention without axes of extent 1. Blocks are numbered with the tiles of rows fastest."""
    ending = ending_of(spec)
    assert ending is not None, "legality has asked"
    place = Place.of(spec, tile, unit)
    ending = ending_of(place.spec)
    assert ending is not None
    room = place.staged.bytes
    body = constants_folded((*place.declarations(), *_declared(place), *_summed(place), *end_of(place, ending, room)))
    spec, names = place.spec, place.printer.names
    written = stored_tensors(spec)
    tensors = (Buffer(names.tensor(a.name), Scalar(a.dtype, True), "global", written=a.name in written) for a in spec.args)
    scalars = ((names.variable(s.name), Scalar(s.dtype)) for s in spec.scalars)
    dims = ((names.variable(name), Scalar(INDEX)) for name in spec.dims)
    least = LEAST_THREADS
    if place.is_turned:
        least = (LEAST_WARPS if Turned(place).registers <= MOST_OF_TWO_WARPS else 1) * place.threads
    return Kernel(
        title=place.title(),
        signature=signature(spec, kernel_symbol(spec), names, place.threads, place.index, least_threads=least),
        launch=Launch((as_count(grid_of(spec, tile)), 1, 1), (place.threads, 1, 1), shared_bytes=shared_bytes(place, ending)),
        index_type=place.index.ctype,
        buffers=tuple(tensors),
        scalars=(*scalars, *dims),
        body=body,
    )


def shared_bytes(place: Place, ending: Ending) -> int:
    """Of the stages, or of the sums in their place."""
    return max(place.staged.bytes, Epilogue(Result.of(place, ending), place.staged.bytes).bytes)


def _declared(place: Place) -> Body:
    """What a row has summed."""
    form, rows = place.form, (place.row_fragments, place.halves)
    sums = (place.row_fragments, place.width_fragments, place.unit.d.registers)
    found: list[Statement] = [Declare(place.name(TOP), FLOAT, extent=rows)]
    found.append(Declare(place.name(form.total.name), FLOAT, extent=rows, zeroed=True, line=form.total.line))
    found.append(Declare(place.sums.name, FLOAT, extent=sums, zeroed=True, line=form.sum.line))
    none = Assign(place.of_row(TOP), Const(-inf, "f32"))
    return (*found, *nest((("mi", place.row_fragments), ("half", place.halves)), (none,)))


def _summed(place: Place) -> Body:
    """The loop, by whole accesses where tensors begin at multiples of them; workspaces do."""
    workspaces = {arg.name for arg in place.spec.args if arg.role == "workspace"}
    asked = [each.read.tensor for each in (place.q, place.k, place.v) if each.read.tensor not in workspaces]
    whole = (*_ends(place, split=True), *_loop(place, split=True))
    if not asked:
        return (Block(whole),)
    aligned = Known(are_aligned(list(dict.fromkeys(asked))), place.printer)
    return (If(aligned, whole, element_by_element((*_ends(place, split=False), *_loop(place, split=False)))),)


def _ends(place: Place, *, split: bool) -> Body:
    """How many tiles of cols there are; and how many of them all rows of the block see whole, where those are told apart. Where
    cols begin later for later rows, tiles are those from the first that is seen, and two numbers say which are seen whole."""
    cols, last = place.cols.count, add(M0_, Const(place.tile.rows - 1))
    begin, end = visited(place.bounds, cols, M0_, last)
    whole_from, full = visited(place.bounds, cols, last, M0_)
    first = [static(bound.of_row(ZERO)) for bound in place.bounds if bound.is_end]
    if any(each is None or each < 0 for each in first):  # they grow with the row
        end, full = (Call("max", (each, ZERO), INDEX) for each in (end, full))
    printer = place.printer.natural(M0_.name, "m0")
    of_cols, count = Const(place.tile.cols), parts_of(end, place.tile.cols)
    if not place.begins_late:
        known = static(count)
        found: Body = (index("tiles", Known(count, printer) if known is None else Const(known)),)
        if is_masked(place) and (split or place.is_turned):
            if place.known_tiles.one_masked:
                return found if place.is_turned else (*found, index("full", sub(TILES, ONE)))
            found = (*found, index("full", Known(Call("/", (full, of_cols), INDEX), printer)))
        return found
    first_tile = Call("/", (begin, of_cols), INDEX)
    tiles = Call("max", (Call("-", (count, first_tile), INDEX), ZERO), INDEX)
    numbers = {BEGIN: Call("*", (first_tile, of_cols), INDEX), TILES: tiles, FULL_FROM: whole_from, FULL: full}
    return tuple(index(local.name, Known(value, printer)) for local, value in numbers.items())


M0_ = Var("$m0")


def is_masked(place: Place) -> bool:
    """Are there tiles of which some rows do not see some cols, though nothing is read for it?"""
    return bool(place.bounds) or not place.cols_are_whole


def _loop(place: Place, *, split: bool) -> Body:
    """Queries, and the tiles of cols; with `split` those that are whole in front of those that are masked."""
    if place.is_turned:
        return Turned(place, "load_words" if split else "load_elements").loop(masked=is_masked(place))
    fetches, scores = Fetches(place), Scores(place)

    tiles = place.known_tiles

    def pipeline(*, masked: bool, last: tuple[Body, Expr] | None = None) -> Body:
        first, fetch, compute = fetches.fetch(is_first=True), fetches.fetch(), scores.statements(masked=masked)
        staged = place.staged.stage_bytes
        loop = TileLoop(TILES, first, fetch, compute, fetches.advance(), staged, least=tiles.least, last=last)
        return asynchronous(loop, place.tile.stages)

    before = (*fetches.queries(), *fetches.addresses(), *scores.addresses())
    if split and is_masked(place) and tiles.one_masked:
        last = substituted(scores.statements(masked=True), {TILE.name: FULL})
        return (*before, *pipeline(masked=False, last=(last, FULL)))
    if not is_masked(place):
        return (*before, *pipeline(masked=False))
    masked = pipeline(masked=True)
    if not split or place.begins_late:
        return (*before, *masked)
    whole = next(each for each in pipeline(masked=False) if _is_over_tiles(each))
    found: list[Statement] = []
    for each in masked:
        if _is_over_tiles(each):
            found += [replace(whole, extent=FULL), replace(each, first=FULL)]
        else:
            found.append(each)
    return (*before, *found)


def _is_over_tiles(statement: Statement) -> TypeGuard[Loop]:
    return isinstance(statement, Loop) and statement.variable == TILE.name
