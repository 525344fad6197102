"""One random text, tried: its derived gradients against the oracle's."""

from __future__ import annotations

import re
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from uol.conformance.autograd.oracle import Gradients, gradients
from uol.conformance.gradients.derived import Arrays, derivatives, first_and_second
from uol.conformance.gradients.shrinking import shrunk
from uol.conformance.random_texts.texts import RandomText, random_texts
from uol.ir import Library, Op, Program, UolError, check, instantiate, interpret, parse
from uol.ir.checker.instantiation import dim_names
from uol.ir.syntax.surface import Name
from uol.ir.types import is_float

State = Literal["right", "wrong", "refused", "no text", "not finite"]
"""`no text`: the text itself breaks a rule of the language, which random ones may; `not finite`: the oracle has an infinity
or NaN, where two right formulas may differ."""

TOLERANCE = 1e-9
"""Relative to the largest value of a tensor. Both sides compute in float64, by formulas that differ."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """`reason` is the first difference, or the message of what was refused; `order` of the derivative that it is about, 0 for
    the operator itself."""

    state: State
    reason: str = ""
    order: int = 0


@dataclass(frozen=True, slots=True)
class Trial:
    """A random text and what came of it. Equal numbers give equal trials."""

    text: RandomText
    outcome: Outcome


def trial(number: int) -> Trial:
    """The first text of that number that passes the checker and has finite gradients, tried."""
    for text in random_texts(number):
        outcome = tried(text.text, text.dims, text.inputs, number)
        if outcome.state not in ("no text", "not finite"):
            return Trial(text, outcome)
    raise AssertionError("there is no end to random texts")


def tried(text: str, dims: Mapping[str, int], inputs: Arrays, seed: int = 0) -> Outcome:
    """The last operator of a text, in float64, on inputs; cotangents are drawn."""
    try:
        ops = parse(text)
        op, library = ops[-1], Library(ops)
        check(op, library)
        forward = _instance(op, library, dims, folds=False)
    except UolError as error:
        return Outcome("no text", error.message)
    try:
        return _compared(op, library, dims, forward, inputs, seed)
    except UolError as error:
        return Outcome("refused", f"{type(error).__name__}: {error.message}")
    except Exception:
        return Outcome("wrong", traceback.format_exc())


def smallest(found: Trial) -> Trial:
    """The smallest text of which the same can be said: a difference, a crash, or a refusal in the same words."""

    def shows(text: str, dims: Mapping[str, int]) -> bool:
        return _kind(_again(text, dims, found)) == _kind(found.outcome)

    small = shrunk(found.text.text, found.text.dims, shows)
    text = RandomText(found.text.number, small.text, small.dims, _cut(small.text, small.dims, found.text))
    return Trial(text, _again(small.text, small.dims, found))


def _again(text: str, dims: Mapping[str, int], found: Trial) -> Outcome:
    return tried(text, dims, _cut(text, dims, found.text), found.text.number)


def _cut(text: str, dims: Mapping[str, int], whole: RandomText) -> Arrays:
    """The inputs at sizes that are no larger."""
    params = parse(text)[-1].params
    sizes = {p.name: tuple(slice(dims[d.id]) for d in p.dims if isinstance(d, Name)) for p in params}
    return {name: whole.inputs[name][cut] for name, cut in sizes.items()}


def _kind(outcome: Outcome) -> tuple[str, ...]:
    if outcome.state == "wrong":
        return "wrong", "crash" if outcome.reason.startswith("Traceback") else "value"
    return outcome.state, general(outcome.reason)


def general(message: str) -> str:
    """A message without the names and numbers of its text, by which refusals are counted."""
    return re.sub(r"\d+", "0", re.sub(r"`[^`]*`", "`_`", message))


def instance_of(text: str, dims: Mapping[str, int]) -> Program:
    """The last operator of a text at sizes, in float64, as it is written."""
    ops = parse(text)
    return _instance(ops[-1], Library(ops), dims, folds=False)


def _instance(op: Op, library: Library, dims: Mapping[str, int], *, folds: bool = True) -> Program:
    types = {t.variable: "f64" for t in op.domain}
    return instantiate(op, library, types=types, dims={d: dims[d] for d in dim_names(op)}, folds=folds)


def _compared(op: Op, library: Library, dims: Mapping[str, int], forward: Program, inputs: Arrays, seed: int) -> Outcome:
    given = {t.name: inputs[t.name] for t in forward.by_role("in")}
    results = interpret(forward, given)
    cotangents, directions = drawn(forward, results, given, seed)
    owed = gradients(forward, given, cotangents, directions)
    if not owed.is_finite:
        return Outcome("not finite")
    derived = derivatives(op, library, lambda each: _instance(each, library, dims))
    try:
        found = Gradients(results, *first_and_second(derived, given, cotangents, directions))
    except UolError as error:  # the checker has passed it: what a gradient says of its data does not hold
        return Outcome("wrong", f"{type(error).__name__}: {error.message}", 1)
    return judged(found, owed)


def drawn(forward: Program, results: Arrays, inputs: Arrays, seed: int) -> tuple[Arrays, Arrays]:
    """Cotangents by result, and directions of the second derivative by input, for what is a float."""
    rng = np.random.default_rng(seed)
    outs, ins = ([t.name for t in forward.by_role(role) if is_float(t.dtype)] for role in ("out", "in"))
    cotangents = {name: rng.standard_normal(results[name].shape) for name in outs}
    return cotangents, {name: rng.standard_normal(inputs[name].shape) for name in ins}


def judged(found: Gradients, owed: Gradients, tolerance: float = TOLERANCE) -> Outcome:
    """Right, or wrong at the first difference: in the results, the gradient, the second gradient."""
    pairs = ((found.results, owed.results), (found.first, owed.first), (found.second, owed.second))
    for order, (actual, expected) in enumerate(pairs):
        reason = difference(actual, expected, tolerance)
        if reason:
            return Outcome("wrong", reason, order)
    return Outcome("right")


def difference(found: Arrays, expected: Arrays, tolerance: float = TOLERANCE) -> str:
    """The first difference, as text; empty where there is none. A NaN is a difference."""
    for name, owed in expected.items():
        value = np.asarray(found[name])
        if value.shape != owed.shape:
            return f"{name} has the shape {value.shape}, not {owed.shape}"
        admitted = tolerance * max(1.0, float(np.max(np.abs(owed), initial=0.0)))
        wrong = ~(np.abs(value - owed) <= admitted)
        if wrong.any():
            place = tuple(int(i) for i in np.argwhere(wrong)[0])
            return f"{name}{list(place)} is {value[place]}, autograd gives {owed[place]}"
    return ""
