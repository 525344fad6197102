"""From a spec and a schedule to the text of one kernel."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import reduce

from uol.backends.c_text.names import kernel_symbol
from uol.backends.simt.attention.plan import AttentionPlan, plan_attention
from uol.backends.simt.attention.schedule import RowTile
from uol.backends.simt.attention.tiles import open_widths
from uol.backends.simt.c_text.index_reach import LARGEST
from uol.backends.simt.choosing.candidates import check
from uol.backends.simt.choosing.schedules import SimtSchedule
from uol.backends.simt.elements.histogram_plan import HistogramPlan, plan_histogram
from uol.backends.simt.elements.map_plan import MapPlan, plan_map
from uol.backends.simt.elements.schedule import Bins, Elements, TransposedTile
from uol.backends.simt.elements.transposed import TransposedPlan, plan_transposed
from uol.backends.simt.elements.wide_axes import with_wide_axis
from uol.backends.simt.kernel import nodes
from uol.backends.simt.kernel.printing import printed_kernel
from uol.backends.simt.kernel.templates import template
from uol.backends.simt.kernel.verify import verify
from uol.backends.simt.machine.target import Target
from uol.backends.simt.products.contract_plan import ContractPlan, plan_contract
from uol.backends.simt.products.schedule import Tile
from uol.backends.simt.rows.merge_plan import MergePlan, plan_merge
from uol.backends.simt.rows.neighbours import neighbours_kernel
from uol.backends.simt.rows.reduce_kernel import reduce_kernel
from uol.backends.simt.rows.scan_plan import ScanPlan, plan_scan
from uol.backends.simt.rows.schedule import BlockPerRow, ThreadPerRow
from uol.backends.simt.rows.select_plan import SelectPlan, plan_select
from uol.codegen.backend import Kernel, Refusal
from uol.codegen.indexing.arithmetic import ZERO, static
from uol.codegen.specs.drop_unit_axes import without_unit_axes
from uol.codegen.specs.nodes import Attention, Contract, KernelSpec, Map, Pack, Reduce, Scan, Scatter, Select
from uol.codegen.specs.sizes import known_bound
from uol.codegen.specs.steps import stored_directly
from uol.codegen.specs.traverse import with_steps
from uol.ir.errors import RefusalError, ResourceError
from uol.ir.integers.terms import compare, negate
from uol.ir.program.nodes import Call, Const, Expr

TextPlan = MapPlan | TransposedPlan | HistogramPlan | ScanPlan | SelectPlan | MergePlan | ContractPlan | AttentionPlan
Plan = TextPlan | nodes.Kernel


def render(spec: KernelSpec, schedule: SimtSchedule, target: Target) -> Kernel:
    """The kernel's text and its launch record. Raises RefusalError where `check` refuses."""
    outcome = check(spec, schedule, target)
    if isinstance(outcome, Refusal):
        raise RefusalError(f"{spec.name}: {outcome.reason}", hint=outcome.hint)
    name, plan = plan_of(spec, schedule, target)
    if isinstance(plan, nodes.Kernel):
        verify(plan, target.capability.lanes, outcome.buffers.get("shared", 0))
    return Kernel(
        name=kernel_symbol(spec),
        text=template(name).render(plan=plan, body=printed_kernel(plan) if isinstance(plan, nodes.Kernel) else ()),
        params=plan.signature.params,
        launch=replace(plan.launch, where=spec.where),
        footprint=outcome,
        schedule=schedule,
        spec=spec,
        requires=tuple(_limits(plan, spec, target)),
    )


def _tidy(spec: KernelSpec, schedule: SimtSchedule) -> KernelSpec:
    """The spec with the axes that its schedule goes by."""
    match spec, schedule:
        case (Map() | Pack() | Reduce(), Elements(each=each) | BlockPerRow(each=each)) if each > 1:
            return with_wide_axis(spec)
    return without_unit_axes(spec)


def _limits(plan: Plan, spec: KernelSpec, target: Target) -> Iterator[Expr]:
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
    most = target.max_blocks(plan.launch.block[0])
    is_flat = isinstance(plan, MapPlan) and where is not None  # then a thread for each element is counted
    if not isinstance(blocks, int) and most * (plan.launch.block[0] if is_flat else 1) < LARGEST:
        fits: Expr = compare("<=", blocks, Const(most))
        yield _or(ranges, fits)


def _or(cases: Iterable[Expr], otherwise: Expr) -> Expr:
    """One of these cases, or a condition."""
    return reduce(lambda found, each: Call("or", (each, found), "bool"), cases, otherwise)


def plan_of(spec: KernelSpec, schedule: SimtSchedule, target: Target) -> tuple[str, Plan]:
    """The template of a kernel, and what it reads: a `nodes.Kernel`, or of kinds that have not moved yet, pieces of text."""
    spec = with_steps(_tidy(spec, schedule), stored_directly)
    match spec, schedule:
        case (Map() | Pack() | Scatter(), Elements()):
            return "map.j2", plan_map(spec, schedule, target)
        case (Scatter(), Bins()):
            return "histogram.j2", plan_histogram(spec, schedule)
        case (Map() | Pack(), TransposedTile()):
            return "transposed.j2", plan_transposed(spec, schedule)
        case (Reduce(), ThreadPerRow(each=each)) if each > 1:
            return "kernel.j2", neighbours_kernel(spec, schedule)
        case (Reduce(), ThreadPerRow() | BlockPerRow()):
            return "kernel.j2", reduce_kernel(spec, schedule)
        case (Scan(), ThreadPerRow() | BlockPerRow()):
            return "scan.j2", plan_scan(spec, schedule, target)
        case (Select(run=int()), BlockPerRow()):
            return "merge.j2", plan_merge(spec, schedule)
        case (Select(), BlockPerRow()):
            return "select.j2", plan_select(spec, schedule)
        case (Contract(), Tile()):
            return "contract.j2", plan_contract(spec, schedule, target)
        case (Attention(), RowTile()):
            return "attention.j2", plan_attention(spec, schedule)
    raise ResourceError(f"{spec.name}: no kernel for {schedule}")
