"""Tiles that an attention on matrix units may take."""

from __future__ import annotations

from uol.backends.simt.attention.matrix.schedule import MatrixRows
from uol.backends.simt.machine.target import Machine

ASYNCHRONOUS = (
    MatrixRows(128, 64, 4),
    MatrixRows(128, 64, 8),
    MatrixRows(64, 64, 4),
    MatrixRows(128, 32, 8),
    MatrixRows(64, 32, 4),
    MatrixRows(32, 64, 2),
    MatrixRows(16, 64, 1),
    MatrixRows(16, 32, 1),
)
THROUGH_REGISTERS = (
    MatrixRows(128, 64, 4),
    MatrixRows(128, 32, 4),
    MatrixRows(64, 64, 2),
    MatrixRows(64, 32, 2),
    MatrixRows(32, 32, 1),
)


def matrix_rows(machine: Machine) -> tuple[MatrixRows, ...]:
    """The tiles of a machine: those for asynchronous copies, or those through registers; none without matrix units."""
    return of_machine(machine, ASYNCHRONOUS, THROUGH_REGISTERS)


def of_machine(
    machine: Machine, asynchronous: tuple[MatrixRows, ...], through_registers: tuple[MatrixRows, ...]
) -> tuple[MatrixRows, ...]:
    """Which of the two a machine takes; none without matrix units."""
    if machine.units is None:
        return ()
    return asynchronous if machine.units.async_bytes else through_registers
