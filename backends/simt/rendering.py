"""From a spec and a schedule to the text of one kernel, and from kernels to the files of an operator: device text, host
launcher, headers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path

import jinja2

from uol.backends.abi.example import Memory, example_file
from uol.backends.abi.interface import abi_header, c_text, call_checks, op_header, symbolic_layout
from uol.backends.c_text.names import kernel_symbol
from uol.backends.c_text.template_folder import template_of
from uol.backends.simt.attention.plan import AttentionPlan, plan_attention
from uol.backends.simt.attention.tiles import open_widths
from uol.backends.simt.c_text.index_reach import LARGEST
from uol.backends.simt.c_text.types import COMPUTE
from uol.backends.simt.candidates import check
from uol.backends.simt.contract_plan import ContractPlan, plan_contract
from uol.backends.simt.elements.histogram_plan import HistogramPlan, plan_histogram
from uol.backends.simt.elements.map_plan import MapPlan, plan_map
from uol.backends.simt.elements.transposed import TransposedPlan, plan_transposed
from uol.backends.simt.elements.wide_axes import with_wide_axis
from uol.backends.simt.kernel import nodes
from uol.backends.simt.kernel.printing import printed_kernel
from uol.backends.simt.kernel.verify import verify
from uol.backends.simt.rows.merge_plan import MergePlan, plan_merge
from uol.backends.simt.rows.neighbours import neighbours_kernel
from uol.backends.simt.rows.reduce_kernel import reduce_kernel
from uol.backends.simt.rows.scan_plan import ScanPlan, plan_scan
from uol.backends.simt.rows.schedule import BlockPerRow, ThreadPerRow
from uol.backends.simt.rows.select_plan import SelectPlan, plan_select
from uol.backends.simt.schedules import Bins, Elements, RowTile, SimtSchedule, Tile, TransposedTile
from uol.backends.simt.target import Target
from uol.codegen.backend import Device, Kernel, Module, Param, Refusal, SourceFile
from uol.codegen.indexing.arithmetic import ZERO, static
from uol.codegen.specs.drop_unit_axes import without_unit_axes
from uol.codegen.specs.graph import KernelGraph
from uol.codegen.specs.nodes import Attention, Contract, KernelSpec, Map, Pack, Reduce, Scan, Scatter, Select
from uol.codegen.specs.sizes import known_bound
from uol.codegen.specs.steps import stored_directly
from uol.codegen.specs.traverse import with_steps
from uol.ir.errors import RefusalError, ResourceError, UolError
from uol.ir.integers.terms import compare, negate
from uol.ir.program.nodes import Call, Const, Expr, Var

TextPlan = MapPlan | TransposedPlan | HistogramPlan | ScanPlan | SelectPlan | MergePlan | ContractPlan | AttentionPlan
Plan = TextPlan | nodes.Kernel
TEMPLATES = Path(__file__).parent / "templates"


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


def template(name: str) -> jinja2.Template:
    """A template of this folder. A name that its data lacks is an error."""
    return template_of(TEMPLATES, name)


DEVICE_HEADER = "uol_device.h"
INCLUDE = Path(__file__).parent / "include"
"""The folder of what the device headers share."""
LAUNCHER = Path(__file__).parent / "launcher"
"""The folder of what launchers share; the targets' own lies beside their device headers."""
LAUNCH_HEADER, DRIVER_HEADER = "uol_launch.h", "uol_driver.h"
SHARED_HEADERS = ("uol_device_common.h", "uol_device_storage.h", "uol_device_random.h", "uol_device_trigonometry.h")


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a launch as a variable of the launcher."""

    ctype: str
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class LaunchText:
    """One launch in the host file; `empty` where there is nothing to compute, `condition` on the sizes of the call that
    there is (no text where it does not depend on them)."""

    symbol: str
    grid: str
    block: str
    shared_bytes: int
    arguments: tuple[Argument, ...]
    empty: bool
    condition: str

    @property
    def addresses(self) -> str:
        """Where the driver reads the arguments."""
        return ", ".join(f"&{each.name}" for each in self.arguments)


def assemble(graph: KernelGraph, kernels: tuple[Kernel, ...], device: Device, target: Target, include: Path) -> Module:
    """Device file first: what the vendor's compiler and the twin take. `include` holds the target's device header."""
    symbols = [k.name for k in kernels]
    if len(set(symbols)) != len(symbols):
        raise UolError(f"two kernels of {graph.name} have the same name: {', '.join(sorted(symbols))}")
    device_file = SourceFile(f"{graph.name}{target.suffix}", _device_text(graph, kernels, device))
    build = target.build(graph.name, device.architecture)
    products = tuple(graph.name + suffix for suffix in target.products)
    host = template("host_file.j2").render(
        op=graph.name,
        build=build,
        images=products,
        device_file=device_file.name,
        checks=call_checks(graph, "uol_why"),
        dims=graph.dims,
        launches=[_launch(graph, k) for k in kernels],
    )
    files = (
        SourceFile(f"{graph.name}_host.cpp", host),
        op_header(graph),
        abi_header(),
        SourceFile(DEVICE_HEADER, (include / DEVICE_HEADER).read_text()),
        *(SourceFile(name, (INCLUDE / name).read_text()) for name in SHARED_HEADERS),
        example_file(graph, Memory(template("example_memory.j2").render(runtime=target.runtime), target.runtime.compiler)),
        SourceFile(LAUNCH_HEADER, (LAUNCHER / LAUNCH_HEADER).read_text()),
        SourceFile(DRIVER_HEADER, (include.parent / LAUNCHER.name / DRIVER_HEADER).read_text()),
    )
    return Module(target.name, device.name, graph, kernels, device_file, files, build, products)


def of_kernel(module: Module, kernel: Kernel, device: Device) -> Module:
    """The module with one of its kernels alone, in the file that the vendor's compiler takes."""
    text = _device_text(module.graph, (kernel,), device)
    return replace(module, kernels=(kernel,), device=SourceFile(module.device.name, text))


