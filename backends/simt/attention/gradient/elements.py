"""What becomes of the dots of a tile: scores that a row does not see are -inf, and weights go to registers as fragments of the
next products want them, two neighbours in each.

An exponential is that of 2, one instruction; what is divided by a number is multiplied by its reciprocal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import e, inf, log2

from uol.backends.simt.attention.gradient.heads import COL0, is_at_an_edge, is_seen
from uol.backends.simt.attention.gradient.place import Place
from uol.backends.simt.attention.matrix.lanes import HALF, PAIR, R, element_of
from uol.backends.simt.attention.matrix.scores import FLOAT, NONE, PACKED, computed, exponential
from uol.backends.simt.c_text.address import quotient, remainder, scaled, total
from uol.backends.simt.c_text.counters import is_multiple
from uol.backends.simt.c_text.terms import Element, Local, Primitive, Word, select
from uol.backends.simt.kernel.nodes import Assign, Block, Body, Declare, If, Statement
from uol.backends.simt.kernel.scope import Scope
from uol.backends.simt.products.matrix.place import MI, NI, index, nest
from uol.codegen.indexing.arithmetic import ONE, sub
from uol.codegen.specs.nodes import Let, Read
from uol.codegen.specs.steps import used_variables
from uol.ir.program.nodes import Call, Const, Expr, Var
from uol.ir.program.walk import rewrite, variables

LoadPair = Callable[[Read, Local, Expr], Statement]
"""A load of what is read for two neighbouring cols into an array, given the number of the first within the tile."""


def values_of_rows(place: Place) -> Body:
    """What is read for rows, in registers. Of rows beyond the last it is that of the last."""
    if not place.of_row:
        return ()
    row = place.row
    if not is_multiple(place.rows.count, place.tile.rows):
        row = Call("min", (row, place.known(place.last_row)), "idx")
    extent = (place.row_fragments, place.halves)
    declared = (Declare(place.named(read, "value"), FLOAT, extent=extent) for read in place.of_row)
    loads = (Assign(place.value_of_row(read, MI, HALF), place.known(read)) for read in place.of_row)
    body: Body = (index(place.name(place.rows.name), row), *loads)
    loops = nest((("mi", place.row_fragments), ("half", place.halves)), body)
    return (*declared, *(loops if place.row_fragments * place.halves > 1 else (Block(loops),)))


def masks(place: Place) -> Body:
    """Dots of cols that a row does not see, or that there are not, become -inf, in tiles that have such."""
    dot = place.form.masked
    if dot is None or not place.is_masked:
        return ()
    row, col = place.name(place.rows.name), place.name(place.cols.name)
    element = place.of_lane(place.dot(dot))
    seen = place.known(is_seen(place, place.rows.name, place.cols.name))
    inner = (index(col, total(COL0, place.col)), Assign(element, select(seen, element, NONE)))
    of_cols = nest((("ni", place.col_fragments), ("r", place.each)), inner)
    asks_row = place.rows.name in variables(seen)
    of_rows = (*((index(row, place.row),) if asks_row else ()), *of_cols)
    return (If(is_at_an_edge(place), nest((("mi", place.row_fragments), ("half", place.halves)), of_rows)),)


def weights(place: Place, load_pair: LoadPair) -> Body:
    """The weights of a tile, rounded, in registers."""
    declared = (Declare(place.weight(name).name, Word(), extent=_extent(place)) for name in place.form.weights)
    first = place.col_of(total(scaled(PAIR, 2), 0))
    pairs: list[Statement] = []
    for read in place.of_col:
        pairs += [Declare(place.named(read, "pair"), FLOAT, extent=2), load_pair(read, _pair(place, read), first)]
    body = (*pairs, *nest((("mi", place.row_fragments), ("half", place.halves)), _of_pair(place)))
    of_cols = nest((("ni", place.col_fragments), ("pair", place.each // 2)), body)
    return (*declared, *(of_cols if place.col_fragments * place.each > 2 else (Block(of_cols),)))


def _of_pair(place: Place) -> Body:
    """The weights of two neighbours of a row, packed."""
    form = place.form
    found: list[Statement] = [Declare(place.name(f"${name}_pair"), FLOAT, extent=2) for name in form.weights]
    found += nest((("r", 2),), _of_score(place))
    for name in form.weights:
        pair = place.array(f"${name}_pair")
        both = tuple(element_of(pair, Const(n)) for n in (0, 1))
        found.append(Assign(_word(place, name), Primitive(PACKED[form.dtype], (), both, Word())))
    return tuple(found)


def _of_score(place: Place) -> Body:
    """The steps of one row and col."""
    form = place.form
    asked = place.always if form.masked is not None else form.conditions
    steps = form.with_conditions(asked)
    if form.masked is None and place.is_masked:
        steps = _behind_the_last(place, steps)
    scope = Scope(place.printer)
    needed = used_variables(steps) | frozenset().union(*(variables(step.value) for step in steps))
    element = total(scaled(PAIR, 2), R)
    if place.rows.name in _asked_in_place(place, steps, needed):
        row = place.row
        if not is_multiple(place.rows.count, place.tile.rows):
            row = Call("min", (row, place.known(place.last_row)), "idx")
        scope.put(index(place.name(place.rows.name), row))
    if place.cols.name in _asked_in_place(place, steps, needed):
        col: Expr = total(COL0, place.col_of(element))
        if form.masked is not None and not place.cols_are_whole:
            col = Call("min", (col, place.known(sub(place.cols.count, ONE))), "idx")
        scope.put(index(place.name(place.cols.name), col))
    for step in steps:
        scope.let(replace(step, value=_computed(place, step.value, element)))
    for name, weight in form.weights.items():
        scope.put(Assign(element_of(place.array(f"${name}_pair"), R), scope.value(Var(weight, "f32"))))
    return tuple(scope.body)


def _behind_the_last(place: Place, steps: tuple[Let, ...]) -> tuple[Let, ...]:
    """Scores of cols that there are not are -inf."""
    seen = is_seen(place, place.rows.name, place.cols.name)
    return tuple(
        replace(step, value=select(seen, step.value, Const(-inf, "f32"))) if step.name == place.form.score else step
        for step in steps
    )


def _asked_in_place(place: Place, steps: tuple[Let, ...], needed: frozenset[str]) -> frozenset[str]:
    """The axes that steps ask for otherwise than by what lies in registers."""
    known = {*place.of_row, *place.of_col}
    rest = [rewrite(step.value, lambda node: Const(0.0, "f32") if node in known else None) for step in steps]
    return frozenset().union(*map(variables, rest)) & needed


def _computed(place: Place, value: Expr, element: Expr) -> Expr:
    """A value of a row and a col, of what lies in registers."""
    dots = {dot.name: dot for dot in place.form.dots}
    at = total(scaled(HALF, place.each), element)

    def rule(node: Expr) -> Expr | None:
        match node:
            case Var(name=name) if name in dots:
                return element_of(place.dot(dots[name]), MI, NI, at)
            case Read() if node in place.of_row:
                return place.value_of_row(node, MI, HALF)
            case Read() if node in place.of_col:
                return element_of(_pair(place, node), R)
            case Call(fn="exp", args=(of,)):
                return exponential(computed("*", rewrite(of, rule), Const(log2(e), "f32")))
            case Call(fn="/", args=(of, Const(value=divisor)), dtype="f32") if divisor:
                return computed("*", rewrite(of, rule), Const(1 / float(divisor), "f32"))
        return None

    return rewrite(value, rule)


def _pair(place: Place, read: Read) -> Local:
    return place.array(f"${read.tensor}_pair")


def _extent(place: Place) -> tuple[int, ...]:
    """The extents of the array of registers that holds a weight: fragments of rows, then fragments of the next product's left
    operand, or of its right one where operands have changed places, then the registers of one."""
    if place.is_turned:
        return (place.row_fragments, place.col_fragments, place.each // 2)
    return (place.row_fragments, place.col_fragments // 2, 4)


def _word(place: Place, name: str) -> Element:
    """The register that two neighbours of a row lie in: of two fragments side by side, rows g and g + 8 of the first, then of
    the second (PTX ISA, fragments of m16n8k16)."""
    array = place.weight(name)
    if place.is_turned:
        return element_of(array, MI, NI, PAIR)
    return element_of(array, MI, quotient(NI, 2), total(scaled(remainder(NI, 2), 2), HALF))
