"""The cube's fractal orders, pinned by tables written out from the vendor's drawings: a twin cannot check its own layouts.

Tables: asc-devkit, docs/zh/api/SIMD-API, "matrix computation, fractal formats" and LoadDataWithTranspose.md.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from uol.backends.twin.ascend_kind import KIND, RUNTIME

# (row, column) -> element
NZ_HALF_32_ROWS = {
    (0, 0): 0, (0, 1): 1, (0, 15): 15, (1, 0): 16, (15, 15): 255, (16, 0): 256, (31, 15): 511,
    (0, 16): 512, (0, 17): 513, (1, 16): 528, (17, 18): 786, (31, 31): 1023, (0, 32): 1024,
}  # fmt: skip
NZ_FLOAT_16_ROWS = {
    (0, 0): 0, (0, 7): 7, (1, 0): 8, (15, 7): 127, (0, 8): 128, (1, 8): 136, (15, 15): 255, (3, 17): 281,
}  # fmt: skip
NZ_BYTE_16_ROWS = {(0, 0): 0, (0, 31): 31, (1, 0): 32, (15, 31): 511, (0, 32): 512, (2, 33): 577}

# A[m, k] in L0A: rows of fractals, row-major inside
ZZ_HALF_K_32 = {
    (0, 0): 0, (0, 15): 15, (1, 0): 16, (15, 15): 255, (0, 16): 256, (0, 31): 271, (15, 31): 511,
    (16, 0): 512, (17, 18): 786, (32, 0): 1024,
}  # fmt: skip
ZZ_FLOAT_K_24 = {
    (0, 0): 0, (0, 7): 7, (1, 0): 8, (0, 8): 128, (0, 16): 256, (15, 23): 383, (16, 0): 384, (17, 9): 521,
}  # fmt: skip

# B[k, n] in L0B: rows of fractals along n, column-major inside
ZN_HALF_N_32 = {
    (0, 0): 0, (1, 0): 1, (15, 0): 15, (0, 1): 16, (15, 15): 255, (0, 16): 256, (15, 31): 511,
    (16, 0): 512, (17, 18): 801, (16, 31): 1008,
}  # fmt: skip
ZN_FLOAT_N_48 = {
    (0, 0): 0, (1, 0): 1, (7, 0): 7, (0, 1): 8, (0, 16): 128, (0, 32): 256, (7, 47): 383, (8, 0): 384, (9, 17): 521,
}  # fmt: skip

# C[m, n] in L0C: columns of fractals 16 x 16, row-major inside
L0C_M_32 = {
    (0, 0): 0, (0, 15): 15, (1, 0): 16, (15, 15): 255, (16, 0): 256, (31, 15): 511, (0, 16): 512, (17, 18): 786,
}  # fmt: skip

# (row, column) of a square -> byte, second fractal at 512
SQUARE_B32 = {(0, 0): 0, (0, 7): 28, (1, 0): 32, (15, 7): 508, (0, 8): 512, (0, 15): 540, (15, 15): 1020}
SQUARE_B8 = {(0, 0): 0, (0, 31): 31, (1, 0): 32, (15, 31): 511, (16, 0): 512, (31, 31): 1023}

TABLES = {
    "nz(row, col, 32, 16)": NZ_HALF_32_ROWS,
    "nz(row, col, 16, 8)": NZ_FLOAT_16_ROWS,
    "nz(row, col, 16, 32)": NZ_BYTE_16_ROWS,
    "zz(row, col, 2, 16)": ZZ_HALF_K_32,
    "zz(row, col, 3, 8)": ZZ_FLOAT_K_24,
    "zn(row, col, 2, 16)": ZN_HALF_N_32,
    "zn(row, col, 3, 8)": ZN_FLOAT_N_48,
    "l0c(row, col, 2)": L0C_M_32,
    "square(row, col, 4, 512)": SQUARE_B32,
    "square(row, col, 1, 512)": SQUARE_B8,
}


def compiles(assertions: list[str]) -> bool:
    text = "\n".join(['#include "layout.h"', *assertions, ""])
    command = [KIND.compiler, "-std=c++17", "-fsyntax-only", f"-I{RUNTIME}", "-x", "c++", "-"]
    return subprocess.run(command, input=text, text=True, capture_output=True, check=False).returncode == 0


def assertion(call: str, row: int, col: int, element: int) -> str:
    return f"static_assert(twin::layout::{call.replace('row', str(row)).replace('col', str(col))} == {element});"


def test_every_table_holds() -> None:
    assert compiles([assertion(call, row, col, at) for call, table in TABLES.items() for (row, col), at in table.items()])


@pytest.mark.parametrize("call", TABLES)
def test_a_wrong_table_would_be_noticed(call: str) -> None:
    (row, col), at = list(TABLES[call].items())[-1]
    assert not compiles([assertion(call, row, col, at + 1)])


def test_a_fractal_is_half_a_kilobyte_whatever_the_type() -> None:
    assert compiles([assertion(f"nz(row, col, 16, {c0})", 0, c0, 16 * c0) for c0 in (8, 16, 32)])
    assert Path(RUNTIME / "layout.h").is_file()
