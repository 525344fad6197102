"""Select: the order of a row's elements, one row a block.

A row that fits is sorted where a block has it, in shared memory. A longer one is sorted tile by tile; of each tile its first
places go to a workspace, as a run, and runs are merged two by two until there is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from uol.backends.c_text.names import kernel_symbol, legalise
from uol.backends.simt.c_text.counters import Counter, as_count, at_most, is_multiple, parts_of
from uol.backends.simt.c_text.printer import ADDITIVE, MULTIPLICATIVE, Printer, literal
from uol.backends.simt.c_text.proofs import Index, Proofs, index_type
from uol.backends.simt.c_text.signatures import Signature, signature
from uol.backends.simt.c_text.types import COMPUTE, COMPUTE_BYTES, STORAGE
from uol.backends.simt.kernel.scope import Scope
from uol.backends.simt.rows.schedule import BlockPerRow
from uol.backends.simt.rows.tile_sort import NAMES, TileSort, each_of
from uol.codegen.backend import Launch
from uol.codegen.indexing.arithmetic import ONE, ZERO, add, mul, size, static
from uol.codegen.names import unused
from uol.codegen.specs.long_rows.split_select import last_key
from uol.codegen.specs.nodes import Arg, Select, Step
from uol.codegen.specs.sizes import known_bound
from uol.codegen.specs.steps import used_variables
from uol.codegen.specs.traverse import mapped, names_of, without_strides
from uol.ir.program.nodes import Axis, Call, Const, Expr, Var
from uol.ir.program.walk import rewrite, substitute, variables
from uol.ir.types import INDEX

ROW, KEY = "$row", "$key"
TILE = 2048
"""The longest row that is sorted in shared memory: 16 KB with keys of 4 bytes. A power of two."""
PLACE_BYTES = 4
MOST_MERGES = 20
"""Of rows whose indices fit 32 bits."""


@dataclass(frozen=True, slots=True)
class Runs:
    """The workspace of a row of any length, `room` elements: `kept` places of every tile, and statements that merge them, from
    one half into the other; the last run begins at `from`."""

    keys: str
    places: str
    kept: str
    room: str
    merges: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SelectPlan:
    """What `select.j2` reads. `load` are statements for a slot of the tile, of the column `position`; `sort` such that put
    the tile in order; `order` such for one of the `wanted` places, which are a turn of the block's threads, or more."""

    template: ClassVar[str] = "select.j2"

    title: str
    signature: Signature
    launch: Launch
    index_type: str
    row: str
    before: tuple[str, ...]
    key_type: str
    tile: int
    extent: str
    position: str
    load: tuple[str, ...]
    sort: tuple[str, ...]
    runs: Runs | None
    place: str
    wanted: str
    is_turn: bool
    order: tuple[str, ...]


def with_workspace(spec: Select) -> Select:
    """A Select of rows that are longer than a tile with what its runs take, of every row."""
    if spec.run or not _is_long(spec):
        return spec
    taken = {*names_of(spec), *(a.name for a in spec.axes), *(a.name for a in spec.args), *(s.name for s in spec.scalars)}
    shape = (size(spec.rows), mul(_half(spec), Const(2)))
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
    extent = _longest(spec)
    return TILE if extent is None else min(TILE, 1 << max(extent - 1, 1).bit_length())


def _longest(spec: Select) -> int | None:
    """The longest row; None where it may be of any length."""
    known = static(spec.col.extent)
    return known if known is not None else known_bound(spec.where, spec.col.extent)


