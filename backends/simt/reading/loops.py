"""Loops of an emitted text: how many turns they have, what they set, and whether their turns are alike in what is counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np

from uol.backends.simt.reading.counts import Ints
from uol.backends.simt.reading.lanes import Value, range_of
from uol.backends.simt.reading.syntax import Branch, Element, Loop, Name, Node, Operation, Simple, Statement, walk
from uol.ir.integers.intervals import Interval


def trips(loop: Loop, value: Callable[[Node], Value], values: Mapping[str, Value]) -> Ints | Interval:
    """The turns of `for (v = first; v < bound; v += step)` by lanes; where data decides, at least and at most. A `while`, and a
    loop whose step is what its body found, go on by one at least."""
    compared = loop.condition
    if isinstance(compared, Operation) and compared.fn == "&&":
        compared = compared.args[0]
    assert isinstance(compared, Operation) and compared.fn == "<"
    counter, limit = compared.args
    bound = value(limit)
    if loop.step is None:
        (variable,) = (n.name for n in walk(counter) if isinstance(n, Name))
        return Interval(1, max(1, _length(range_of(values[variable]), range_of(bound)).high or 1))
    first, step = values[loop.variable], _step(loop.step, value)
    if step is None or isinstance(first, Interval) or isinstance(bound, Interval):
        length = _length(range_of(first), range_of(bound))
        if step is None:
            return Interval(min(1, length.high or 0), length.high)
        return Interval(-(-(length.low or 0) // step), None if length.high is None else -(-length.high // step))
    return np.asarray(np.maximum(-((first - bound) // step), 0))


def _step(step: Simple, value: Callable[[Node], Value]) -> int | None:
    """By how much a counter goes on; None where the body finds it."""
    if step.update == "=" or step.value is None:
        return None
    found = value(step.value)
    return None if isinstance(found, Interval) else int(found.flat[0])


def _length(first: Interval, bound: Interval) -> Interval:
    low = None if bound.low is None or first.high is None else max(bound.low - first.high, 0)
    high = None if bound.high is None or first.low is None else max(bound.high - first.low, 0)
    return Interval(low if low is not None else 0, high)


def set_in(loop: Loop) -> frozenset[str]:
    """The names that a loop gives values to, in its header and its body."""
    steps = (*loop.init, *(() if loop.step is None else (loop.step,)), *_steps(loop.body))
    counted = (n for c in _conditions((loop,)) for n in walk(c) if isinstance(n, Operation) and n.fn == "++")
    named = {n.name for o in counted for n in walk(o) if isinstance(n, Name)}
    return frozenset(named | {s.target.name for s in steps if isinstance(s.target, Name)})


def differing(loop: Loop) -> frozenset[str]:
    """The names whose values depend on the turn, by way of others, too."""
    found = {loop.variable}
    steps = list(_steps(loop.body))
    while True:
        more = {_target(s) for s in steps if s.value is not None and _names(s.value) & found} - found
        if not more:
            return frozenset(found)
        found |= more


def has_like_turns(loop: Loop, tensors: frozenset[str]) -> bool:
    """Does the turn matter neither for where global memory is accessed nor for what is done at all?"""
    names = differing(loop)
    decides = (*_conditions(loop.body), *(index for index in _indices(loop.body, tensors)))
    return not any(_names(node) & names for node in decides)


def _target(step: Simple) -> str:
    return step.target.name if isinstance(step.target, Name) else step.target.array if step.target is not None else ""


def _names(node: Node) -> frozenset[str]:
    found = (n.name if isinstance(n, Name) else n.array for n in walk(node) if isinstance(n, Name | Element))
    return frozenset(found)


def _steps(body: Iterable[Statement]) -> Iterator[Simple]:
    for statement in body:
        match statement:
            case Simple():
                yield statement
            case Loop(init=init, step=step, body=inner):
                yield from (*init, *(() if step is None else (step,)), *_steps(inner))
            case Branch(body=inner):
                yield from _steps(inner)


def _conditions(body: Iterable[Statement]) -> Iterator[Node]:
    """What decides which statements are carried out, and which part of an expression."""
    for statement in body:
        match statement:
            case Simple(value=value) if value is not None:
                yield from (n.args[0] for n in walk(value) if isinstance(n, Operation) and n.fn in ("?:", "&&", "||"))
            case Loop(init=init, condition=condition, body=inner):
                yield from (s.value for s in init if s.value is not None)
                yield condition
                yield from _conditions(inner)
            case Branch(condition=condition, body=inner):
                yield condition
                yield from _conditions(inner)


def _indices(body: Iterable[Statement], tensors: frozenset[str]) -> Iterator[Node]:
    """Where global memory is accessed."""
    for step in _steps(body):
        for part in (step.target, step.value):
            for node in () if part is None else walk(part):
                if isinstance(node, Element) and node.array in tensors:
                    yield from node.index
                if isinstance(node, Operation) and node.fn == "lower_bound":
                    yield node
