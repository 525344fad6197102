"""`uol functions`: the closed list of built-in functions, with domain, accuracy and derivative."""

from __future__ import annotations

from uol.cli.options import JsonOption
from uol.cli.output import print_json, print_table
from uol.ir.functions import FUNCTIONS, Function
from uol.ir.gradients.derivatives import DERIVATIVES
from uol.ir.types import INDEX

TYPES = ("f64", "f32")
"""The types that functions are computed in; the narrower ones are computed in f32 and rounded once."""


def functions(as_json: JsonOption = False) -> None:
    """List the built-in functions: where each is defined, its error in ulp, its derivative by the arguments a and b."""
    if as_json:
        print_json([_record(f) for f in FUNCTIONS.values()])
    else:
        print_table(("function", "defined for", *(f"ulp {t}" for t in TYPES), "derivative"), map(_row, FUNCTIONS.values()))


def _row(function: Function) -> tuple[str, ...]:
    arguments = ", ".join("ab"[: function.arity])
    ulps = (f"{function.ulp[t]:g}" if t in function.ulp else "" for t in TYPES)
    return f"{function.name}({arguments})", _domain(function), *ulps, "; ".join(DERIVATIVES[function.name])


def _domain(function: Function) -> str:
    if not function.ulp:
        return function.domain
    return function.domain.replace("x", "a").replace("y", "b") + (f" and {_integers(function)}" if function.integers else "")


def _integers(function: Function) -> str:
    return "integers" if INDEX in function.integers else ", ".join(sorted(function.integers))


def _record(function: Function) -> dict[str, object]:
    return {
        "name": function.name,
        "arguments": function.arity,
        "domain": function.domain,
        "integers": sorted(function.integers - {INDEX}),
        "ulp": dict(function.ulp),
        "derivatives": list(DERIVATIVES[function.name]),
    }