@dataclass(frozen=True, slots=True)
class RowScope:
    """Where a block has declared which row it has: the spec and its key by the row's number `row`, and how indices are held."""

    spec: Select
    key: Expr
    row: Counter
    index: Index
    scope: Scope

    @staticmethod
    def of(spec: Select, counts: Sequence[Expr], declared: Sequence[str]) -> RowScope:
        """`counts` must fit an index, too; the template declares the names `declared` besides."""
        known = replace(spec, rows=(*spec.rows, Axis(spec.at, spec.col.extent)))
        index, names = index_type(known, counts, data_apart=True), legalise(spec, (*declared, *NAMES))
        row = Counter.over(spec.rows, ROW)
        key, spec = row.shorter(spec.key), mapped(spec, step=row.shortened)
        printer = row.known(Printer(names, replace(Proofs.of(spec), ranges=Proofs.of(known).ranges), index.ctype))
        scope = Scope(printer)
        scope.axes(row, used_variables(spec.steps) | variables(key))
        return RowScope(spec, key, row, index, scope)


def plan_select(spec: Select, schedule: BlockPerRow) -> SelectPlan:
    """The kernel of a Select."""
    rows, extent, wanted = size(spec.rows), spec.col.extent, spec.place.extent
    kept = mul(mul(rows, _half(spec)), Const(2)) if _is_long(spec) else rows
    own = ("row", "slot", "tile", "first", "keys", "places", "from", "merge", "runs", "length", "longer")
    made = RowScope.of(spec, [rows, add(extent, Const(TILE)), kept], own)
    spec, key, scope, printer = made.spec, made.key, made.scope, made.scope.printer
    position, place = (printer.names.variable(axis.name) for axis in (spec.col, spec.place))
    runs = _runs(spec, schedule.threads, printer) if _is_long(spec) else None
    keys, places, begin = ("keys", "places", "") if runs is None else (runs.keys, runs.places, "first + from + ")
    found = f"{places}[{begin}{place}]"
    order = scope.inner()
    order.printer = printer.bound(**{KEY: f"{keys}[{begin}{place}]"})
    steps = steps_with_keys(spec, key)
    if spec.at in used_variables(steps):
        order.add(f"const {printer.ctype(spec.at_dtype)} {printer.names.variable(spec.at)} = {found};")
    order.write(steps)
    number, shape = static(wanted), f"{printer.value(rows)} rows of {printer.value(extent)}"
    return SelectPlan(
        title=f"{shape}, {printer.value(wanted)} places, {schedule.describe().split(',')[0]}",
        signature=signature(spec, kernel_symbol(spec), printer.names, schedule.threads, made.index, workspaces(spec)),
        launch=Launch((as_count(rows), 1, 1), (schedule.threads, 1, 1)),
        index_type=made.index.ctype,
        row=printer.names.variable(made.row.name),
        before=tuple(scope.lines),
        key_type=printer.ctype(spec.key.type),
        tile=tile_of(spec),
        extent=printer.value(extent),
        position=position,
        load=tuple(_load(spec, key, position, scope.inner())),
        sort=tuple(sort_of(spec, schedule.threads).lines()),
        runs=runs,
        place=place,
        wanted=printer.value(wanted),
        is_turn=number is not None and number <= schedule.threads,
        order=tuple(order.lines),
    )


def blocks_of(spec: Select) -> Expr:
    """A block for each row; of rows of two runs for each tile of what is wanted of them."""
    return mul(size(spec.rows), parts_of(spec.place.extent, tile_of(spec)) if spec.run else ONE)


def workspaces(spec: Select) -> frozenset[str]:
    """What a kernel writes beside results."""
    return frozenset(arg.name for arg in spec.args if arg.role == "workspace") if _is_long(spec) else frozenset()


def _is_long(spec: Select) -> bool:
    """Is a row longer than a tile, or may it be?"""
    extent = _longest(spec)
    return extent is None or extent > TILE


def _kept_as(dtype: str) -> str:
    """The type of a workspace that holds keys as they are compared."""
    return next(known for known, ctype in STORAGE.items() if ctype == COMPUTE[dtype])


def _half(spec: Select) -> Expr:
    """Elements of the runs of a row, whenever they are: there are never more than tiles, as a power of two, times `kept`."""
    return mul(mul(parts_of(spec.col.extent, TILE), Const(2)), at_most(spec.place.extent, TILE))


