"""Loops of an emitted text: how many turns they have, what they set, and what decides in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

import numpy as np

from uol.backends.simt.reading.counts import Ints
from uol.backends.simt.reading.lanes import Value, range_of
from uol.backends.simt.reading.lookups import ZERO, Looked
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
    if step is None or not isinstance(first, np.ndarray) or not isinstance(bound, np.ndarray):
        length = _length(range_of(first), range_of(bound))
        if step is None:
            return Interval(min(1, length.low or 0), length.high)
        return Interval(-(-(length.low or 0) // step), None if length.high is None else -(-length.high // step))
    return np.asarray(np.maximum(-((first - bound) // step), 0))


def counters_of(loop: Loop, value: Callable[[Node], Value], values: Mapping[str, Value]) -> dict[str, Value]:
    """In a turn of which nothing is known but that it is the same for all lanes: what the header counts by is somewhere behind
    its first value; where nothing else sets it, and the step is one for all, it is as far behind for all."""
    found: dict[str, Value] = {}
    for step in loop.init:
        assert isinstance(step.target, Name)
        name = step.target.name
        found[name] = Interval(range_of(values[name]).low, None)
        if name == loop.variable and _goes_on_alike(loop, value):
            first = values[name]
            looked = Looked("", ZERO, 1, first, Interval(0, 0)) if isinstance(first, np.ndarray) else first
            found[name] = looked.after_turns(f"turn at {loop.start}") if isinstance(looked, Looked) else found[name]
    return found


def _goes_on_alike(loop: Loop, value: Callable[[Node], Value]) -> bool:
    if loop.step is None or loop.step.update != "+=" or loop.step.value is None:
        return False
    step = value(loop.step.value)
    is_set_within = loop.variable in set_in(replace(loop, init=(), step=None))
    return isinstance(step, np.ndarray) and bool((step == step.flat[0]).all()) and not is_set_within


def _step(step: Simple, value: Callable[[Node], Value]) -> int | None:
    """By how much a counter goes on; None where the body finds it."""
    if step.update == "=" or step.value is None:
        return None
    found = value(step.value)
    return int(found.flat[0]) if isinstance(found, np.ndarray) else None


def _length(first: Interval, bound: Interval) -> Interval:
    low = None if bound.low is None or first.high is None else max(bound.low - first.high, 0)
    high = None if bound.high is None or first.low is None else max(bound.high - first.low, 0)
    return Interval(low if low is not None else 0, high)


def set_in(loop: Loop) -> frozenset[str]:
    """The names that a loop gives values to, in its header and its body."""
    steps = (*loop.init, *(() if loop.step is None else (loop.step,)), *steps_in(loop.body))
    counted = (n for c in conditions_in((loop,)) for n in walk(c) if isinstance(n, Operation) and n.fn == "++")
    named = {n.name for o in counted for n in walk(o) if isinstance(n, Name)}
    return frozenset(named | {s.target.name for s in steps if isinstance(s.target, Name)})


def arrays_in(loop: Loop) -> frozenset[str]:
    """The arrays that a loop writes."""
    return frozenset(s.target.array for s in steps_in(loop.body) if isinstance(s.target, Element))


def steps_in(body: Iterable[Statement]) -> Iterator[Simple]:
    """The statements of a body, those of the headers of its loops too."""
    for statement in body:
        match statement:
            case Simple():
                yield statement
            case Loop(init=init, step=step, body=inner):
                yield from (*init, *(() if step is None else (step,)), *steps_in(inner))
            case Branch(body=inner):
                yield from steps_in(inner)


def conditions_in(body: Iterable[Statement]) -> Iterator[Node]:
    """What decides which statements are carried out, and which part of an expression."""
    for statement in body:
        match statement:
            case Simple(value=value) if value is not None:
                yield from (n.args[0] for n in walk(value) if isinstance(n, Operation) and n.fn in ("?:", "&&", "||"))
            case Loop(condition=condition, body=inner):
                yield condition
                yield from conditions_in(inner)
            case Branch(condition=condition, body=inner):
                yield condition
                yield from conditions_in(inner)
