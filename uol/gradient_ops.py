"""The gradient operators of an operator: derived from its text when they are first asked for.

    conv2d_grad(x, w, dy) -> (dx, dw)        with respect to every float input
    conv2d_grad_w(x, dy) -> (dw)             with respect to those that need it
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from uol.catalogue import catalogue
from uol.ir.errors import UolError
from uol.ir.gradients import gradient
from uol.ir.gradients.substitution import tensors_of
from uol.ir.library import GRADIENT
from uol.ir.syntax import Op, Param, Statement


@dataclass(frozen=True, slots=True)
class GradientOp:
    """`op` gives one cotangent for each of `wrt`. Its inputs are, in order, what `sources` says: the n-th "input" or
    "result" of the forward, or the "cotangent" of its n-th result."""

    op: Op
    wrt: tuple[str, ...]
    sources: tuple[tuple[str, int], ...]


def gradient_op(op: Op, wrt: tuple[str, ...]) -> GradientOp:
    """The gradient operator with respect to some inputs. Raises UolError where there is none."""
    every = op.float_inputs
    written = catalogue().written_gradient(f"{op.name}{GRADIENT}") if catalogue().get(op.name) == op else None
    if written is None:
        found = gradient(op, catalogue(), wrt)
    elif len(written.results) != len(every):
        message = f"{written.name} has {len(written.results)} results, {op.name} has {len(every)} float inputs"
        raise UolError(message, hint=f"as the gradient of {op.name} it gives one for each of {', '.join(every)}")
    else:
        found = _with_results(written, [r for r, name in zip(written.results, every, strict=True) if name in wrt])
    if wrt != every:
        found = replace(found, name=f"{found.name}_{'_'.join(wrt)}")
    return GradientOp(found, wrt, tuple(_source(op, p.name) for p in found.params))


def _with_results(op: Op, results: Sequence[Param]) -> Op:
    """The operator with these results alone, and the statements that they are made from."""
    needed = {r.name for r in results}
    body: list[Statement] = []
    for statement in reversed(op.body):
        if any(t.tensor in needed for t in statement.targets):
            body.insert(0, statement)
            needed |= tensors_of(statement)
    return replace(op, results=tuple(results), body=tuple(body))


def _source(op: Op, name: str) -> tuple[str, int]:
    for kind, params in (("input", op.params), ("result", op.results)):
        names = [p.name for p in params]
        if name in names:
            return kind, names.index(name)
    # A cotangent is called d<result>, numbered where the text has that name already.
    results = [r.name for r in op.results]
    fitting = [r for r in results if name == f"d{r}" or name.startswith(f"d{r}_")]
    if not fitting:
        known = ", ".join([*(p.name for p in op.params), *results, *(f"d{r}" for r in results)])
        raise UolError(f"{op.name}{GRADIENT} reads {name!r}, which {op.name} does not have", hint=f"it may read {known}")
    return "cotangent", results.index(max(fitting, key=len))
