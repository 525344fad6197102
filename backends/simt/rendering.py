"""From a spec and a schedule to the text of one kernel."""

from __future__ import annotations

from pathlib import Path

import jinja2

from uol.backends.c_text.names import kernel_symbol
from uol.backends.c_text.template_folder import template_of
from uol.backends.simt.attention.plan import AttentionPlan, plan_attention
from uol.backends.simt.contract_plan import ContractPlan, plan_contract
from uol.backends.simt.map_plan import MapPlan, plan_map
from uol.backends.simt.preflight import check
from uol.backends.simt.reduce_plan import ReducePlan, plan_reduce
from uol.backends.simt.schedules import BlockPerRow, Elements, RowTile, SimtSchedule, ThreadPerRow, Tile
from uol.backends.simt.target import Target
from uol.codegen.backend import Kernel, Refusal
from uol.codegen.specs.drop_unit_axes import without_unit_axes
from uol.codegen.specs.nodes import Attention, Contract, KernelSpec, Map, Pack, Reduce
from uol.codegen.specs.steps import stored_directly
from uol.codegen.specs.traverse import with_steps
from uol.ir.errors import RefusalError, ResourceError

Plan = MapPlan | ReducePlan | ContractPlan | AttentionPlan
TEMPLATES = Path(__file__).parent / "templates"


def render(spec: KernelSpec, schedule: SimtSchedule, target: Target) -> Kernel:
    """The kernel's text and its launch record. Raises RefusalError where `check` refuses."""
    outcome = check(spec, schedule, target)
    if isinstance(outcome, Refusal):
        raise RefusalError(f"{spec.name}: {outcome.reason}", hint=outcome.nearest)
    tidy = with_steps(without_unit_axes(spec), stored_directly)
    name, plan = _plan(tidy, schedule, target)
    return Kernel(
        name=kernel_symbol(spec),
        text=template(name).render(plan=plan),
        params=plan.signature.params,
        launch=plan.launch,
        footprint=outcome,
        schedule=schedule,
        spec=spec,
    )


def _plan(spec: KernelSpec, schedule: SimtSchedule, target: Target) -> tuple[str, Plan]:
    """The template of a kernel, and what it reads."""
    match spec, schedule:
        case (Map() | Pack(), Elements()):
            return "map.j2", plan_map(spec, schedule, target)
        case (Reduce(), ThreadPerRow() | BlockPerRow()):
            return "reduce.j2", plan_reduce(spec, schedule, target)
        case (Contract(), Tile()):
            return "contract.j2", plan_contract(spec, schedule, target)
        case (Attention(), RowTile()):
            return "attention.j2", plan_attention(spec, schedule)
    raise ResourceError(f"{spec.name}: no kernel for {schedule}")


def template(name: str) -> jinja2.Template:
    """A template of this folder. A name that its data lacks is an error."""
    return template_of(TEMPLATES, name)
