"""Sums of squares about a value that all terms share, which a target may sum about other values and put right: `squares` of
contracts.toml.

    sum[c]((x[c] - m)**2)  =  sum[p](sum[c in p]((x[c] - k[p])**2) + n_p * ((k[p] - m)**2 + ...))

Such a sum is rounded where the text's own terms and sums of them are exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from uol.ir.program.nodes import Axis, Call, Expr, Load
from uol.ir.program.walk import variables


def is_about_one_value(body: Expr, over: Iterable[Axis], values: Mapping[str, Expr]) -> bool:
    """Is what is summed the square of a difference to a value that does not vary along the axes, by the statements of a
    text?"""
    match body:
        case Call(fn="*", args=(one, other)) if one == other:
            return _is_apart(one, frozenset(axis.name for axis in over), values)
    return False


def _is_apart(value: Expr, over: frozenset[str], values: Mapping[str, Expr]) -> bool:
    """Is it such a difference, or the value of a statement that is one?"""
    match value:
        case Call(fn="-", args=(x, about)):
            return bool(variables(x) & over) and not variables(about) & over
        case Load(tensor=name) if name in values and variables(value) & over:
            match values[name]:
                case Call(fn="-", args=(x, about)):
                    return variables(about) < variables(x)
    return False
