"""Kinds of schedules of attentions."""

from __future__ import annotations

from collections.abc import Iterable

from uol.backends.simt.attention import candidates
from uol.backends.simt.attention.counts import attention_counts
from uol.backends.simt.attention.legality import check_row_tile
from uol.backends.simt.attention.plan import AttentionPlan, plan_attention
from uol.backends.simt.attention.schedule import RowTile
from uol.backends.simt.attention.splitting import split_attentions, split_for_cores
from uol.backends.simt.attention.tiles import WIDTHS, open_widths
from uol.backends.simt.elements.wide_axes import prepared
from uol.backends.simt.kernel.parts import Part, up_to
from uol.backends.simt.kernel.schedule_kind import ScheduleKind
from uol.backends.simt.machine.target import Machine
from uol.codegen.backend import Device
from uol.codegen.specs.nodes import Attention


def _tiles(spec: Attention, machine: Machine, device: Device) -> tuple[RowTile, ...]:
    return candidates.ROW_TILES


def _attention(spec: Attention, tile: RowTile, machine: Machine) -> AttentionPlan:
    return plan_attention(prepared(spec), tile)


def _rounds(spec: Attention, tile: RowTile, tensor: str, **launch: object) -> int:
    """Once: the blocks of one batch, which read the same, run at a time."""
    return 1


def _parts(spec: Attention, machine: Machine) -> Iterable[Part]:
    """Widths up to what a thread sums of them, and any."""
    widths = open_widths(spec)
    return up_to({f"width_{most}": most for most in WIDTHS}, *widths) if widths else ()


ATTENTIONS = ScheduleKind(
    (Attention,),
    (RowTile,),
    _tiles,
    check_row_tile,
    _attention,
    attention_counts,
    _rounds,
    ways=split_attentions,
    legalise=split_for_cores,
    parts=_parts,
)
