"""Saved values: what a written gradient reads that the forward defines and does not give.

    op attention_grad(q, k, v, y, hi, z_inv, dy) -> (dq, dk, dv)    reads hi and z_inv, locals of attention
    op attention_saving(q, k, v) -> (y, hi, z_inv)                  attention, with those as further results

The second is made from the forward's text. A call whose gradient is recorded is a call of it; any other is one of the forward.
"""

from __future__ import annotations

from dataclasses import replace

from uol.ir.checker.messages import closest, mismatch
from uol.ir.gradients.callees import call_of, callee, calls_apart, results_of
from uol.ir.gradients.text.inference import Dims, Types
from uol.ir.gradients.text.local_inference import learn
from uol.ir.gradients.text.naming import Names
from uol.ir.operators import GRADIENT, SAVING, Operators
from uol.ir.syntax.printer import print_expr
from uol.ir.syntax.surface import Name, Op, Pack, Param, Statement, Target


def cotangent_of(name: str, forward: Op) -> str | None:
    """The result whose cotangent an input of a gradient is: `dy` of y, numbered where the forward has that name itself."""
    fitting = [r.name for r in forward.results if name == f"d{r.name}" or name.startswith(f"d{r.name}_")]
    return max(fitting, key=len, default=None)


def saving(forward: Op, gradient: Op, library: Operators) -> Op | None:
    """`<op>_saving`: the forward with the locals that its written gradient reads as further results; None where it reads none.

    Raises TypeCheckError, at the gradient's input, for one that the forward does not have, or has in another type.
    """
    given = {p.name for p in (*forward.params, *forward.results)}
    locals_ = {t.tensor for s in forward.body for t in s.targets} - given
    saved = [p for p in gradient.params if p.name in locals_]
    for param in gradient.params:
        if param.name not in given | locals_ and cotangent_of(param.name, forward) is None:
            known = [*sorted(given | locals_), *(f"d{r.name}" for r in forward.results)]
            hint = closest(param.name, known) or f"it may read {', '.join(known)}"
            said = f"`{gradient.name}` reads `{param.name}`, which `{forward.name}` does not have"
            raise mismatch(gradient, param, said, hint)
    if not saved:
        return None
    types = _learned(forward, library)
    results = tuple(_result(forward, gradient, param, types) for param in saved)
    return replace(forward, name=f"{forward.name}{SAVING}", results=(*forward.results, *results))


def saving_operator(forward: Op, library: Operators) -> Op | None:
    """The same, with the gradient that is written for the operator in a library."""
    written = library.written_gradient(f"{forward.name}{GRADIENT}")
    return None if written is None else saving(forward, written, library)


def check_written(op: Op, library: Operators) -> None:
    """Raises TypeCheckError, at its position, where an operator is named as the gradient of another one that a library has,
    and reads what that does not have, or has in another type. Any other operator is let pass."""
    forward = library.get(op.name.removesuffix(GRADIENT)) if op.name.endswith(GRADIENT) else None
    if forward is not None:
        saving(forward, op, library)


def plain_operator(op: Op, library: Operators) -> Op | None:
    """The operator that an `<op>_saving` is made from; None for any other operator."""
    plain = library.get(op.name.removesuffix(SAVING)) if op.name.endswith(SAVING) else None
    return plain if plain is not None and saving_operator(plain, library) == op else None


def with_saving_calls(op: Op, library: Operators, types: Types, names: Names) -> Op:
    """The operator with every call that stands alone (`calls_apart`) as one that saves what the callee's gradient reads."""
    return replace(op, body=tuple(_saving_call(op, s, library, types, names) for s in op.body))


def _saving_call(op: Op, statement: Statement, library: Operators, types: Types, names: Names) -> Statement:
    call = call_of(statement)
    found = None if call is None else saving_operator(callee(op, call, library), library)
    if call is None or found is None:
        return statement
    call, targets = replace(call, fn=found.name), list(statement.targets)
    for result in results_of(found, call, types)[len(targets) :]:
        index: list[Name | Pack] = []
        for dim in result.dims:
            index.append(names.index_of(dim, [i.id for i in index]))
        name = names.fresh(result.name.removeprefix(f"{found.name}_"))
        types.tensors[name], types.dims[name] = result.type, result.dims
        targets.append(Target(name, tuple(index)))
    return replace(statement, targets=tuple(targets), value=call)


def _learned(forward: Op, library: Operators) -> Types:
    """Types and dims of everything that the forward defines."""
    types = Types({t.variable: t.types for t in forward.domain})
    for param in (*forward.params, *forward.results):
        types.declare(param)
    body = calls_apart(forward, library, types, Names(forward)).body
    for number, statement in enumerate(body):
        if call_of(statement) is None:
            learn(types, statement, body[number + 1 :])
    return types


def _result(forward: Op, gradient: Op, param: Param, types: Types) -> Param:
    """A local of the forward as a result."""
    found, dims = types.tensors[param.name], types.dims[param.name]
    if types.canonical(param.type) != found or len(param.dims) != len(dims):
        said = f"`{param.name}` is {_declared(found, dims)} in `{forward.name}`, and {_declared(param.type, param.dims)} here"
        raise mismatch(gradient, param, said, f"declare it `{param.name}: {_declared(found, dims)}`")
    return Param(param.name, found, dims)


def _declared(dtype: str, dims: Dims) -> str:
    return f"{dtype}[{', '.join(map(print_expr, dims))}]"
