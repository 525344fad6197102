"""Select of rows that are a few runs in order: a thread an element, which looks for its place in each of the other runs."""

from __future__ import annotations

from dataclasses import dataclass, replace

from uol.backends.c_text.names import kernel_symbol, legalise
from uol.backends.simt.c_text.counters import Counter, as_count, is_multiple, parts_of
from uol.backends.simt.c_text.printer import RELATION, Printer
from uol.backends.simt.c_text.proofs import Proofs, index_type
from uol.backends.simt.c_text.scope import Scope
from uol.backends.simt.c_text.signatures import Signature, signature
from uol.backends.simt.rows.select_plan import KEY, descending_text, steps_with_keys
from uol.backends.simt.schedules import Elements
from uol.codegen.backend import Launch
from uol.codegen.indexing.arithmetic import ceil_div, mul, size, static
from uol.codegen.specs.nodes import Select
from uol.codegen.specs.steps import used_variables
from uol.ir.program.nodes import Axis, Const, Var
from uol.ir.program.walk import substitute, variables

CANDIDATE = "$candidate"


@dataclass(frozen=True, slots=True)
class MergePlan:
    """What `merge.j2` reads. `turns` of a search for a place in each of `others` runs, of `run` elements, the first of which
    asks for `widest` at once; a row has `runs` of them, no text where it is known to have all; `end` is how long it is, no text
    where that is all of its runs. `key` and `candidate` are statements for the key of the element and of a candidate; `order`
    such for one of the `wanted` places, which is no text where all are."""

    title: str
    signature: Signature
    launch: Launch
    index_type: str
    counter: str
    guard: str | None
    before: tuple[str, ...]
    key: tuple[str, ...]
    position: str
    run: int
    others: int
    turns: int
    widest: int
    runs: str | None
    end: str | None
    descending: str
    candidate: tuple[str, ...]
    place: str
    wanted: str | None
    order: tuple[str, ...]


def plan_merge(spec: Select, schedule: Elements) -> MergePlan:
    """The kernel of a Select of rows of runs in order."""
    assert spec.runs is not None, "rows of no runs are sorted"
    axes, threads, (runs, run) = (*spec.rows, spec.col), schedule.threads, spec.runs
    count, length = size(axes), spec.col.extent
    known = replace(spec, rows=(*spec.rows, Axis(spec.at, spec.col.extent)))
    index = index_type(known, [mul(parts_of(count, threads), Const(threads))], data_apart=True)
    names = legalise(spec, ["element", "key", "found", "candidate", "run", "other", "first", "before", "further", "turn"])
    counter = Counter.over(axes, "$element")
    position, place = (names.variable(axis.name) for axis in (spec.col, spec.place))
    printer = counter.known(Printer(names, replace(Proofs.of(spec), ranges=Proofs.of(known).ranges), index.ctype))
    needed = used_variables(spec.steps) | variables(spec.key) | {spec.col.name}
    own, other = Scope(printer), Scope(printer.bound(**{CANDIDATE: "candidate"}))
    own.add(f"const {printer.ctype(spec.key.type)} key = {own.expression(counter.shorter(spec.key))};", spec.line)
    candidate = substitute(spec.key, {spec.col.name: Var(CANDIDATE)})
    other.add(f"const {printer.ctype(spec.key.type)} found = {other.expression(candidate)};", spec.line)
    order = Scope(own.printer.bound(**{KEY: "key"}))
    steps = steps_with_keys(spec, spec.key)
    if spec.at in used_variables(steps):
        order.add(f"const {printer.ctype(spec.at_dtype)} {names.variable(spec.at)} = {position};")
    order.write(steps)
    wanted, shape = printer.value(spec.place.extent), f"{printer.value(size(spec.rows))} rows of {runs} runs of {run} in order"
    return MergePlan(
        title=f"{shape}, {wanted} places, one element a thread",
        signature=signature(spec, kernel_symbol(spec), names, threads, index),
        launch=Launch((as_count(parts_of(count, threads)), 1, 1), (threads, 1, 1)),
        index_type=index.ctype,
        counter=printer.names.variable(counter.name),
        guard=None if is_multiple(count, threads) else printer.value(count, RELATION),
        before=tuple(counter.declarations(printer, needed)),
        key=tuple(own.lines),
        position=position,
        run=run,
        others=runs - 1,
        turns=run.bit_length(),
        widest=1 << (run.bit_length() - 1),
        runs=None if static(length) is not None else printer.value(ceil_div(length, run), RELATION),
        end=None if length == Const(runs * run) else printer.value(length, RELATION),
        descending=descending_text(spec),
        candidate=tuple(other.lines),
        place=place,
        wanted=None if spec.place.extent == length else wanted,
        order=tuple(order.lines),
    )
