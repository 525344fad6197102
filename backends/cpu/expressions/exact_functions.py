"""The built-in functions as the C library has them: for the oracle, for f64, and where speed does not matter.

Of TVM's own lowerings only those that are one instruction are used; its `tanh` and `erf` lose digits near 0.
"""

from __future__ import annotations

from collections.abc import Callable

from tvm import tirx

from uol.backends.cpu.expressions.common_subexpressions import Share
from uol.backends.cpu.expressions.dtypes import Term

Function = Callable[..., Term]
"""Takes a `Share`, then its arguments."""


def _library(name: str) -> Function:
    """A function of libm: `<name>f` for float32, `<name>` for float64."""

    def call(share: Share, *args: Term) -> Term:
        compute = str(args[0].ty)
        symbol = name if compute == "float64" else f"{name}f"
        return tirx.call_pure_extern(compute, symbol, *args)

    return call


def _instruction(function: Callable[[Term], Term]) -> Function:
    return lambda share, x: function(x)


def _reciprocal_root(share: Share, x: Term) -> Term:
    return tirx.Div(tirx.const(1.0, str(x.ty)), tirx.sqrt(x))


EXACT: dict[str, Function] = {
    **{name: _library(name) for name in ("exp", "exp2", "expm1", "log", "log2", "log1p", "sin", "cos", "tanh", "erf", "pow")},
    "sqrt": _instruction(tirx.sqrt),
    "rsqrt": _reciprocal_root,
    "abs": _instruction(tirx.abs),
    "floor": _instruction(tirx.floor),
    "ceil": _instruction(tirx.ceil),
    "round": _instruction(tirx.nearbyint),  # to nearest even in the default rounding mode
}
