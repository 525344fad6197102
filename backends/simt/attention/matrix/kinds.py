"""The kind of schedules of attentions on matrix units, and of their gradients."""

from __future__ import annotations

from uol.backends.simt.attention.gradient import legality as gradient
from uol.backends.simt.attention.gradient.counts import gradient_counts
from uol.backends.simt.attention.gradient.kernel import matrix_gradient
from uol.backends.simt.attention.matrix.counts import matrix_attention_counts
from uol.backends.simt.attention.matrix.kernel import matrix_attention
from uol.backends.simt.attention.matrix.legality import check_matrix_rows, tiles_for, unit_for
from uol.backends.simt.attention.matrix.schedule import MatrixRows
from uol.backends.simt.kernel.nodes import Kernel
from uol.backends.simt.kernel.schedule_kind import ScheduleKind
from uol.backends.simt.machine.target import Machine
from uol.codegen.attention.parts import with_rows
from uol.codegen.backend import Device, Footprint, Refusal
from uol.codegen.specs.nodes import Attention
from uol.codegen.work import Issued


def _tiles(spec: Attention, machine: Machine, device: Device) -> tuple[MatrixRows, ...]:
    spec = with_rows(spec)
    return tiles_for(spec, machine) if _has_maximum(spec) else gradient.tiles_for(spec, machine)


def _check(spec: Attention, tile: MatrixRows, machine: Machine) -> Footprint | Refusal:
    spec = with_rows(spec)
    return check_matrix_rows(spec, tile, machine) if _has_maximum(spec) else gradient.check_gradient(spec, tile, machine)


def _attention(spec: Attention, tile: MatrixRows, machine: Machine) -> Kernel:
    spec = with_rows(spec)
    unit = unit_for(spec, machine) if _has_maximum(spec) else gradient.unit_for(spec, machine)
    assert unit is not None, "legality has asked"
    return matrix_attention(spec, tile, unit) if _has_maximum(spec) else matrix_gradient(spec, tile, unit)


def _counts(spec: Attention, tile: MatrixRows, device: Device) -> Issued:
    return matrix_attention_counts(spec, tile, device) if _has_maximum(spec) else gradient_counts(spec, tile, device)


def _has_maximum(spec: Attention) -> bool:
    """Are weights relative to a maximum that is made on the way, or known?"""
    return spec.hi is not None


def _rounds(spec: Attention, tile: MatrixRows, tensor: str, **launch: object) -> int:
    """Once: the blocks of one batch, which read the same, run at a time."""
    return 1


MATRIX_ATTENTIONS = ScheduleKind(
    (Attention,), (MatrixRows,), _tiles, _check, _attention, _counts, _rounds
)
