"""The 910B as the generator sees it: memories, alignments, limits of instructions, names of element types.

Sources: asc-devkit, docs/zh/guide, "NPU architecture version 2201" (memories) and "static tensor programming" (what of them is
reserved); docs/zh/api/SIMD-API, the pages of DataCopy, DataCopyPad, SetFlag and WaitFlag.
"""

from __future__ import annotations

from typing import Literal

Pipe = Literal["S", "V", "M", "MTE1", "MTE2", "MTE3", "FIX"]
Memory = Literal["UB", "L1", "L0A", "L0B", "L0C"]

CAPACITY_BYTES: dict[Memory, int] = {
    "UB": 188160,  # 192 KiB less 8 KiB that Select and others clobber from 184 KiB on, less 256 B of mixed kernels
    "L1": 524032,  # 512 KiB less 256 B
    "L0A": 65536,
    "L0B": 65536,
    "L0C": 131072,
}

POSITION: dict[Memory, str] = {"UB": "VECCALC", "L1": "A1", "L0A": "A2", "L0B": "B2", "L0C": "CO1"}
"""The TPosition by which a TBuf names each memory."""

ALIGNMENT_BYTES: dict[Memory, int] = {"UB": 32, "L1": 32, "L0A": 512, "L0B": 512, "L0C": 1024}

BLOCK_BYTES = 32
"""A data block: the unit of UB addresses, of gaps on chip, and of the watch that a copy's row start keeps."""

REPEAT_BYTES = 256
"""What one repeat of a vector instruction takes, and what a Compare's length must be a multiple of."""

MAX_REPEATS = 255
MAX_BURSTS = 4095
MAX_GAP_BYTES = 2**32 - 1
MAX_ND2NZ_PITCH = 65535
FRACTAL = 16
FRACTAL_BYTES = 512
PRODUCT_CYCLES = {2: 1, 4: 2}
"""Cycles of the product of two fractals, by the bytes of an element: the cube makes 16 x 16 x 16 products of f16 a cycle,
16 x 4 x 16 of f32 (asc-devkit, appendix, table of Mmad)."""
EVENT_IDS = 6
"""Event ids 0..5 for every pair of pipes; 6 and 7 may be taken by the framework."""
FIRST_EVENT_ID: dict[str, int] = {"M_MTE1": 3}
"""Pairs of pipes whose first ids are TPipe's on an AIC core: it sets them when it is made and waits for them when it is
destroyed (asc-devkit, impl/basic_api/kernel_tpipe_impl.h, TPipe::Init and TPipe::DestroyWithoutPipeAll)."""

BYTES: dict[str, int] = {
    "f32": 4, "f16": 2, "bf16": 2, "i64": 8, "i32": 4, "i16": 2, "i8": 1, "u8": 1, "bool": 1,
    "f8e4m3": 1, "f8e5m2": 1, "u16": 2, "u32": 4,
}  # fmt: skip

C_TYPE: dict[str, str] = {
    "f32": "float", "f16": "half", "bf16": "bfloat16_t", "i64": "int64_t", "i32": "int32_t", "i16": "int16_t",
    "i8": "int8_t", "u8": "uint8_t", "bool": "uint8_t", "f8e4m3": "uint8_t", "f8e5m2": "uint8_t",
    "u16": "uint16_t", "u32": "uint32_t",
}  # fmt: skip
"""Element types of the language (those of f8 as bit patterns), and the bit types that masks and offset tables need, as Ascend
C names them."""


def ceil_div(value: int, divisor: int) -> int:
    return -(-value // divisor)


def round_up(value: int, multiple: int) -> int:
    return ceil_div(value, multiple) * multiple
