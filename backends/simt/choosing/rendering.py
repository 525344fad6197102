"""Rendering makes of a spec and a schedule the text of one kernel."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import reduce

from uol.backends.c_text.names import kernel_symbol
from uol.backends.simt.attention.tiles import open_widths
from uol.backends.simt.c_text.index_reach import LARGEST
from uol.backends.simt.choosing import kinds
from uol.backends.simt.choosing.candidates import check
from uol.backends.simt.elements.map_plan import MapPlan
from uol.backends.simt.kernel import nodes
from uol.backends.simt.kernel.printing import printed_kernel
from uol.backends.simt.kernel.schedule_kind import Plan
from uol.backends.simt.kernel.templates import template
from uol.backends.simt.kernel.verify import verify
from uol.backends.simt.machine.target import Machine
from uol.codegen.backend import Kernel, Refusal, Schedule
from uol.codegen.indexing.arithmetic import ZERO, static
from uol.codegen.specs.nodes import Attention, KernelSpec, Select
from uol.codegen.specs.sizes import known_bound
from uol.ir.errors import RefusalError, ResourceError
from uol.ir.integers.terms import compare, negate
from uol.ir.program.nodes import Call, Const, Expr


def render(spec: KernelSpec, schedule: Schedule, machine: Machine) -> Kernel:
    """The kernel's text and its launch record. Raises RefusalError where `check` refuses."""
    outcome = check(spec, schedule, machine)
    if isinstance(outcome, Refusal):
        raise RefusalError(f"{spec.name}: {outcome.reason}", hint=outcome.hint)
    plan = plan_of(spec, schedule, machine)
    if isinstance(plan, nodes.Kernel):
        verify(plan, machine.lanes, outcome.buffers.get("shared", 0))
    return Kernel(
        name=kernel_symbol(spec),
        text=_text(plan),
        params=plan.signature.params,
        launch=replace(plan.launch, where=spec.where),
        footprint=outcome,
        schedule=schedule,
        spec=spec,
        requires=tuple(_limits(plan, spec, machine)),
    )


def plan_of(spec: KernelSpec, schedule: Schedule, machine: Machine) -> Plan:
    """The kernel of a spec and a schedule."""
    kind = kinds.kind_of(spec, schedule)
    if kind is None:
        raise ResourceError(f"{spec.name}: no kernel for {schedule}")
    return kind.build(spec, schedule, machine)


def _text(plan: Plan) -> str:
    if isinstance(plan, nodes.Kernel):
        return template("kernel.j2").render(plan=plan, body=printed_kernel(plan))
    return template(plan.template).render(plan=plan)


def _limits(plan: Plan, spec: KernelSpec, machine: Machine) -> Iterator[Expr]:
    """What must hold of dims that are arguments, where the kernel is launched: indices fit, runs hold a row, the grid fits."""
    where, blocks = plan.signature.where, plan.launch.grid[0]
    ranges = [negate(each) for each in spec.where if isinstance(each, Call) and each.fn in ("<=", ">")]
    run, row = (spec.run, spec.col.extent) if isinstance(spec, Select) else (None, ZERO)
    if where is not None:  # a part that is merged may be longer than short rows, for which it is not launched
        yield _or(ranges if run and static(row) else (), where)
    if run and static(row) is None and known_bound(spec.where, row) is None:
        yield _or(ranges, compare("<=", row, Const(2 * run)))
    if isinstance(spec, Attention):  # of a width of nothing there is no last one to read again
        yield from (compare(">", width, ZERO) for width in open_widths(spec))
    most = machine.max_blocks(plan.launch.block[0])
    is_flat = isinstance(plan, MapPlan) and where is not None  # then a thread for each element is counted
    if not isinstance(blocks, int) and most * (plan.launch.block[0] if is_flat else 1) < LARGEST:
        fits: Expr = compare("<=", blocks, Const(most))
        yield _or(ranges, fits)


def _or(cases: Iterable[Expr], otherwise: Expr) -> Expr:
    """One of these cases, or a condition."""
    return reduce(lambda found, each: Call("or", (each, found), "bool"), cases, otherwise)
