"""Select: the order of a row's elements, one row a block.

A row that fits is sorted where a block has it, in shared memory. A longer one is sorted tile by tile; of each tile its first
places go to a workspace, as a run, and runs are merged two by two until there is one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from uol.backends.abi.interface import static_extent
from uol.backends.c_text.names import kernel_symbol, legalise
from uol.backends.simt.c_text.counters import Counter, count_of
from uol.backends.simt.c_text.printer import Printer, literal
from uol.backends.simt.c_text.proofs import Proofs, index_type
from uol.backends.simt.c_text.scope import Scope
from uol.backends.simt.c_text.signatures import Signature, signature
from uol.backends.simt.c_text.types import COMPUTE, COMPUTE_BYTES, STORAGE
from uol.backends.simt.schedules import BlockPerRow
from uol.codegen.backend import Launch
from uol.codegen.names import unused
from uol.codegen.specs.nodes import Arg, Read, Select
from uol.codegen.specs.steps import used_variables
from uol.codegen.specs.traverse import mapped, names_of
from uol.ir.program.nodes import Axis, Call, Const, Expr, Var, zero_of
from uol.ir.program.walk import rewrite, substitute, variables
from uol.ir.types import INDEX

ROW, KEY = "$row", "$key"
TILE = 2048
"""The longest row that is sorted in shared memory: 16 KB with keys of 4 bytes. A power of two."""
PLACE_BYTES = 4


@dataclass(frozen=True, slots=True)
class Runs:
    """The workspace of a long row: `kept` places of every tile, and statements that merge them, from one half of `room`
    elements into the other; the last run begins at `result`."""

    keys: str
    places: str
    kept: int
    room: int
    merges: tuple[str, ...]
    result: int


@dataclass(frozen=True, slots=True)
class SelectPlan:
    """What `select.j2` reads. `load` are statements for a slot of the tile, of the column `position`; `order` such for one of
    the `wanted` places."""

    title: str
    signature: Signature
    launch: Launch
    index_type: str
    row: str
    before: tuple[str, ...]
    key_type: str
    tile: int
    extent: int
    position: str
    load: tuple[str, ...]
    sort: str
    runs: Runs | None
    place: str
    wanted: int
    order: tuple[str, ...]


def with_workspace(spec: Select) -> Select:
    """A Select of rows that are longer than a tile with what its runs take, of every row."""
    extent = static_extent(spec.col.extent)
    if extent <= TILE:
        return spec
    taken = {*names_of(spec), *(a.name for a in spec.axes), *(a.name for a in spec.args), *(s.name for s in spec.scalars)}
    shape = (Const(count_of(spec.rows)), Const(2 * _room(extent, count_of((spec.place,)))))
    made: list[Arg] = []
    for what, dtype in (("keys", _kept_as(spec.key.type)), ("places", "i32")):
        name = unused(f"{spec.name}_{what}", {*taken, *(arg.name for arg in made)})
        made.append(Arg(name, dtype, shape, (shape[1], Const(1)), "workspace"))
    return replace(spec, args=(*spec.args, *made))


def shared_bytes(spec: Select) -> int:
    """Keys and places of a tile."""
    return tile_of(spec) * (COMPUTE_BYTES[COMPUTE[spec.key.type]] + PLACE_BYTES)


def tile_of(spec: Select) -> int:
    """A power of two that holds a row, or the longest tile."""
    return min(TILE, 1 << max(static_extent(spec.col.extent) - 1, 1).bit_length())


def plan_select(spec: Select, schedule: BlockPerRow) -> SelectPlan:
    """The kernel of a Select."""
    rows, extent, wanted = (count_of(axes) for axes in (spec.rows, (spec.col,), (spec.place,)))
    known = replace(spec, rows=(*spec.rows, Axis(spec.at, spec.col.extent)))
    room = 2 * rows * _room(extent, wanted)
    index = index_type(known, [rows, extent + TILE, room])
    names = legalise(spec, ["row", "slot", "tile", "first", "keys", "places"])
    row = Counter.over(spec.rows, ROW)
    key, spec = row.shorter(spec.key), mapped(spec, step=row.shortened)
    printer = row.known(Printer(names, replace(Proofs.of(spec), ranges=Proofs.of(known).ranges), index))
    scope = Scope(printer)
    for line in row.declarations(printer, used_variables(spec.steps) | variables(key)):
        scope.add(line)
    position, place = (printer.names.variable(axis.name) for axis in (spec.col, spec.place))
    runs = _runs(spec, schedule.threads, printer) if extent > TILE else None
    keys, places, begin = ("keys", "places", "") if runs is None else (runs.keys, runs.places, f"first + {runs.result} + ")
    found = f"{places}[{begin}{place}]"
    order = scope.inner()
    order.printer = printer.bound(**{KEY: f"{keys}[{begin}{place}]"})
    steps = mapped(spec, expr=lambda expr: rewrite(expr, lambda node: _sorted_key(node, key, spec))).steps
    if spec.at in used_variables(steps):
        order.add(f"const {printer.ctype(spec.at_dtype)} {printer.names.variable(spec.at)} = {found};")
    order.write(steps)
    sort = f"uol::block_sort<{schedule.threads}, {tile_of(spec)}, {_descending(spec)}>(keys, places, {extent});"
    return SelectPlan(
        title=f"{rows} rows of {extent}, {wanted} places, {schedule.describe().split(',')[0]}",
        signature=signature(spec, kernel_symbol(spec), names, schedule.threads, index, workspaces(spec)),
        launch=Launch((rows, 1, 1), (schedule.threads, 1, 1)),
        index_type=index,
        row=printer.names.variable(row.name),
        before=tuple(scope.lines),
        key_type=printer.ctype(spec.key.type),
        tile=tile_of(spec),
        extent=extent,
        position=position,
        load=tuple(_load(spec, key, position, extent, scope.inner())),
        sort=sort,
        runs=runs,
        place=place,
        wanted=wanted,
        order=tuple(order.lines),
    )


def workspaces(spec: Select) -> frozenset[str]:
    """What a kernel writes beside results."""
    return frozenset(arg.name for arg in spec.args[-2:]) if static_extent(spec.col.extent) > TILE else frozenset()


def _kept_as(dtype: str) -> str:
    """The type of a workspace that holds keys as they are compared."""
    return next(known for known, ctype in STORAGE.items() if ctype == COMPUTE[dtype])


def _room(extent: int, wanted: int) -> int:
    """Elements of the runs of a row, whenever they are: there are never more than tiles, as a power of two, times `kept`."""
    tiles = -(-extent // TILE)
    return (1 << (tiles - 1).bit_length()) * min(wanted, TILE)


def _sorted_key(node: Expr, key: Expr, spec: Select) -> Expr | None:
    """What stands for the key of the element at `at`: it is where the sort has left it, and not looked up."""
    if not (isinstance(node, Read) and isinstance(key, Read) and node.tensor == key.tensor) or node.guard or key.guard:
        return None
    at = Call("cast", (Var(spec.at, spec.at_dtype),), INDEX)
    return Var(KEY, key.dtype) if substitute(key.offset, {spec.col.name: at}) == node.offset else None


def _descending(spec: Select) -> str:
    return "true" if spec.descending else "false"


def _load(spec: Select, key: Expr, position: str, extent: int, scope: Scope) -> list[str]:
    """The key and the place of a slot; a slot of no element has the place behind the last."""
    inner = scope.inner()
    inner.add(f"keys[slot] = {inner.expression(key)};", spec.line)
    if extent and extent % tile_of(spec) == 0:
        return [*inner.lines, f"places[slot] = {position};"]
    none = literal(zero_of(spec.key.type))
    inside = [f"if ({position} < {extent}) {{", *(f"  {line}" for line in inner.lines), "}"]
    end = literal(Const(extent), wide=scope.printer.index_type != "int")
    return [f"keys[slot] = {none};", *inside, f"places[slot] = uol::min({position}, {end});"]


def _runs(spec: Select, threads: int, printer: Printer) -> Runs:
    keys, places = (printer.names.tensor(arg.name) for arg in spec.args[-2:])
    extent, wanted = count_of((spec.col,)), count_of((spec.place,))
    room, kept = _room(extent, wanted), min(wanted, TILE)
    merges: list[str] = []
    first, runs, length = 0, -(-extent // TILE), kept
    while runs > 1:
        longer, to = min(wanted, 2 * length), room - first
        where = f"{keys}, {places}, first + {first}, first + {to}"
        merges.append(
            f"uol::block_merge<{threads}, {_descending(spec)}>({where}, {runs}, {length}, {longer}, {extent});",
        )
        first, runs, length = to, -(-runs // 2), longer
    return Runs(keys, places, kept, room, tuple(merges), first)
