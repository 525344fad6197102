"""The gradient operators of an operator: derived from its text when they are first asked for.

    conv2d_grad(x, w, dy) -> (dx, dw)        with respect to every float input
    conv2d_grad_w(x, dy) -> (dw)             with respect to those that need it

A written gradient may read what the forward computes on its way: then `<op>_saving` runs in the forward's place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from uol.backends.cache.files import Key, open_cache
from uol.backends.cache.records import Records
from uol.compilation.generator import generator_hash, tool_versions
from uol.ir.errors import ResourceError, UolError
from uol.ir.library import GRADIENT, SAVING
from uol.ir.syntax.surface import Op, Param, Statement
from uol.operators.checked_texts import digest_of
from uol.operators.registry import callees, catalogue


@dataclass(frozen=True, slots=True)
class GradientOp:
    """`op` gives one cotangent for each of `wrt`. Its inputs are, in order, what `sources` says: the n-th "input" or
    "result" of `forward`, or the "cotangent" of its n-th result. `forward` gives what is saved, too, where anything is."""

    op: Op
    forward: Op
    wrt: tuple[str, ...]
    sources: tuple[tuple[str, int], ...]


GRADIENTS = Records(GradientOp)


def gradient_op(op: Op, wrt: tuple[str, ...], integers: tuple[str, ...] = ()) -> GradientOp:
    """The gradient operator with respect to some inputs, which is kept in the cache folder. `integers`: the type variables that
    admit floats and are none here. Raises UolError where there is none."""
    written = _written(op)
    key = _key("gradient", op, written, wrt, integers)
    try:
        return open_cache().record(key, GRADIENTS, lambda: _gradient_op(op, written, wrt, integers))
    except ResourceError:  # the folder cannot be written
        return _gradient_op(op, written, wrt, integers)


def _written(op: Op) -> Op | None:
    """The text that is written for the gradient of an operator, which must be the catalogue's."""
    return catalogue().written_gradient(f"{op.name}{GRADIENT}") if catalogue().get(op.name) == op else None


def _key(stage: str, op: Op, written: Op | None, wrt: tuple[str, ...] = (), integers: tuple[str, ...] = ()) -> Key:
    """Everything that a derivation depends on: the operators with their positions, which stand in its messages and spans."""
    called = [*callees(op), *(callees(written) if written is not None else ())]
    gradients = [catalogue().written_gradient(f"{each.name}{GRADIENT}") for each in called]
    taken = [each for each in (op, written, *called, *gradients) if each is not None]
    digests = [digest_of(each) for each in taken]
    return Key(
        {
            "stage": stage,
            "op": op.name,
            "wrt": wrt,
            "integers": integers,
            "written": written is not None,
            "ops": digests,
            "generator": generator_hash(),
            "tools": tool_versions(),
        }
    )


def _gradient_op(op: Op, written: Op | None, wrt: tuple[str, ...], integers: tuple[str, ...] = ()) -> GradientOp:
    from uol.ir.gradients import gradient
    from uol.ir.gradients.residuals import saving

    every = op.float_inputs
    forward = op if written is None else saving(op, written, catalogue()) or op
    if written is None:
        found = gradient(op, catalogue(), wrt, integers)
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


def backward_of(op: Op, wrt: tuple[str, ...], integers: tuple[str, ...] = ()) -> Backward:
    """The ways back through an operator, with respect to some inputs, where some type variables are integers."""
    forward = _plain_operator(op)
    plain = None if forward is None else gradient_op(forward, wrt, integers)
    whole = gradient_op(op, wrt, integers)
    read = [source for each in (plain, whole) if each is not None for source in each.sources]
    kept = tuple(dict.fromkeys(source for source in read if source[0] != "cotangent"))
    return Backward(whole, plain, len((forward or op).results), kept)


def saving_of(op: Op) -> Op | None:
    """The operator that runs in the place of another one whose gradient is recorded; None where that runs itself."""
    written = _written(op)
    if written is None:
        return None
    forward = gradient_op(op, op.float_inputs).forward
    return None if forward == op else forward


def _plain_operator(op: Op) -> Op | None:
    if not op.name.endswith(SAVING):
        return None
    from uol.ir.gradients.residuals import plain_operator

    return plain_operator(op, catalogue())


def _with_results(op: Op, results: Sequence[Param]) -> Op:
    """The operator with these results alone, and the statements that they are made from."""
    from uol.ir.gradients.text.substitution import tensors_of

    needed = {r.name for r in results}
    body: list[Statement] = []
    for statement in reversed(op.body):
        if any(t.tensor in needed for t in statement.targets):
            body.insert(0, statement)
            needed |= tensors_of(statement)
    return replace(op, results=tuple(results), body=tuple(body))


def _source(op: Op, name: str) -> tuple[str, int]:
    from uol.ir.gradients.residuals import cotangent_of

    for kind, params in (("input", op.params), ("result", op.results)):
        names = [p.name for p in params]
        if name in names:
            return kind, names.index(name)
    result = cotangent_of(name, op)
    assert result is not None  # `saving` has seen to it
    return "cotangent", [r.name for r in op.results].index(result)
