"""gradient(op): reverse mode on index notation. The gradient is an operator of the same language.

    op f(x: T[*S], ...) -> (y: T[*S])     op f_grad(x, ..., y, dy: T[*S]) -> (dx: T[*S], ...)

Saved: inputs and results of the forward, and of these only what the gradient reads, or whose dims it names.
Recomputed: every intermediate that is read, by the forward's own statement. (A written gradient may ask for one: `saving`.)
A cotangent has its value's type; several
terms add up in the accumulator before one cast. The gradient of a gradient is derived in the same way.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial

from uol.ir.checker.messages import closest, mismatch
from uol.ir.gradients.backward_call import Roles, roles_by_name
from uol.ir.gradients.callees import calls_apart
from uol.ir.gradients.maps.signs import Signs
from uol.ir.gradients.residuals import with_saving_calls
from uol.ir.gradients.reverse_mode import ReverseMode
from uol.ir.gradients.text.common_subexpressions import share
from uol.ir.gradients.text.inference import Types, float_types, has_gradient
from uol.ir.gradients.text.naming import Names
from uol.ir.gradients.text.nesting import reductions_apart
from uol.ir.gradients.text.scattered_sizes import with_sizes
from uol.ir.gradients.text.signature import assemble
from uol.ir.gradients.text.substitution import loose_keys, without_shadows
from uol.ir.operators import Operators, gradient_name
from uol.ir.syntax.surface import Op, Param, Reduction, Statement, below


@dataclass(frozen=True, slots=True)
class Derived:
    """A gradient, and what its cotangents and results are called."""

    op: Op
    roles: Roles


def gradient(op: Op, library: Operators, wrt: Sequence[str] | None = None, integers: Collection[str] = ()) -> Op:
    """The gradient of an operator with respect to its float inputs, or to those named in `wrt`. A type variable that stands for
    floats and for others is one of the floats there; of the others where it is among `integers`, and then what has that type
    has no derivative.

    Raises TypeCheckError where an input is not of the operator, or not a float, and where there is no float to derive.

    >>> from uol.ir.library import Library
    >>> from uol.ir.syntax.parser import parse
    >>> from uol.ir.syntax.printer import print_op
    >>> print(print_op(gradient(parse("op double(x: f32[N]) -> (y: f32[N]) { y[i] = 2 * x[i] }")[0], Library())))
    op double_grad(dy: f32[N]) -> (dx: f32[N]) {
      dx[i] = 2 * dy[i]
    }
    """
    return derive(op, library, wrt, integers).op


def derive(op: Op, library: Operators, wrt: Sequence[str] | None = None, integers: Collection[str] = ()) -> Derived:
    """`gradient`, with the roles of its parts. A product that a result holds is read from it, unless the gradient could do
    without the result, by as many reductions over the inputs that it reads anyway: what is not read need not be saved."""
    if not has_gradient(op, integers):
        raise mismatch(op, op, f"`{op.name}` has no gradient", "a gradient goes from the float results to the float inputs")
    op, others = float_types(op, integers), tuple(name for name in op.mixed_variables if name in integers)
    found = _derived(op, library, wrt, saves=True)
    if _inputs_of(found) & {r.name for r in op.results}:
        computing = _derived(op, library, wrt, saves=False)
        is_less = _inputs_of(computing) < _inputs_of(found) and _reductions(computing) <= _reductions(found)
        found = computing if is_less else found
    return replace(found, op=replace(found.op, name=gradient_name(op.name, others)))


def _inputs_of(derived: Derived) -> set[str]:
    return {p.name for p in derived.op.params}


def _reductions(derived: Derived) -> int:
    return sum(isinstance(n, Reduction) for s in derived.op.body for n in below(s.value))


def _derived(op: Op, library: Operators, wrt: Sequence[str] | None, *, saves: bool) -> Derived:
    dims = (d for p in (*op.params, *op.results) for d in p.dims)
    types, names = Types({t.variable: t.types for t in op.domain}, signs=Signs(dims, op.where)), Names(op)
    for param in (*op.params, *op.results):
        types.declare(param)
    asked = _inputs(op, types, wrt)
    op = with_saving_calls(calls_apart(op, library, types, names), library, types, names)
    op = reductions_apart(op, types, names)
    seeds = {r.name: names.fresh(f"d{r.name}") for r in op.results if types.is_float(r.type)}
    cotangents = tuple(Param(seeds[r.name], r.type, r.dims) for r in op.results if r.name in seeds)
    for param in cotangents:
        types.declare(param)
    reverse = ReverseMode(op, library, types, names, seeds, asked, partial(_roles, library), saves=saves)
    reverse.run()
    wanted = {p.name: names.fresh(f"d{p.name}") for p in op.params if p.name in asked}
    results = tuple(Param(wanted[p.name], p.type, p.dims) for p in op.params if p.name in wanted)
    for param, name in zip(results, wanted, strict=True):
        types.declare(param)
        reverse.define(param.name, reverse.element(name), reverse.total(name), types.tensors[param.name])
    derived = [_without_shadows(s, names) for s in reverse.statements]
    found = frozenset(wanted.values())
    body = with_sizes(share(reverse.forward, derived, found, types, names), found, reverse)
    return Derived(assemble(op, cotangents, results, body), Roles(seeds, wanted))


def _without_shadows(statement: Statement, names: Names) -> Statement:
    """The statement, with every reduction binding indices of its own, whose names are nothing else's."""
    indices = frozenset(names.indices) | {f"*{n}" for n in names.indices}
    around = frozenset(k.lstrip("*") for k in loose_keys(statement, indices)) | (names.taken - names.indices)
    value = without_shadows(statement.value, around, names)
    names.bind(b.name for n in below(value) if isinstance(n, Reduction) for b in n.binders)
    return replace(statement, value=value)


def _inputs(op: Op, types: Types, wrt: Sequence[str] | None) -> tuple[str, ...]:
    floats = [p.name for p in op.params if types.is_float(p.type)]
    for name in wrt or ():
        if name not in floats:
            raise mismatch(op, op, f"`{op.name}` has no float input `{name}`", closest(name, floats))
    return tuple(n for n in floats if wrt is None or n in wrt)


def _roles(library: Operators, callee: Op, integers: tuple[str, ...]) -> tuple[Op, Roles]:
    """The gradient of an operator that is called: as it is derived, or as the library has it."""
    derived = derive(callee, library, integers=integers)
    found = library.get(derived.op.name)
    assert found is not None
    return found, derived.roles if found == derived.op else roles_by_name(callee, found)
