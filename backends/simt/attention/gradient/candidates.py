"""Tiles that a gradient of an attention on matrix units may take."""

from __future__ import annotations

from uol.backends.simt.attention.matrix.candidates import of_machine
from uol.backends.simt.attention.matrix.schedule import MatrixRows
from uol.backends.simt.machine.target import Machine

ASYNCHRONOUS = (
    MatrixRows(128, 64, 8),
    MatrixRows(64, 64, 4),
    MatrixRows(128, 32, 8),
    MatrixRows(64, 32, 4),
    MatrixRows(32, 64, 2),
    MatrixRows(16, 64, 1),
    MatrixRows(16, 32, 1),
)
THROUGH_REGISTERS = (
    MatrixRows(128, 32, 4, stages=1),
    MatrixRows(64, 32, 2, stages=1),
    MatrixRows(128, 32, 4),
    MatrixRows(64, 32, 2),
    MatrixRows(64, 64, 2, stages=1),
    MatrixRows(32, 32, 1, stages=1),
)


def gradient_rows(machine: Machine) -> tuple[MatrixRows, ...]:
    """The tiles of a machine: those for asynchronous copies, or those through registers; none without matrix units."""
    return of_machine(machine, ASYNCHRONOUS, THROUGH_REGISTERS)
