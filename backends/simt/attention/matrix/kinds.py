"""The kind of schedules of attentions on matrix units."""

from __future__ import annotations

from uol.backends.simt.attention.matrix.counts import matrix_attention_counts
from uol.backends.simt.attention.matrix.kernel import matrix_attention
from uol.backends.simt.attention.matrix.legality import check_matrix_rows, tiles_for, unit_for
from uol.backends.simt.attention.matrix.schedule import MatrixRows
from uol.backends.simt.elements.wide_axes import prepared
from uol.backends.simt.kernel.nodes import Kernel
from uol.backends.simt.kernel.schedule_kind import ScheduleKind
from uol.backends.simt.machine.target import Machine
from uol.codegen.backend import Device, Footprint, Refusal
from uol.codegen.specs.nodes import Attention


def _tiles(spec: Attention, machine: Machine, device: Device) -> tuple[MatrixRows, ...]:
    return tiles_for(prepared(spec), machine)


def _check(spec: Attention, tile: MatrixRows, machine: Machine) -> Footprint | Refusal:
    return check_matrix_rows(prepared(spec), tile, machine)


def _attention(spec: Attention, tile: MatrixRows, machine: Machine) -> Kernel:
    spec = prepared(spec)
    unit = unit_for(spec, machine)
    assert unit is not None, "legality has asked"
    return matrix_attention(spec, tile, unit)


def _rounds(spec: Attention, tile: MatrixRows, tensor: str, **launch: object) -> int:
    """Once: the blocks of one batch, which read the same, run at a time."""
    return 1


MATRIX_ATTENTIONS = ScheduleKind(
    (Attention,), (MatrixRows,), _tiles, _check, _attention, matrix_attention_counts, _rounds
)
