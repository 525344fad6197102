"""How the language's types live in TensorIR.

storage   what a buffer holds; bf16 and f8 are their bit patterns, bool is one byte
compute   what a value in a register has: f16, bf16 and f8 values are f32 numbers that fit their type
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from uol.ir.types import DTYPES, INDEX

Term = Any
"""A TensorIR expression. TVM has no type stubs."""

INDEX_TYPE = "int64"
"""Indices and offsets: wide enough for every buffer, so that there is one variant of a kernel."""


@dataclass(frozen=True, slots=True)
class Representation:
    storage: str
    compute: str

    @property
    def is_narrow_float(self) -> bool:
        """f16, bf16 and f8: computed in f32, rounded after every operation."""
        return self.compute == "float32" and self.storage != "float32"


_REPRESENTATIONS = {
    "f64": Representation("float64", "float64"),
    "f32": Representation("float32", "float32"),
    "f16": Representation("float16", "float32"),
    "bf16": Representation("uint16", "float32"),
    "f8e4m3": Representation("uint8", "float32"),
    "f8e5m2": Representation("uint8", "float32"),
    "i64": Representation("int64", "int64"),
    "i32": Representation("int32", "int32"),
    "i16": Representation("int16", "int16"),
    "i8": Representation("int8", "int8"),
    "u8": Representation("uint8", "uint8"),
    "bool": Representation("uint8", "bool"),
    INDEX: Representation(INDEX_TYPE, INDEX_TYPE),
}


def representation(dtype: str) -> Representation:
    """Storage and compute types of a type of the language."""
    return _REPRESENTATIONS[dtype]


def integer_range(dtype: str) -> tuple[int, int]:
    """The least and the greatest value of an integer type."""
    info = DTYPES["i64" if dtype == INDEX else dtype]
    if info.kind == "uint":
        return 0, 2**info.bits - 1
    return -(2 ** (info.bits - 1)), 2 ** (info.bits - 1) - 1
