"""The matrix units of AMD's architectures.

Shapes: CDNA2 instruction set architecture, V_MFMA_F32_32X32X8F16 and its kin, bf16 in the `_1k` forms; one wave of 64 lanes.
CDNA3 has the same but for int8, whose instructions have twice the k there (CDNA3 ISA, V_MFMA_I32_32X32X16_I8). LDS of a
workgroup: the same documents.
"""

from __future__ import annotations

from dataclasses import replace

from uol.backends.simt.machine.matrix_units import MatrixUnits

CDNA2 = MatrixUnits(
    products=(
        "mfma_32x32x8_f16", "mfma_16x16x16_f16",
        "mfma_32x32x8_bf16", "mfma_16x16x16_bf16",
        "mfma_32x32x2_f32", "mfma_16x16x4_f32",
        "mfma_32x32x8_i8", "mfma_16x16x16_i8",
    ),
    async_bytes=frozenset(),
    shared_bytes=64 * 1024,
)
CDNA3 = replace(CDNA2, products=tuple(name for name in CDNA2.products if not name.endswith("i8")))
UNITS = {"gfx90a": CDNA2, "gfx942": CDNA3}


def matrix_units(architecture: str) -> MatrixUnits | None:
    """Those of an architecture.

    >>> matrix_units("gfx90a").of("f16")[0].name
    'mfma_32x32x8_f16'
    """
    return UNITS.get(architecture)
