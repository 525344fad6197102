"""Accuracy contracts as data: contracts.toml, with the overrides of a target applied."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

from uol.ir.errors import UolError
from uol.ir.functions import FUNCTIONS
from uol.ir.types import DTYPES
from uol.ops.accuracy import contract_of

Section = dict[str, float | bool]
NARROW = ("f16", "bf16")
"""The types of factors whose products matrix units add in f32."""


@dataclass(frozen=True, slots=True)
class SumError:
    """How the error of a sum grows with its terms: at most `most` * terms * sum of |terms|, and, where `typical` is given, no
    more than `typical` * sqrt(terms * (S^2 + Q)) + `drift` * terms * sqrt(S^2 / 3 + Q / 6), with S the sum and Q the sum of
    squares, which contracts.toml derives; beside it `factor` * (|S| + sqrt(Q)) where factors are rounded."""

    most: float
    typical: float | None = None
    drift: float = 0.0
    factor: float = 0.0


@dataclass(frozen=True, slots=True)
class Contract:
    """What one target owes. Bounds are in units in the last place of the type that an operation is computed in.

    arithmetic, division   of one operation
    shared_division        of a quotient by what several elements share, where that is 1 at least
    growth                 by reduction: |error| <= growth * u * terms * sum of |terms|
    functions              by built-in function, where it differs from the language's table
    flushed_functions      may results of functions below the smallest normal number be zero?
    flushed_arithmetic     may those of + - * /, and operands?
    flushed_products       the types of which may those of sums of products, and their factors
    typical                a sum's typical error is this * u * sqrt(terms * (square of the sum + sum of squares))
    drift                  of a sum of products on matrix units, whose roundings go one way, beside it
    tf32_factor            the relative error of a factor in TF32
    moves_squares          may squares about a value that terms share be summed about others, and put right?
    is_typical             are sums held to that?
    is_tf32                may products of f32 be computed in TF32?
    """

    target: str
    arithmetic: float
    division: float
    shared_division: float
    growth: dict[str, float]
    functions: dict[str, float]
    flushed_functions: bool
    flushed_arithmetic: bool
    flushed_products: frozenset[str]
    typical: float
    drift: float
    tf32_factor: float
    moves_squares: bool
    is_typical: bool = False
    is_tf32: bool = False

    def error_of(self, reduction: str, dtype: str) -> SumError:
        """How the error of a reduction grows, in `dtype`; one without a bound has none. "matrix_sum" is a sum of products that
        matrix units may add, whose drift is as large as those units are coarse, "tf32_sum" one of factors in TF32."""
        u = unit_roundoff(dtype)
        is_of_matrix_units = reduction in ("matrix_sum", "tf32_sum")
        most = self.growth.get("matrix_sum" if is_of_matrix_units else reduction, 0.0) * u
        if not self.is_typical:
            return SumError(most)
        drift = self.drift * u if is_of_matrix_units else 0.0
        return SumError(most, self.typical * u, drift, self.tf32_factor if reduction == "tf32_sum" else 0.0)

    def in_tf32(self) -> Contract:
        """The contract of a call for which TF32 is allowed."""
        return replace(self, is_tf32=True)

    def as_a_rule(self) -> Contract:
        """The contract whose sums are held to their typical error: by the RMS over all elements, no single one."""
        return replace(self, is_typical=True)

    def ulps(self, function: str, dtype: str) -> float:
        """The bound of a built-in function in ulp of `dtype`."""
        if function in self.functions:
            return self.functions[function]
        if function not in FUNCTIONS:
            raise UolError(f"no accuracy is known for {function!r}", hint="add it to the language's table of functions")
        return FUNCTIONS[function].ulp[dtype]


def contract(target: str, op: str = "") -> Contract:
    """The contract of a target, with what an operator was registered with; a target without overrides owes the common one."""
    table = _table()
    own, registered = table["targets"].get(target, {}), contract_of(op)

    def section(name: str) -> Section:
        return {**table[name], **own.get(name, {}), **registered.get(name, {})}

    rounding, subnormals = section("rounding"), section("subnormals")
    growth = {name: float(value) for name, value in section("reductions").items()}
    growth["matrix_sum"] = max(growth["matrix_sum"], growth["sum"])
    return Contract(
        target=target,
        arithmetic=float(rounding["arithmetic"]),
        division=float(rounding["division"]),
        shared_division=float(rounding["shared_division"]),
        growth=growth,
        functions={name: float(value) for name, value in section("functions").items()},
        flushed_functions=bool(subnormals["functions"]),
        flushed_arithmetic=bool(subnormals["arithmetic"]),
        flushed_products=frozenset(dtype for dtype in NARROW if subnormals[f"products_of_{dtype}"]),
        typical=float(section("typical")["sum"]) * max(1.0, growth["sum"]),
        drift=float(section("typical")["drift"]),
        tf32_factor=float(section("tf32")["factor"]),
        moves_squares=bool(section("squares")["by_parts"]),
    )


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(files("uol.conformance").joinpath("contracts.toml").read_text(encoding="utf-8"))


def unit_roundoff(dtype: str) -> float:
    """u: half the spacing at 1, and 0 for exact types."""
    return DTYPES[dtype].epsilon / 2