def _device_text(graph: KernelGraph, kernels: tuple[Kernel, ...], device: Device) -> str:
    source = tuple(enumerate(graph.source.splitlines(), 1))
    file = template("device_file.j2")
    return file.render(op=graph.name, device=device, source=source, include=DEVICE_HEADER, kernels=kernels)


def _launch(graph: KernelGraph, kernel: Kernel) -> LaunchText:
    launch, places = kernel.launch, _places(graph)
    counts = {each: c_text(each, places) for each in launch.grid if not isinstance(each, int)}
    conditions = [*(c_text(each, places) for each in launch.where), *(f"{count} > 0" for count in counts.values())]
    return LaunchText(
        symbol=kernel.name,
        grid=", ".join(str(each) if isinstance(each, int) else f"(unsigned){counts[each]}" for each in launch.grid),
        block=", ".join(map(str, launch.block)),
        shared_bytes=launch.shared_bytes,
        arguments=tuple(_argument(graph, n, p) for n, p in enumerate(kernel.params)),
        empty=0 in launch.grid,
        condition=" && ".join(conditions),
    )


def _places(graph: KernelGraph) -> dict[str, str]:
    """Where the launcher has the dims that are arguments."""
    return {name: f"dims[{number}]" for number, name in enumerate(graph.dims)}


def _argument(graph: KernelGraph, number: int, param: Param) -> Argument:
    name = f"argument{number}"
    if param.kind in ("dim", "count"):
        value = Var(param.name) if param.count is None else param.count
        return Argument(COMPUTE[param.dtype], name, f"({COMPUTE[param.dtype]}){c_text(value, _places(graph))}")
    if param.kind == "scalar":
        place = [s.name for s in graph.scalars].index(param.name)
        field = "f" if param.dtype.startswith("f") else "i"
        return Argument(COMPUTE[param.dtype], name, f"({COMPUTE[param.dtype]})attrs[{place}].value.{field}")
    names = [a.name for a in graph.args]
    if param.name in names:
        return Argument("void*", name, f"tensors[{names.index(param.name)}].data")
    offset = symbolic_layout(graph)[0][param.name]
    return Argument("void*", name, f"(char*)workspace + {c_text(offset, _places(graph))}")
