"""The end of an attention: what becomes of the folds of a row, and of its sums.

A lane has two rows of each fragment. What is divided by a value of a row is multiplied by its reciprocal in registers; then
sums pass through shared memory, as those of a product do, and each thread has some neighbours of a row.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from uol.backends.simt.attention.matrix.lanes import QUAD, element_of
from uol.backends.simt.attention.matrix.place import TOP, Place
from uol.backends.simt.attention.matrix.row_sums import RowSums
from uol.backends.simt.attention.matrix.scores import FLOAT, NONE, computed, exponential, scale_of
from uol.backends.simt.c_text.address import remainder
from uol.backends.simt.c_text.counters import Counter, is_multiple
from uol.backends.simt.c_text.terms import Local, Primitive, select
from uol.backends.simt.kernel.nodes import Assign, Block, Body, Declare, Statement
from uol.backends.simt.kernel.scope import Scope, all_of
from uol.backends.simt.products.matrix.epilogue import Epilogue
from uol.backends.simt.products.matrix.place import LANE, index, nest
from uol.backends.simt.products.matrix.schedule import MatrixTile
from uol.codegen.attention.parts import row_steps, weighted_product, width_parts
from uol.codegen.indexing.arithmetic import ZERO
from uol.codegen.specs.nodes import Attention, Contract, Step, Store
from uol.codegen.specs.steps import used_variables
from uol.ir.program.nodes import Call, Const, Expr, Var
from uol.ir.program.walk import rewrite, variables, walk

INVERSE = Local("inverse", FLOAT)


@dataclass(frozen=True, slots=True)
class Ending:
    """`divisor`: what sums are divided by, a value of a row; `steps`: those over the width, of sums that are divided."""

    divisor: Expr | None
    steps: tuple[Step, ...]


def ending_of(spec: Attention) -> Ending | None:
    """The ending of an attention; None where its steps over the width use a value of a row otherwise than as the one divisor of
    the sum."""
    (total_,), parts = spec.sums, width_parts(spec)
    of_row = {s.name for s in (*row_steps(spec), *spec.steps) if not isinstance(s, Store)}
    divisors: list[Expr] = []

    def rule(node: Expr) -> Expr | None:
        match node:
            case Call(fn="/", args=(Var(name=name) as sum_, divisor)) if name == total_.name and variables(divisor) & of_row:
                divisors.append(divisor)
                return sum_
        return None

    steps = tuple(replace(step, value=rewrite(step.value, rule)) for part in parts for step in part.steps)
    if len(set(divisors)) > 1 or used_variables(steps) & of_row:
        return None
    if divisors and _uses(steps, total_.name) != len(divisors):
        return None
    return Ending(divisors[0] if divisors else None, steps)


def _uses(steps: Iterable[Step], name: str) -> int:
    return sum(isinstance(node, Var) and node.name == name for step in steps for node in walk(step.value))


@dataclass(frozen=True, slots=True)
class Result(RowSums):
    """The sums of a block as those of a product, of rows by the width: what `Epilogue` asks."""

    place: Place
    spec: Contract
    n: Counter

    @staticmethod
    def of(place: Place, ending: Ending) -> Result:
        product = replace(weighted_product(place.spec, place.spec.sums[0]), epilogue=ending.steps)
        return Result(place, product, place.v.outer)

    @property
    def tile(self) -> MatrixTile:
        rows, tile = self.place.staged.values.row_bytes // self.place.v.bytes, self.place.tile
        return MatrixTile(tile.rows, rows, self.unit.k, tile.warps, 1, tile.stages)

    @property
    def cols(self) -> int:
        return self.place.width_fragments

    def fragment(self, i: Expr, j: Expr) -> Expr:
        return element_of(self.place.sums, i, j)


def end_of(place: Place, ending: Ending, room: int) -> Body:
    """All of it, behind a barrier; `room`: bytes of shared memory that there are."""
    return (*_rows(place, ending), *Epilogue(Result.of(place, ending), room).statements())


def _rows(place: Place, ending: Ending) -> Body:
    """The steps of a lane's rows, by one lane of those that share a row; and the sums, divided."""
    spec, form = place.spec, place.form
    z = place.of_row(form.total.name)
    body: list[Statement] = [Assign(z, place.folded(z, "Sum"))]
    scope = Scope(place.printer)
    names = scope.printer.names
    body += _exact(place)
    if place.keeps_maximum:
        hi = Declare(names.variable(form.hi.name), FLOAT, _maximum(place), line=form.hi.line)
        body.append(hi)
    scope.printer = scope.printer.bound(**{form.total.name: _text(place, form.total.name)})
    steps = row_steps(spec)
    row = place.name(place.rows.name)
    is_stored = any(isinstance(step, Store) for step in steps)
    guards: list[Expr] = []
    if is_stored:
        body.append(index(row, place.row))
        guards.append(_is_first(place))
        if not is_multiple(place.rows.count, place.tile.rows):
            guards.append(Call("<", (Local(row), place.known(place.rows.count)), "bool"))
    scope.write(steps, all_of(guards) if guards else None)
    if ending.divisor is not None:
        scope.put(Assign(INVERSE, scope.value(Call("/", (INVERSE, ending.divisor), "f32"))))
    sums = place.of_lane(place.sums)
    scope.put(*nest((("ni", place.width_fragments), ("r", place.each)), (Assign(sums, INVERSE, "*="),)))
    rows = nest((("mi", place.row_fragments), ("half", place.halves)), (*body, *scope.body))
    return rows if place.row_fragments * place.halves > 1 else (Block(rows),)  # names of its own, as in a loop


def _is_first(place: Place) -> Expr:
    """Is a lane the first of those that share a row?"""
    if place.is_turned:
        return Call("<", (LANE, Const(place.unit.n)), "bool")
    return Call("==", (remainder(LANE, QUAD), ZERO), "bool")


def _text(place: Place, name: str) -> str:
    """How a row's value is called; of one row of fragments the first index is 0."""
    mi = "mi" if place.row_fragments > 1 else "0"
    return f"{place.name(name)}[{mi}][{'half' if place.halves > 1 else '0'}]"


def _maximum(place: Place) -> Expr:
    """The greatest score of a row: that of the dots, as the text makes scores of them."""
    top, form = place.of_row(TOP), place.form
    if form.divisor is not None:
        return computed("/", top, place.known(form.divisor))
    return top if form.scale in (None, 1.0) else computed("*", top, Const(form.scale, "f32"))


def _exact(place: Place) -> Body:
    """What makes sums of a row relative to its maximum that are so to what that is rounded to as an exponent of 2."""
    z, top, scale = place.of_row(place.form.total.name), place.of_row(TOP), scale_of(place)
    rest = Primitive("fused", (), (computed("neg", top), scale, computed("*", top, scale)), FLOAT)
    factor = select(Call("==", (top, NONE), "bool"), Const(1.0, "f32"), exponential(rest))
    return Declare(INVERSE.name, FLOAT, factor, constant=False), Assign(z, INVERSE, "*=")
