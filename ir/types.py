"""The element types of the language, and the facts about them that every floor uses."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["float", "int", "uint", "bool"]


@dataclass(frozen=True, slots=True)
class DTypeInfo:
    """`bits` of storage; `accumulator` is what `acc(x)` casts to; `epsilon` is the spacing
    at 1.0 (twice the unit roundoff), 0 for the exact types."""

    name: str
    kind: Kind
    bits: int
    accumulator: str
    epsilon: float

    @property
    def bytes(self) -> int:
        return self.bits // 8


DTYPES: dict[str, DTypeInfo] = {
    info.name: info
    for info in (
        DTypeInfo("f64", "float", 64, "f64", 2.0**-52),
        DTypeInfo("f32", "float", 32, "f32", 2.0**-23),
        DTypeInfo("f16", "float", 16, "f32", 2.0**-10),
        DTypeInfo("bf16", "float", 16, "f32", 2.0**-7),
        DTypeInfo("f8e4m3", "float", 8, "f32", 2.0**-3),
        DTypeInfo("f8e5m2", "float", 8, "f32", 2.0**-2),
        DTypeInfo("i64", "int", 64, "i64", 0.0),
        DTypeInfo("i32", "int", 32, "i32", 0.0),
        DTypeInfo("i16", "int", 16, "i32", 0.0),
        DTypeInfo("i8", "int", 8, "i32", 0.0),
        DTypeInfo("u8", "uint", 8, "i32", 0.0),
        DTypeInfo("bool", "bool", 8, "bool", 0.0),
    )
}

OTHER_NAMES: dict[str, str] = {
    "float64": "f64",
    "float32": "f32",
    "float16": "f16",
    "bfloat16": "bf16",
    "float8_e4m3fn": "f8e4m3",
    "float8_e5m2": "f8e5m2",
    "int64": "i64",
    "int32": "i32",
    "int16": "i16",
    "int8": "i8",
    "uint8": "u8",
}
"""What numpy and PyTorch call a type of the language."""


def type_named(value: object) -> str:
    """The language's name of a type that is given by it, by numpy's or PyTorch's name, or by a type of theirs; a name that
    is none of these as it is.

    >>> import numpy, torch
    >>> type_named("float16"), type_named(numpy.int8), type_named(torch.bfloat16), type_named("f32")
    ('f16', 'i8', 'bf16', 'f32')
    """
    text = value if isinstance(value, str) else getattr(value, "name", None) or getattr(value, "__name__", None) or str(value)
    name = text.strip().removeprefix("torch.")
    return OTHER_NAMES.get(name, name)


NARROW = ("f16", "bf16", "f8e4m3", "f8e5m2")
"""Floats that a cast rounds to where it stands, and that nothing is summed in."""

INDEX = "idx"
"""The type of dims, indices and whatever is computed from them where an index stands: an unbounded integer.
As a value it is `i64` and must be cast."""


def accumulator_of(name: str) -> str:
    """How a text says the type in which values of a type are added up: `acc(T)`."""
    return f"acc({name})"


def base_type(name: str) -> str:
    """The type or variable in the name of a type: T of `T`, and of `acc(T)`, which does not say what T is."""
    return name.removeprefix("acc(").removesuffix(")")


def resolved(name: str, types: Mapping[str, str]) -> str:
    """What the name of a type stands for where `types` binds the variables: `T`, `f32`, or `acc(T)`.

    >>> resolved("acc(T)", {"T": "bf16"}), resolved("T", {"T": "bf16"}), resolved("f64", {})
    ('f32', 'bf16', 'f64')
    """
    found = types.get(base_type(name), base_type(name))
    return DTYPES[found].accumulator if base_type(name) != name and found in DTYPES else found


def is_float(dtype: str) -> bool:
    return dtype in DTYPES and DTYPES[dtype].kind == "float"


def is_integer(dtype: str) -> bool:
    return dtype == INDEX or (dtype in DTYPES and DTYPES[dtype].kind in ("int", "uint"))


def integer_range(dtype: str) -> tuple[int, int]:
    """The least and the greatest value of an integer type."""
    info = DTYPES[dtype]
    return (0, 2**info.bits - 1) if info.kind == "uint" else (-(2 ** (info.bits - 1)), 2 ** (info.bits - 1) - 1)


def held_by_every_float(value: float) -> bool:
    """Whether no float type rounds a number, as none does 0, 1, -0.5 or 3: it has three binary digits, near the point.

    >>> held_by_every_float(-0.5), held_by_every_float(0.1), held_by_every_float(9.0)
    (True, False, False)
    """
    significand, exponent = math.frexp(value)
    return value == 0 or ((significand * 8).is_integer() and abs(exponent) <= 5)