def steps_with_keys(spec: Select, key: Expr) -> tuple[Step, ...]:
    """The steps of a Select with what stands for the key of the element at `at`: it is where the order has left it, and not
    looked up."""
    at = Call("cast", (Var(spec.at, spec.at_dtype),), INDEX)
    sought, held = without_strides(substitute(key, {spec.col.name: at})), Var(KEY, key.type)

    def rule(node: Expr) -> Expr | None:
        return held if type(node) is type(sought) and without_strides(node) == sought else None

    return tuple(mapped(spec, expr=lambda expr: rewrite(expr, rule)).steps)


def descending_text(spec: Select) -> str:
    """The argument of a function of the header."""
    return "true" if spec.descending else "false"


def _load(spec: Select, key: Expr, position: str, scope: Scope) -> list[str]:
    """The key and the place of a slot. What is no element stands last: its key is one that no other stands behind, and among
    keys that are alike it comes behind the elements. Of a run it has the place behind the last, by which merges know it."""
    inner, extent = scope.inner(), spec.col.extent
    inner.add(f"keys[slot] = {inner.expression(key)};", spec.line)
    if extent != ZERO and is_multiple(extent, tile_of(spec)):
        return [*inner.lines, f"places[slot] = {position};"]
    inside = [f"if ({position} < {scope.printer.value(extent)}) {{", *(f"  {line}" for line in inner.lines), "}"]
    place = f"uol::min({position}, {scope.printer.argument(extent)})" if _is_long(spec) else position
    return [f"keys[slot] = {literal(last_key(spec))};", *inside, f"places[slot] = {place};"]


def sort_of(spec: Select, threads: int) -> TileSort:
    """How a tile is put in order: as much of it as may be wanted."""
    tile, wanted = tile_of(spec), static(spec.place.extent)
    kept = tile if wanted is None else min(tile, 1 << (max(wanted, each_of(tile, threads)) - 1).bit_length())
    return TileSort(tile, kept, threads, COMPUTE[spec.key.type], descending_text(spec))


def _runs(spec: Select, threads: int, printer: Printer) -> Runs:
    keys, places = (printer.names.tensor(arg.name) for arg in spec.args[-2:])
    half, kept = _half(spec), at_most(spec.place.extent, TILE)
    whole = printer.value(mul(half, Const(2)), MULTIPLICATIVE)
    return Runs(keys, places, printer.value(kept), whole, tuple(_merges(spec, threads, printer)))


def _merges(spec: Select, threads: int, printer: Printer) -> list[str]:
    """The merges, one by one, as many as sizes say."""
    index, wanted = printer.index_type, printer.argument(spec.place.extent)
    half, runs = printer.value(_half(spec), ADDITIVE), printer.value(parts_of(spec.col.extent, TILE))
    length = printer.value(at_most(spec.place.extent, TILE))
    double = "2 * length" if index == "int" else "2LL * length"
    return [
        f"{index} from = 0;",
        f"int runs = {runs}, length = {length};",
        f"for (int merge = 0; merge < {MOST_MERGES}; ++merge) {{",
        "  if (runs <= 1) break;",
        f"  const int longer = uol::min({wanted}, {double});",
        f"  {_merge(spec, threads, printer, ('from', f'({half} - from)'), ('runs', 'length', 'longer'))}",
        f"  from = {half} - from;",
        "  length = longer;",
        "  runs = (runs + 1) / 2;",
        "}",
    ]


def _merge(
    spec: Select, threads: int, printer: Printer, places_of: tuple[str, str], sizes: tuple[str, str, str]
) -> str:
    """Sorted runs, two by two: from where, to where; how many, how long, and how much is kept of two."""
    keys, places = (printer.names.tensor(arg.name) for arg in spec.args[-2:])
    where = f"{keys}, {places}, first + {places_of[0]}, first + {places_of[1]}"
    end = printer.value(spec.col.extent)
    return f"uol::block_merge<{threads}, {descending_text(spec)}>({where}, {', '.join(sizes)}, {end});"
