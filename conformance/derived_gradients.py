"""First and second gradients by the derived texts, put together as a caller of them would.

The second derivative of f goes through the gradient of its gradient, and, for what that sends to saved results of f, through
the gradient of f once more:

    dx = f_grad(x, y, dy)      s = (ddx, dx)      ds/dx = by f_grad_grad at x  +  f_grad(x, y, by f_grad_grad at y)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uol.ir import Library, Op, Program, interpret
from uol.ir.gradients import has_gradient
from uol.ir.gradients.backward_call import Roles
from uol.ir.gradients.derivation import derive

Array = NDArray[np.generic]
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
    """An operator with its gradient and the gradient of that; None where the gradient has no float to derive by."""

    forward: Program
    once: Backward
    twice: Backward | None


def derivatives(op: Op, library: Library, instance: Instance, first: tuple[Op, Roles] | None = None) -> Derivatives:
    """Derives twice, and instantiates; `first` is a gradient that is written. Raises UolError where one is refused."""
    once = _backward(op, library, instance, first)
    return Derivatives(instance(op), once, _backward(once.op, library, instance) if has_gradient(once.op) else None)


def _backward(op: Op, library: Library, instance: Instance, given: tuple[Op, Roles] | None = None) -> Backward:
    if given is None:
        derived = derive(op, library)
        given = derived.op, derived.roles
    return Backward(given[0], instance(given[0]), given[1])


def first_and_second(
    derived: Derivatives, inputs: Arrays, cotangents: Arrays, directions: Arrays, run: Run = interpret
) -> tuple[Arrays, Arrays]:
    """The first gradient by input; the second by input, and by result for its cotangent. `cotangents` are by result,
    `directions` by input."""
    once, twice = derived.once, derived.twice
    known = {**inputs, **_run(run, derived.forward, inputs)}
    seeds = {name: cotangents[result] for result, name in once.roles.cotangents.items()}
    found = _run(run, once.program, {**known, **seeds})
    first = {name: found[out] for name, out in once.roles.gradients.items()}
    if twice is None:
        return first, {name: np.zeros_like(array) for name, array in {**first, **cotangents}.items()}
    again = {c: directions[name] for name, out in once.roles.gradients.items() if (c := twice.roles.cotangents.get(out))}
    found = _run(run, twice.program, {**known, **seeds, **found, **again})
    by = {name: found[out] for name, out in twice.roles.gradients.items()}
    passed = {seed: by.get(result, np.zeros_like(cotangents[result])) for result, seed in once.roles.cotangents.items()}
    back = _run(run, once.program, {**known, **passed})
    second = {name: by.get(name, 0) + back[out] for name, out in once.roles.gradients.items()}
    return first, second | {
        result: by.get(once.roles.cotangents.get(result, ""), np.zeros_like(array)) for result, array in cotangents.items()
    }


def _run(run: Run, program: Program, known: Arrays) -> Arrays:
    return run(program, {t.name: known[t.name] for t in program.by_role("in")})
