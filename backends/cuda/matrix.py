"""The matrix units of NVIDIA's architectures.

Shapes: PTX ISA, "Warp-level matrix fragment" of mma.m16n8k16 (f16, bf16), mma.m16n8k8 (TF32) and mma.m16n8k32 (int8), all of
compute capability 8.0 and what follows it, as are `cp.async` of 4, 8 and 16 bytes and `ldmatrix`. Shared memory of a block:
CUDA C++ Programming Guide, technical specifications per compute capability.
"""

from __future__ import annotations

from dataclasses import replace

from uol.backends.simt.machine.matrix_units import MatrixUnits

AMPERE = MatrixUnits(
    products=(
        "mma_16x8x16_f16", "mma_16x8x16_bf16", "mma_16x8x8_tf32", "mma_16x8x32_i8",
        "mma_16x8x16_f32_f32", "mma_16x8x16_f32_tf32", "mma_16x8x16_tf32_f32", "mma_16x8x16_tf32_tf32",
    ),
    async_bytes=frozenset({4, 8, 16}),
    shared_bytes=163 * 1024,
)
SMALL = replace(AMPERE, shared_bytes=99 * 1024)
"""The same with the least shared memory that any of them has (8.6, 8.9, 12.0)."""
UNITS = {"sm_80": AMPERE, "sm_87": AMPERE, "sm_90": replace(AMPERE, shared_bytes=227 * 1024)}


def matrix_units(architecture: str) -> MatrixUnits:
    """Those of an architecture. What is not in the table has the same instructions: every one since 8.0 does.

    >>> matrix_units("sm_90").shared_bytes // 1024
    227
    """
    return UNITS.get(architecture, SMALL)
