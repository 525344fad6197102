"""The steps of a spec as templates want them, and the expressions in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace

from uol.codegen.specs.nodes import (
    Attention,
    Contract,
    Fold,
    KernelSpec,
    Let,
    Map,
    Pack,
    Reduce,
    Scan,
    Scatter,
    Select,
    Step,
    Store,
)
from uol.codegen.specs.traverse import guard_operands, variables, walk
from uol.ir.program.nodes import Expr, Var


def steps_of(spec: KernelSpec) -> tuple[Step, ...]:
    """The steps of any kind of spec; of a Contract, its epilogue."""
    match spec:
        case Attention(steps=steps, epilogue=epilogue):
            return steps + epilogue
        case Map(steps=steps) | Pack(steps=steps) | Reduce(steps=steps) | Contract(epilogue=steps):
            return steps
        case Scan(steps=steps) | Select(steps=steps):
            return steps
        case Scatter(steps=steps, add=add):
            return (*steps, add)
    return ()


def step_expressions(step: Step) -> tuple[Expr, ...]:
    match step:
        case Let(value=value):
            return (value,)
        case Fold(value=value, where=where):
            return (value, *where)
        case Store(offset=offset, value=value):
            return (offset, value)


def expressions(spec: KernelSpec) -> Iterator[Expr]:
    """Every expression of a spec: values, conditions and store offsets."""
    if isinstance(spec, Contract):
        yield from operands(spec)
    if isinstance(spec, Attention):
        for dot in spec.dots:
            yield from (dot.a, dot.b)
        yield from (s.value for s in spec.sums)
    if isinstance(spec, Select):
        yield spec.key
    if isinstance(spec, Scatter):
        yield from (*spec.place, *guard_operands(spec.guard))
    for step in steps_of(spec):
        yield from step_expressions(step)


def operands(spec: Contract) -> tuple[Expr, ...]:
    """What is read before the epilogue: both operands, and the key of segments."""
    return (spec.a, spec.b) if spec.segments is None else (spec.a, spec.b, spec.segments.key)


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


def with_steps(spec: KernelSpec, steps: tuple[Step, ...]) -> KernelSpec:
    """The spec with other steps."""
    match spec:
        case Map() | Pack() | Reduce():
            return replace(spec, steps=steps)
        case Contract():
            return replace(spec, epilogue=steps)
    return spec
