"""Map, Pack and Scatter: elements, or points, of a thread of their own, or several side by side."""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar

from uol.backends.c_text.names import kernel_symbol, legalise
from uol.backends.simt.c_text.counters import Counter, as_count, at_most, is_multiple, parts_of
from uol.backends.simt.c_text.printer import RELATION, Printer
from uol.backends.simt.c_text.proofs import Proofs, index_type
from uol.backends.simt.c_text.signatures import Signature, signature
from uol.backends.simt.elements.random_words import RandomWords
from uol.backends.simt.elements.schedule import Elements
from uol.backends.simt.elements.spans import Group
from uol.backends.simt.elements.vectors import VECTOR, Vectors, reads_in_any_case
from uol.backends.simt.kernel.scope import Scope
from uol.backends.simt.machine.target import Machine
from uol.codegen.backend import Launch
from uol.codegen.indexing.arithmetic import add, mul, size, static
from uol.codegen.specs.nodes import Let, Map, Pack, Read, Scatter, Step, Store, guard_operands
from uol.codegen.specs.sizes import known_multiples
from uol.codegen.specs.steps import used_variables
from uol.codegen.specs.traverse import step_expressions
from uol.ir.program.nodes import Const, Expr
from uol.ir.program.walk import variables

COUNTERS = ("i", "element")
"""Names of the flat counter; the second where the op has an `i` of its own."""


@dataclass(frozen=True, slots=True)
class MapPlan:
    """What `map.j2` reads. `stride` is the step of the grid-stride loop, present only where the grid is too small to
    give every element a thread."""

    template: ClassVar[str] = "map.j2"

    title: str
    signature: Signature
    launch: Launch
    index_type: str
    counter: str
    first: str
    count: str
    guard: str | None
    stride: str | None
    body: tuple[str, ...]


def grid_of(blocks: Expr, most: int) -> Expr:
    """The blocks of a kernel that goes on by its grid where more are wanted than that may have. Of blocks that depend on sizes,
    more are an error of the call."""
    return blocks if static(blocks) is None else at_most(blocks, most)


def plan_map(spec: Map | Pack | Scatter, schedule: Elements, machine: Machine) -> MapPlan:
    """The kernel `y[axes] = steps`, its threads along the physical order of the result; of a Scatter, along its index."""
    threads, count = schedule.threads, size(spec.axes)
    blocks = parts_of(count, threads * schedule.each)
    grid = grid_of(blocks, machine.max_blocks(threads))
    reach = blocks if static(blocks) is None else add(blocks, grid)
    index = index_type(spec, [mul(reach, Const(threads * schedule.each))], data_apart=True)

    several = schedule.each > 1
    names = legalise(spec, [VECTOR] if several else [])
    free = [c for c in COUNTERS if c not in names.all()] or COUNTERS[-1:]
    counter = Counter.over(spec.axes, f"${free[0]}")  # `$`: no name of an op has it
    printer = counter.known(Printer(names, Proofs.of(spec), index.ctype))
    body = side_by_side(spec, counter, printer, schedule.each) if several else one_element(spec, counter, printer)

    what, number = "points" if isinstance(spec, Scatter) else "elements", parts_of(count, schedule.each)
    return MapPlan(
        title=f"{printer.value(count)} {what}, {schedule.each if several else 'one'} a thread",
        signature=signature(spec, kernel_symbol(spec), names, threads, index),
        launch=Launch((as_count(grid), 1, 1), (threads, 1, 1)),
        index_type=index.ctype,
        counter=VECTOR if several else printer.names.variable(counter.name),
        first=f"{index.cast}blockIdx.x * {threads} + threadIdx.x",
        count=printer.value(number),
        guard=None if is_multiple(number, threads) else printer.value(number, RELATION),
        stride=f"{index.cast}gridDim.x * {threads}" if grid != blocks else None,
        body=tuple(body),
    )


def one_element(spec: Map | Pack | Scatter, counter: Counter, printer: Printer) -> list[str]:
    """The statements of one element, or point."""
    steps = tuple(counter.shortened(s) for s in spec.steps)
    scope = Scope(printer)
    scope.axes(counter, used_variables(steps) | _used_in_addition(spec))
    for read in _read_again(steps) if isinstance(spec, Scatter) else ():
        scope.read_once(read)
    scope.write(steps)
    if isinstance(spec, Scatter):
        added = counter.shortened(spec.add)
        assert isinstance(added, Store)
        scope.add_to(added, spec.place, spec.guard)
    return scope.lines


def _read_again(steps: Iterable[Step]) -> list[Read]:
    """What several steps read at one place, whatever values they have."""
    steps = tuple(steps)
    made = {step.name for step in steps if isinstance(step, Let)}
    by_step = (dict.fromkeys(r for e in step_expressions(step) for r in reads_in_any_case(e)) for step in steps)
    times = Counts(read for found in by_step for read in found if not read.guard and made.isdisjoint(variables(read)))
    return [read for read, number in times.items() if number > 1]


def side_by_side(spec: Map | Pack | Scatter, counter: Counter, printer: Printer, width: int) -> list[str]:
    """The statements of `width` elements side by side: loads, a loop over the elements, stores."""
    axis = spec.axes[-1]
    vectors = Vectors(axis, width, known_multiples(spec.where), group=Group.of(spec, axis, width))
    words = RandomWords(vectors, counter, frozenset(step.name for step in spec.steps if isinstance(step, Let)))
    steps = [vectors.at_element(counter.shortened(words.taken(vectors.taken(s))), counter.name) for s in spec.steps]
    printer = words.known(vectors.known(printer))
    loads = {name: replace(read, offset=counter.offset(read)) for name, read in vectors.loads.items()}
    stores = {name: counter.offset(store) for name, store in vectors.stores.items()}
    scope = Scope(printer)
    scope.add(f"const {printer.index_type} {printer.names.variable(counter.name)} = {VECTOR} * {width};")
    before = (*loads.values(), *(s.vector for s in vectors.spans.values()), *stores.values(), *words.calls.values())
    scope.axes(counter, vectors.needed(used_variables(steps).union(*map(variables, before))))
    workspaces = frozenset(a.name for a in spec.args if a.role == "workspace")
    scope.put(vectors.aligned(printer, workspaces))
    for name, read in loads.items():
        vectors.load(name, read, scope)
    for name in vectors.spans:
        vectors.load_span(name, scope)
    words.declare(scope)
    for name in stores:
        scope.put(vectors.declaration(name, printer))
    vectors.read_once(steps, scope)
    inner = scope.inner()
    inner.write(steps)
    vectors.loop(inner, scope)
    for name, offset in stores.items():
        vectors.store(name, offset, scope)
    return scope.lines


def _used_in_addition(spec: Map | Pack | Scatter) -> frozenset[str]:
    """The names that the addition of a Scatter uses."""
    if not isinstance(spec, Scatter):
        return frozenset()
    places = (*guard_operands(spec.guard), *spec.place)
    return used_variables([spec.add]).union(*(variables(each) for each in places))
