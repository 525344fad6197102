"""The primitives of kernels on matrix units, as `uol_matrix.h` of CUDA and of HIP defines them, beside the products of
`fragments.py`. A text that calls none does without the header.

    uol::mma_16x8x16_f16(acc, a, b);    a warp's product of 16 x 16 by 16 x 8 of f16, added to 16 x 8 of f32
"""

from __future__ import annotations

import re

from uol.backends.simt.machine.fragments import UNITS

HEADER, WORDS_HEADER = "uol_matrix.h", "uol_matrix_words.h"
"""The header of a target, and what those of all targets include."""

MOVES = frozenset(
    (
        *("dynamic_shared", "pinned", "uniform", "load_words", "store_words", "pack_f16", "pack_bf16"),
        *("low_halves", "high_halves", "widen_f16", "widen_bf16", "tf32_parts", "are_finite"),
        *("copy_async", "commit_copies", "wait_copies", "load_matrices", "load_matrices_transposed"),
        *("bit", "bits", "has_none"),
        *("greatest", "exp2_flushed", "fused", "copy_elements", "load_elements"),
        *("buffer_range", "load_buffer", "loads_before", "transpose_4x4", "transpose_4x4_words"),
    )
)
"""What brings operands to products and takes results away."""

MEMORY = frozenset(
    (
        *("load_words", "load_elements", "store_words", "copy_async", "copy_elements", "load_buffer"),
        *("load_matrices", "load_matrices_transposed"),
    )
)
"""Those of them that move something to or from memory."""

CALL = re.compile(rf"\buol::(?:{'|'.join(sorted((*UNITS, *MOVES), key=len, reverse=True))})\b")


def needs_header(text: str) -> bool:
    """Does a kernel's text call one of them?"""
    return CALL.search(text) is not None
