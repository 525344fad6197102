"""What a spec becomes before it is scheduled: few axes, operands copied where that pays, memory for what is ordered."""

from __future__ import annotations

from uol.backends.cpu.collapse_axes import collapsed
from uol.backends.cpu.operands.attention_packing import packed_attention
from uol.backends.cpu.operands.packing import packed
from uol.backends.cpu.operands.panels import takes_panels, with_panels
from uol.backends.cpu.operands.scratch import with_scratch
from uol.codegen.specs.nodes import Attention, Contract, KernelSpec, Scatter, Select


def legalised(spec: KernelSpec) -> tuple[KernelSpec, ...]:
    """The kernels of a spec. Schedules find its axes collapsed; a scatter's stay, since its tasks are cut along them."""
    match spec:
        case Scatter():
            return (spec,)
        case Contract():
            parts = tuple(collapsed(part) for part in packed(collapsed(spec)))
            return tuple(with_panels(p) if isinstance(p, Contract) and takes_panels(p) else p for p in parts)
        case Attention():
            return tuple(collapsed(part) for part in packed_attention(collapsed(spec)))
        case Select():
            return (with_scratch(collapsed(spec)),)
    return (collapsed(spec),)
