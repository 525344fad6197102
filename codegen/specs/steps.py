"""The steps of a spec as renderers want them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from uol.codegen.specs.nodes import Let, Step, Store
from uol.codegen.specs.traverse import step_expressions
from uol.ir.program.nodes import Var
from uol.ir.program.walk import variables, walk


def used_variables(steps: Iterable[Step]) -> frozenset[str]:
    """Names that occur in the steps' expressions."""
    return frozenset(name for step in steps for expr in step_expressions(step) for name in variables(expr))


def stored_directly(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """A value that is only stored needs no variable: `const float v = e; y[i] = v;` becomes `y[i] = e;`."""
    uses = Counter(e.name for s in steps for root in step_expressions(s) for e in walk(root) if isinstance(e, Var))
    values = {(s.name, s.axes): s.value for s in steps if isinstance(s, Let) and uses[s.name] == 1}
    out: list[Step] = []
    dropped: set[str] = set()
    for step in steps:
        match step:
            case Store(value=Var(name=name), axes=axes) if (name, axes) in values:
                out.append(replace(step, value=values[name, axes]))
                dropped.add(name)
            case _:
                out.append(step)
    return tuple(s for s in out if not (isinstance(s, Let) and s.name in dropped))


def split_lets(steps: tuple[Step, ...], varying: set[str]) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
    """The lets that depend on none of the varying axes, and all other steps."""
    hoisted: list[Step] = []
    rest: list[Step] = []
    late = set(varying)
    for step in steps:
        if isinstance(step, Let) and not (set(step.axes) | variables(step.value)) & late:
            hoisted.append(step)
            continue
        rest.append(step)
        if isinstance(step, Let):
            late.add(step.name)
    return tuple(hoisted), tuple(rest)
