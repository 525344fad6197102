"""The gradient operators of an operator: derived from its text when they are first asked for.

    conv2d_grad(x, w, dy) -> (dx, dw)        with respect to every float input
    conv2d_grad_w(x, dy) -> (dw)             with respect to those that need it

A written gradient may read what the forward computes on its way: then `<op>_saving` runs in the forward's place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from uol.catalogue import catalogue
from uol.ir.errors import UolError
from uol.ir.gradients import gradient
from uol.ir.gradients.saving import cotangent_of, plain_operator, saving, saving_operator
from uol.ir.gradients.substitution import tensors_of
from uol.ir.library import GRADIENT
from uol.ir.syntax import Op, Param, Statement


@dataclass(frozen=True, slots=True)
class GradientOp:
    """`op` gives one cotangent for each of `wrt`. Its inputs are, in order, what `sources` says: the n-th "input" or
    "result" of `forward`, or the "cotangent" of its n-th result. `forward` gives what is saved, too, where anything is."""

    op: Op
    forward: Op
    wrt: tuple[str, ...]
    sources: tuple[tuple[str, int], ...]


def gradient_op(op: Op, wrt: tuple[str, ...]) -> GradientOp:
    """The gradient operator with respect to some inputs. Raises UolError where there is none."""
    every = op.float_inputs
    written = catalogue().written_gradient(f"{op.name}{GRADIENT}") if catalogue().get(op.name) == op else None
    forward = op if written is None else saving(op, written, catalogue()) or op
    if written is None:
        found = gradient(op, catalogue(), wrt)
    elif len(written.results) != len(every):
        message = f"{written.name} has {len(written.results)} results, {op.name} has {len(every)} float inputs"
        raise UolError(message, hint=f"as the gradient of {op.name} it gives one for each of {', '.join(every)}")
    else:
        found = _with_results(written, [r for r, name in zip(written.results, every, strict=True) if name in wrt])
    if wrt != every:
        found = replace(found, name=f"{found.name}_{'_'.join(wrt)}")
    return GradientOp(found, forward, wrt, tuple(_source(forward, p.name) for p in found.params))


@dataclass(frozen=True, slots=True)
class Backward:
    """How the cotangents of an operator's inputs are found: by `whole`, or, of an `<op>_saving`, by the gradient of its plain
    operator (of so many `results`) where no cotangent comes to what is saved, as in every first derivative. `kept`: what
    both of them read."""

    whole: GradientOp
    plain: GradientOp | None
    results: int
    kept: tuple[tuple[str, int], ...]


def backward_of(op: Op, wrt: tuple[str, ...]) -> Backward:
    """The ways back through an operator, with respect to some inputs."""
    forward = plain_operator(op, catalogue())
    plain = None if forward is None else gradient_op(forward, wrt)
    whole = gradient_op(op, wrt)
    read = [source for each in (plain, whole) if each is not None for source in each.sources]
    kept = tuple(dict.fromkeys(source for source in read if source[0] != "cotangent"))
    return Backward(whole, plain, len((forward or op).results), kept)


def saving_of(op: Op) -> Op | None:
    """The operator that runs in the place of another one whose gradient is recorded."""
    return saving_operator(op, catalogue()) if catalogue().get(op.name) == op else None


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
    result = cotangent_of(name, op)
    assert result is not None  # `saving` has seen to it
    return "cotangent", [r.name for r in op.results].index(result)
