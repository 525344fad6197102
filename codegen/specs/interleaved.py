"""A kernel whose values depend on remainders of its rows as one with steps for each residue, whose results interleave.

    dx[w] = sum over u of select((w + p)%s + s*u < k and at[(w + p)/s - u] == ..., dy[(w + p)/s - u], 0)

For w = s*j + r the quotient is j + (r + p)/s, and the remainder is a number: of s results beside each other, each has a sum of
its own over elements that lie beside each other for neighbouring j. What is left over, where s does not divide the extent, is a
kernel of fewer residues.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod

from uol.codegen.indexing.arithmetic import add, mul, static
from uol.codegen.specs.nodes import Fold, Let, Reduce, Step, Store
from uol.codegen.specs.residues import Residue, divisors_of
from uol.codegen.specs.traverse import expressions, map_step, step_expressions
from uol.codegen.specs.verify import verified
from uol.ir.program.nodes import Const, Expr, Var
from uol.ir.program.walk import substitute

MOST_RESIDUES = 16
"""Each is a fold whose partial results are in registers: a stride of 4 in two dims."""


@dataclass(frozen=True, slots=True)
class _Stretch:
    """`count` whole steps of a row from step `first` on, of each the elements at `residues`."""

    first: int
    count: int
    residues: range


@verified
def interleaved(spec: Reduce) -> tuple[Reduce, ...]:
    """The kernels; the spec alone where no remainder of a row decides a value, or there are too many, or extents are
    arguments."""
    if not all(static(a.extent) for a in spec.axes) or not all(isinstance(s, Fold) or _is_of_rows(s, spec) for s in spec.steps):
        return (spec,)
    moduli = _moduli(spec)
    if not moduli or prod(moduli.values()) > MOST_RESIDUES:
        return (spec,)
    stretches = product(*(list(_stretches(spec, name, number)) for name, number in moduli.items()))
    found = [_kernel(spec, dict(zip(moduli, each, strict=True)), moduli) for each in stretches]
    return tuple(replace(kernel, name=f"{spec.name}_{i}" if i else spec.name) for i, kernel in enumerate(found))


def _is_of_rows(step: Let | Store, spec: Reduce) -> bool:
    return set(step.axes) <= {a.name for a in spec.rows}


def _moduli(spec: Reduce) -> dict[str, int]:
    """By row: what it is divided by, where that is one number throughout and a fold's value has a remainder."""
    found: dict[str, int] = {}
    for axis in spec.rows:
        divisors = {d for expr in expressions(spec) for d in divisors_of(expr, axis.name, ("/", "%"))}
        folded = (expr for step in spec.steps if isinstance(step, Fold) for expr in step_expressions(step))
        number = divisors.pop() if len(divisors) == 1 else 0
        if 1 < number <= (static(axis.extent) or 0) and any(True for e in folded for _ in divisors_of(e, axis.name, ("%",))):
            found[axis.name] = number
    return found


def _stretches(spec: Reduce, axis: str, number: int) -> Iterator[_Stretch]:
    extent = next(static(a.extent) or 0 for a in spec.rows if a.name == axis)
    whole, rest = divmod(extent, number)
    yield _Stretch(0, whole, range(number))
    if rest:
        yield _Stretch(whole, 1, range(rest))


def _kernel(spec: Reduce, stretches: dict[str, _Stretch], moduli: dict[str, int]) -> Reduce:
    extents = {a.name: a.extent for a in spec.axes} | {name: Const(s.count) for name, s in stretches.items()}
    residues = product(*(s.residues for s in stretches.values()))
    parts = [_part(spec, dict(zip(stretches, each, strict=True)), stretches, moduli, extents) for each in residues]
    return replace(parts[0], steps=tuple(step for part in parts for step in part.steps))


def _part(
    spec: Reduce, residues: dict[str, int], stretches: dict[str, _Stretch], moduli: dict[str, int], extents: dict[str, Expr]
) -> Reduce:
    """The kernel at one residue of each row that is divided."""
    places = {
        name: add(mul(Var(name), Const(moduli[name])), Const(stretches[name].first * moduli[name] + residue))
        for name, residue in residues.items()
    }
    kernel = Residue(spec, spec.name, places, extents).kernel()
    return replace(kernel, steps=_named(kernel.steps, "_".join(map(str, residues.values()))))


def _named(steps: Sequence[Step], suffix: str) -> tuple[Step, ...]:
    """The steps with names of their own."""
    names = {s.name: Var(f"{s.name}_at_{suffix}", s.dtype) for s in steps if not isinstance(s, Store)}
    moved = [map_step(step, lambda expr: substitute(expr, names)) for step in steps]
    return tuple(s if isinstance(s, Store) else replace(s, name=names[s.name].name) for s in moved)
