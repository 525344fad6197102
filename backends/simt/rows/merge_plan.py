"""Select of rows that are two runs in order: a block for each tile of what they make together.

How many elements of the first run come before a tile, and before the next one, two threads find by bisection of both runs; the
elements between lie side by side in either, and the block merges them in shared memory as it does the runs of a tile.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

from uol.backends.c_text.names import kernel_symbol
from uol.backends.simt.c_text.counters import as_count, at_most, is_multiple, parts_of
from uol.backends.simt.c_text.printer import literal
from uol.backends.simt.c_text.signatures import Signature, signature
from uol.backends.simt.kernel.scope import Scope
from uol.backends.simt.rows.schedule import BlockPerRow
from uol.backends.simt.rows.select_plan import KEY, RowScope, blocks_of, descending_text, sort_of, steps_with_keys, tile_of
from uol.codegen.backend import Launch
from uol.codegen.indexing.arithmetic import ONE, ZERO, add, mul, size, static, sub, substituted
from uol.codegen.specs.long_rows.split_folds import values_of
from uol.codegen.specs.long_rows.split_select import PLACE as PLACE_TYPE
from uol.codegen.specs.long_rows.split_select import last_key
from uol.codegen.specs.nodes import Guard, Read, Select, Step, Within
from uol.codegen.specs.steps import used_variables
from uol.codegen.specs.traverse import mapped, reads
from uol.ir.program.nodes import Call, Const, Expr, Var
from uol.ir.program.walk import rewrite, substitute, variables
from uol.ir.types import INDEX

LEFT, RIGHT, PLACE = "$left", "$right", "$place"


@dataclass(frozen=True, slots=True)
class MergePlan:
    """What `merge.j2` reads. A row has so many `tiles`, no text where it is one; it ends at `end`, its first run at `run` or
    there, and `wanted` is how many of its elements are, no text where all are, or where tiles are whole; a search has `turns`,
    the first of which asks for `widest` at once. `candidates` are statements for the keys of an element of either run; `load`
    such for a slot of the tile, of the column `position`; `merge` such that put the tile in order; `order` such for the element
    at `place`."""

    template: ClassVar[str] = "merge.j2"

    title: str
    signature: Signature
    launch: Launch
    index_type: str
    row: str
    before: tuple[str, ...]
    key_type: str
    tile: int
    tiles: str
    end: str
    run: int
    wanted: str | None
    turns: int
    widest: int
    descending: str
    candidates: tuple[str, ...]
    position: str
    load: tuple[str, ...]
    merge: tuple[str, ...]
    place: str
    is_whole: bool
    order: tuple[str, ...]


def plan_merge(spec: Select, schedule: BlockPerRow) -> MergePlan:
    """The kernel of a Select of rows of two runs in order."""
    assert spec.run is not None, "rows of no runs are sorted"
    tile, run, wanted = tile_of(spec), spec.run, spec.place.extent
    own = ("row", "slot", "keys", "places", "tiles", "start", "end", "first", "second", "wanted", "splits", "split")
    made = RowScope.of(spec, [mul(blocks_of(spec), Const(tile))], (*own, "from_first", "left_key", "right_key"))
    scope, printer = made.scope, made.scope.printer
    spec, key, end = _until_end(made.spec, made.key)
    most = min(run, max((static(end) or 2 * run) - run, 1))  # elements that the search has to choose among
    is_whole, is_all = is_multiple(end, tile) and is_multiple(wanted, tile), wanted == spec.col.extent
    order = scope.inner()
    order.printer = printer.bound(**{KEY: "keys[slot]", PLACE: "places[slot]"})
    steps, place = _with_places(spec, steps_with_keys(spec, key))
    if spec.at in used_variables(steps):
        order.add(f"const {printer.ctype(spec.at_dtype)} {printer.names.variable(spec.at)} = places[slot];")
    order.write(steps)
    tiles, rows = parts_of(wanted, tile), size(spec.rows)
    position = printer.names.variable(spec.col.name)
    return MergePlan(
        title=f"{printer.value(rows)} rows of two runs in order, the first of {run}, {printer.value(wanted)} places, "
        f"{tile} of them a block of {schedule.threads} threads",
        signature=signature(spec, kernel_symbol(spec), printer.names, schedule.threads, made.index),
        launch=Launch((as_count(blocks_of(spec)), 1, 1), (schedule.threads, 1, 1)),
        index_type=made.index.ctype,
        row=printer.names.variable(made.row.name),
        before=tuple(scope.lines),
        key_type=printer.ctype(spec.key.type),
        tile=tile,
        tiles="" if tiles == ONE else printer.value(tiles),
        end=printer.value(end),
        run=run,
        wanted=None if is_all or is_whole else printer.argument(wanted),
        turns=most.bit_length(),
        widest=1 << (most.bit_length() - 1),
        descending=descending_text(spec),
        candidates=tuple(_candidates(spec, key, scope.inner())),
        position=position,
        load=tuple(_load(spec, key, place, "" if is_whole else "end" if is_all else "wanted", scope.inner())),
        merge=tuple(sort_of(spec, schedule.threads).merge("from_first")),
        place=printer.names.variable(spec.place.name),
        is_whole=is_whole,
        order=tuple(order.lines),
    )


def _until_end(spec: Select, key: Expr) -> tuple[Select, Expr, Expr]:
    """The spec and its key without the guard by which a part ends where its row does, and how many elements there are. Where
    not all places of a part are wanted, each that is has an element: what reads them counts as many of every part."""
    col, length = Var(spec.col.name), static(spec.col.extent)
    if length is None or spec.place.extent != spec.col.extent or not isinstance(key, Read):
        return spec, key, spec.col.extent
    for guard in key.guard:
        if isinstance(guard, Within) and guard.low is None and guard.high is not None:
            begin = substituted(guard.value, {col.name: ZERO})
            if guard.value == add(begin, col):
                at_element = replace(guard, value=substitute(guard.value, {col.name: _element(spec)}))
                strip = partial(_without, {guard, at_element})
                return mapped(spec, expr=strip), strip(key), at_most(sub(guard.high, begin), length)
    return spec, key, spec.col.extent


def _element(spec: Select) -> Expr:
    """Where an order has found an element, as a column."""
    return Call("cast", (Var(spec.at, spec.at_dtype),), INDEX)


def _without(guards: Set[Guard], expr: Expr) -> Expr:
    """An expression whose reads do not ask for what holds."""

    def rule(node: Expr) -> Expr | None:
        if not isinstance(node, Read) or guards.isdisjoint(node.guard):
            return None
        kept = tuple(each for each in node.guard if each not in guards)
        return replace(node, guard=kept, fill=node.fill if kept else None)

    return rewrite(expr, rule)


def _candidates(spec: Select, key: Expr, scope: Scope) -> list[str]:
    """The keys at two columns."""
    scope.printer = scope.printer.bound(**{LEFT: "left", RIGHT: "right"})
    for column, name in ((LEFT, "left_key"), (RIGHT, "right_key")):
        value = scope.expression(substitute(key, {spec.col.name: Var(column)}))
        scope.add(f"const {scope.printer.ctype(key.type)} {name} = {value};", spec.line)
    return scope.lines


def _with_places(spec: Select, steps: tuple[Step, ...]) -> tuple[tuple[Step, ...], Expr]:
    """The steps, and what goes with a key, over the columns: what is looked up at an element, if that is one number and all
    that is asked of it, or where the element stands. The numbers of neighbours lie side by side in a run; behind a merge they
    lie anywhere."""
    col, at = Var(spec.col.name), _element(spec)
    found = {r for step in steps for value in values_of([step]) for r in reads(value) if spec.at in variables(r.offset)}
    if len(found) != 1 or {read.dtype for read in found} != {PLACE_TYPE}:
        return steps, col
    (looked_up,) = found
    held = Var(PLACE, PLACE_TYPE)
    taken = mapped(replace(spec, steps=steps), expr=lambda value: rewrite(value, lambda n: held if n == looked_up else None))
    if spec.at in used_variables(taken.steps):
        return steps, col
    return tuple(taken.steps), rewrite(looked_up, lambda node: col if node == at else None)


def _load(spec: Select, key: Expr, place: Expr, wanted: str, scope: Scope) -> list[str]:
    """The key and the place of a slot; one of no element stands last."""
    scope.add(f"keys[slot] = {scope.expression(key)};", spec.line)
    scope.add(f"places[slot] = {scope.expression(place)};", spec.line)
    if not wanted:
        return scope.lines
    inside = [f"if (start + slot < {wanted}) {{", *(f"  {line}" for line in scope.lines), "}"]
    return [f"keys[slot] = {literal(last_key(spec))};", "places[slot] = slot;", *inside]
