"""The reverse of a call: a call of the callee's gradient, `<op>_grad`, which the library derives or holds.

h[n, c] = softmax(x)[n, c]      becomes      dx_1[n, c] = softmax_grad(h, dh)[n, c]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from uol.ir.gradients.text.substitution import Item
from uol.ir.syntax.surface import Access, Apply, Expr, Name, Op, Statement, Target


@dataclass(frozen=True, slots=True)
class Roles:
    """How a gradient calls its parts: the cotangent of each result of the forward, the result for each input."""

    cotangents: Mapping[str, str]
    gradients: Mapping[str, str]


def roles_by_name(forward: Op, backward: Op) -> Roles:
    """`dy` for `y`, and `dx` for `x`: of a gradient that was written by hand."""
    inputs, outputs = {p.name for p in backward.params}, {r.name for r in backward.results}
    return Roles(
        {r.name: f"d{r.name}" for r in forward.results if f"d{r.name}" in inputs},
        {p.name: f"d{p.name}" for p in forward.params if f"d{p.name}" in outputs},
    )


def arguments(
    forward: Op, backward: Op, roles: Roles, call: Apply, results: Mapping[str, str], cotangents: Mapping[str, str]
) -> tuple[Name, ...]:
    """The tensors that the gradient takes: `results` and `cotangents` are the caller's tensors, by result of the callee."""
    passed: dict[str, Expr] = {p.name: a for p, a in zip(forward.params, call.args, strict=True) if isinstance(a, Name)}
    passed |= {name: Name(tensor) for name, tensor in results.items()}
    passed |= {roles.cotangents[name]: Name(tensor) for name, tensor in cotangents.items() if name in roles.cotangents}
    return tuple(n for p in backward.params if isinstance(n := passed[p.name], Name))


def statement_of(
    backward: Op, args: tuple[Name, ...], call: Apply, targets: tuple[tuple[str, tuple[Item, ...]], ...]
) -> Statement:
    """The statement that calls the gradient, with the attributes that it takes."""
    keywords = tuple(k for k in call.keywords if backward.attribute(k.name) is not None)
    made = Apply(backward.name, args, keywords)
    ends = tuple(Target(name, index) for name, index in targets)
    return Statement(ends, "=", made if len(ends) > 1 else Access(made, ends[0].index))
