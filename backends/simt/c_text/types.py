"""The C types of element types: as they lie in memory, and as a thread computes with them."""

from __future__ import annotations

from uol.ir.types import DTYPES, NARROW

STORAGE = {
    "f64": "double",
    "f32": "float",
    "f16": "uol::f16",
    "bf16": "uol::bf16",
    "f8e4m3": "uol::f8e4m3",
    "f8e5m2": "uol::f8e5m2",
    "i64": "long long",
    "i32": "int",
    "i16": "short",
    "i8": "signed char",
    "u8": "unsigned char",
    "bool": "bool",
}
"""The type of an element in memory."""

COMPUTE = STORAGE | {t: "float" for t in NARROW} | {"i16": "int", "i8": "int", "u8": "int"}
"""The type of a local variable: narrow floats are computed in float, short integers in int, and rounded or wrapped where
the language says so."""

STORAGE_BYTES = {ctype: DTYPES[dtype].bytes for dtype, ctype in STORAGE.items()}

COMPUTE_BYTES = {"double": 8, "float": 4, "long long": 8, "int": 4, "bool": 1}

SHORT_INTEGERS = frozenset({"i16", "i8", "u8"})
WIDE_INTEGERS = frozenset({"i32", "i64"})
