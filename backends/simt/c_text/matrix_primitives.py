"""The primitives of kernels on matrix units, as `uol_matrix.h` of CUDA and of HIP defines them: which a text calls, and what
each product is. A text that calls none does without the header.

    uol::mma_16x8x16_f16(acc, a, b);    a warp's product of 16 x 16 by 16 x 8 of f16, added to 16 x 8 of f32
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

HEADER = "uol_matrix.h"


@dataclass(frozen=True, slots=True)
class MatrixProduct:
    """A warp's product of m x k by k x n of a type, added to m x n sums. `unit` is the name of its rate."""

    m: int
    n: int
    k: int
    dtype: str

    @property
    def unit(self) -> str:
        return f"{self.dtype}-matrix"

    @property
    def operations(self) -> int:
        """Multiplications and additions of one instruction: 2 m n k."""
        return 2 * self.m * self.n * self.k


PRODUCTS: Mapping[str, MatrixProduct] = {
    "mma_16x8x16_f16": MatrixProduct(16, 8, 16, "f16"),
    "mma_16x8x16_bf16": MatrixProduct(16, 8, 16, "bf16"),
    "mma_16x8x8_tf32": MatrixProduct(16, 8, 8, "tf32"),
    "mma_16x8x32_i8": MatrixProduct(16, 8, 32, "i8"),
    "mfma_32x32x8_f16": MatrixProduct(32, 32, 8, "f16"),
    "mfma_16x16x16_f16": MatrixProduct(16, 16, 16, "f16"),
    "mfma_32x32x8_bf16": MatrixProduct(32, 32, 8, "bf16"),
    "mfma_16x16x16_bf16": MatrixProduct(16, 16, 16, "bf16"),
    "mfma_32x32x2_f32": MatrixProduct(32, 32, 2, "f32"),
    "mfma_16x16x4_f32": MatrixProduct(16, 16, 4, "f32"),
    "mfma_32x32x8_i8": MatrixProduct(32, 32, 8, "i8"),
    "mfma_16x16x16_i8": MatrixProduct(16, 16, 16, "i8"),
}

MOVES = frozenset(
    (
        *("dynamic_shared", "pinned", "load_words", "store_words", "pack_f16", "pack_bf16"),
        *("low_halves", "high_halves"),
        *("copy_async", "commit_copies", "wait_copies", "load_matrices", "load_matrices_transposed"),
        *("buffer_range", "load_buffer", "transpose_4x4"),
    )
)
"""What brings operands to products and takes results away."""

MEMORY = frozenset(
    ("load_words", "store_words", "copy_async", "load_matrices", "load_matrices_transposed", "load_buffer")
)
"""Those of them that move something to or from memory."""

CALL = re.compile(rf"\buol::(?:{'|'.join(sorted((*PRODUCTS, *MOVES), key=len, reverse=True))})\b")


def needs_header(text: str) -> bool:
    """Does a kernel's text call one of them?"""
    return CALL.search(text) is not None
