"""First and second gradients by the derived texts, put together as a caller of them would.

The second derivative of f goes through the gradient of its gradient, and, for what that sends to saved results of f, through
the gradient of f once more:

    dx = f_grad(x, y, dy)      s = (ddx, dx)      ds/dx = by f_grad_grad at x  +  f_grad(x, y, by f_grad_grad at y)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uol.ir import Library, Op, Program, interpret
from uol.ir.gradients import has_gradient
from uol.ir.gradients.backward_call import Roles, roles_by_name
from uol.ir.gradients.derivation import derive

Array = NDArray[Any]
Arrays = Mapping[str, Array]
Instance = Callable[[Op], Program]
"""An operator at the types, ranks, dims and attributes of a case."""
Run = Callable[[Program, Arrays], Arrays]
"""What computes a program: the interpreter, or a kernel."""


@dataclass(frozen=True, slots=True)
class Backward:
    """The gradient of an operator as a program, and what its cotangents and results are called."""

    op: Op
    program: Program
    roles: Roles


@dataclass(frozen=True, slots=True)
class Derivatives:
    """An operator with its gradient and the gradient of that, which is None where the gradient has no float to derive by.
    `through` is the gradient that the second derivative takes from results of the operator to its inputs."""

    forward: Program
    once: Backward
    twice: Backward | None
    through: Backward


def derivatives(op: Op, library: Library, instance: Instance) -> Derivatives:
    """Derives twice, and instantiates. Raises UolError where a gradient is refused."""
    once = _derived(op, library, instance)
    return Derivatives(instance(op), once, _second(once, library, instance), once)


def written_derivatives(saving: Op, gradient: Op, library: Library, instance: Instance) -> Derivatives:
    """The same with a first gradient that is written, and what it is recorded with: the operator that saves what it reads."""
    once = Backward(gradient, instance(gradient), roles_by_name(saving, gradient))
    return Derivatives(instance(saving), once, _second(once, library, instance), _derived(saving, library, instance))


def _derived(op: Op, library: Library, instance: Instance) -> Backward:
    derived = derive(op, library)
    return Backward(derived.op, instance(derived.op), derived.roles)


def _second(once: Backward, library: Library, instance: Instance) -> Backward | None:
    return _derived(once.op, library, instance) if has_gradient(once.op) else None


def first_and_second(
    found: Derivatives, inputs: Arrays, cotangents: Arrays, directions: Arrays, run: Run = interpret
) -> tuple[Arrays, Arrays]:
    """The first gradient by input; the second by input, and by result for its cotangent. `cotangents` are by result,
    `directions` by input."""
    once, twice, through = found.once, found.twice, found.through
    known = {**inputs, **_run(run, found.forward, inputs)}
    known |= {name: cotangents[result] for result, name in once.roles.cotangents.items()}
    dx = _run(run, once.program, known)
    first = {name: dx[out] for name, out in once.roles.gradients.items()}
    if twice is None:
        return first, {name: np.zeros_like(array) for name, array in {**first, **cotangents}.items()}
    again = {c: directions[name] for name, out in once.roles.gradients.items() if (c := twice.roles.cotangents.get(out))}
    made = _run(run, twice.program, {**known, **dx, **again})
    by = {name: made[out] for name, out in twice.roles.gradients.items()}
    passed = {c: by.get(result, np.zeros_like(known[result])) for result, c in through.roles.cotangents.items()}
    back = _run(run, through.program, {**known, **passed})
    second = {name: by.get(name, 0) + back[out] for name, out in through.roles.gradients.items()}
    return first, second | {
        result: by.get(once.roles.cotangents.get(result, ""), np.zeros_like(array)) for result, array in cotangents.items()
    }


def _run(run: Run, program: Program, known: Arrays) -> Arrays:
    return run(program, {t.name: known[t.name] for t in program.by_role("in")})
