"""The built-in functions: a closed table.

`ulp` bounds the error of a kernel's value against the exact one, in units in the last place of the result's type, for
arguments in the domain. f16 and bf16 are computed in f32 and rounded once, so that half an ulp of their own type is
what remains of any bound below 2**11.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from uol.ir.types import DTYPES, INDEX

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Function:
    """One built-in.

    name        as in the text, and as `Call.fn`
    arity       number of arguments, all of the type of the result
    domain      where it is defined, in words; NaN elsewhere
    ulp         bound per float type, in ulp of the result; none where it is for integers alone
    integers    the integer types that it is defined for
    """

    name: str
    arity: int
    domain: str
    ulp: Mapping[str, float]
    integers: frozenset[str] = frozenset()

    @property
    def reference(self) -> Callable[..., NDArray[Any]]:
        """Of float64 arrays: the value in float64. For integers alone, of int64 arrays: the value before it wraps."""
        from uol.ir.program.references import REFERENCES  # a compilation seldom evaluates one, and numpy takes 0.15 s to load

        return REFERENCES[self.name]

    def is_for(self, dtype: str) -> bool:
        """Whether its arguments may be of a type."""
        return dtype in self.ulp or dtype in self.integers


def _bounds(f32: float, f64: float) -> dict[str, float]:
    return {"f64": f64, "f32": f32, "f16": 0.51, "bf16": 0.51, "f8e4m3": 0.51, "f8e5m2": 0.51}


_EXACT = _bounds(0.0, 0.0)
_WRAPPING = frozenset(name for name, info in DTYPES.items() if info.kind in ("int", "uint"))
_INTEGERS = _WRAPPING | {INDEX}


def _table(*functions: Function) -> dict[str, Function]:
    return {f.name: f for f in functions}


def _of_bits(name: str, arity: int, domain: str) -> Function:
    """On the bits of an integer, two's complement: an index has no number of them."""
    return Function(name, arity, domain, {}, _WRAPPING)


# The f32 and f64 bounds are the largest of what CUDA's math API documents, what OCML documents, and the polynomials of
# the twin and of Ascend's vector unit are held to. Sources: CUDA C++ Programming Guide, "Mathematical Functions".
FUNCTIONS: Mapping[str, Function] = _table(
    Function("exp", 1, "all reals", _bounds(2.0, 1.0)),
    Function("exp2", 1, "all reals", _bounds(2.0, 1.0)),
    Function("expm1", 1, "all reals", _bounds(2.0, 2.0)),
    Function("log", 1, "x >= 0; log(0) is -inf", _bounds(2.0, 1.0)),
    Function("log2", 1, "x >= 0; log2(0) is -inf", _bounds(2.0, 1.0)),
    Function("log1p", 1, "x >= -1; log1p(-1) is -inf", _bounds(2.0, 2.0)),
    Function("sqrt", 1, "x >= 0", _bounds(1.0, 1.0)),
    Function("rsqrt", 1, "x >= 0; rsqrt(0) is inf", _bounds(2.0, 2.0)),
    Function("sin", 1, "finite x", _bounds(2.0, 2.0)),
    Function("cos", 1, "finite x", _bounds(2.0, 2.0)),
    Function("tanh", 1, "all reals", _bounds(2.0, 2.0)),
    Function("erf", 1, "all reals", _bounds(3.0, 2.0)),
    Function("pow", 2, "x > 0, or whole y", _bounds(8.0, 2.0), frozenset({"i32"})),
    Function("abs", 1, "all reals", _EXACT, integers=_INTEGERS),
    Function("floor", 1, "all reals", _EXACT),
    Function("ceil", 1, "all reals", _EXACT),
    Function("round", 1, "all reals; halves go to the even neighbour", _EXACT),
    Function("max", 2, "all reals; NaN if either is", _EXACT, integers=_INTEGERS),
    Function("min", 2, "all reals; NaN if either is", _EXACT, integers=_INTEGERS),
    _of_bits("bit_and", 2, "integers, and truth values as `and`"),
    _of_bits("bit_or", 2, "integers, and truth values as `or`"),
    _of_bits("bit_xor", 2, "integers, and truth values as `!=`"),
    _of_bits("bit_not", 1, "integers, and truth values as `not`"),
    _of_bits("shift_left", 2, "integers; 0 by less than 0, or by as many bits as there are"),
    _of_bits("shift_right", 2, "integers, the sign moves in; the sign alone by less than 0, or by as many bits as there are"),
)
