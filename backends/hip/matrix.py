"""The matrix units of AMD's architectures.

Shapes: CDNA2 instruction set architecture, V_MFMA_F32_32X32X8F16 and its kin, bf16 in the `_1k` forms; one wave of 64 lanes.
CDNA3 has the same but for int8, whose instructions have twice the k there (CDNA3 ISA, V_MFMA_I32_32X32X16_I8). LDS of a
workgroup, and 512 registers of a lane, half of them for accumulators: the same documents.
"""

from __future__ import annotations

from dataclasses import replace

from uol.backends.simt.machine.matrix_units import MatrixInstruction, MatrixUnits

CDNA2 = MatrixUnits(
    instructions=(
        MatrixInstruction("mfma_32x32x8_f16", 32, 32, 8, "f16", "f32"),
        MatrixInstruction("mfma_16x16x16_f16", 16, 16, 16, "f16", "f32"),
        MatrixInstruction("mfma_32x32x8_bf16", 32, 32, 8, "bf16", "f32"),
        MatrixInstruction("mfma_16x16x16_bf16", 16, 16, 16, "bf16", "f32"),
        MatrixInstruction("mfma_32x32x2_f32", 32, 32, 2, "f32", "f32"),
        MatrixInstruction("mfma_16x16x4_f32", 16, 16, 4, "f32", "f32"),
        MatrixInstruction("mfma_32x32x8_i8", 32, 32, 8, "i8", "i32"),
        MatrixInstruction("mfma_16x16x16_i8", 16, 16, 16, "i8", "i32"),
    ),
    async_bytes=frozenset(),
    matrix_loads=False,
    buffer_loads=True,
    shared_bytes=64 * 1024,
    registers=512,
)
CDNA3 = replace(CDNA2, instructions=tuple(each for each in CDNA2.instructions if each.dtype != "i8"))
UNITS = {"gfx90a": CDNA2, "gfx942": CDNA3}


def matrix_units(architecture: str) -> MatrixUnits | None:
    """Those of an architecture.

    >>> matrix_units("gfx90a").of("f16")[0].name
    'mfma_32x32x8_f16'
    """
    return UNITS.get(architecture)
