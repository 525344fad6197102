"""What a fold of intervals goes over: all terms of a row, or those up to each place of it (from it on), as a scan does.

The golden value of `y[i] = sum[j <= i](x[j])` by its definition is quadratic; of a long row it is made by one addition a place.
That a text is a scan is found here anew, apart from `uol.codegen.program.scans`, which these values are there to judge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import reduce
from itertools import accumulate
from operator import itemgetter
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from uol.conformance.accuracy.index_space import Frame
from uol.conformance.accuracy.interval import Array, Enclosure, point
from uol.ir.program.nodes import Call, Reduce, Var
from uol.ir.program.walk import variables

_SMALL = 1 << 21
"""Below so many pairs of places, running folds are made by their definition."""
_FOLDED = ("sum", "prod", "max", "min", "any", "all")
_RELATIONS = ("<=", "<", ">=", ">")


class Over(Protocol):
    """Which terms of a row, its last dimension, go into a fold."""

    def count(self, terms: Array) -> Array:
        """How many do."""

    def fold(self, function: np.ufunc, terms: Array, identity: float | bool) -> Array:
        """The fold of them."""

    def fold_enclosures(self, function: Callable[[Enclosure, Enclosure], Enclosure], terms: Enclosure, one: float) -> Enclosure:
        """The fold of intervals, from the interval that has no length at `one`."""


class Whole:
    """All of them."""

    def count(self, terms: Array) -> Array:
        return np.asarray(terms.shape[-1])

    def fold(self, function: np.ufunc, terms: Array, identity: float | bool) -> Array:
        return np.asarray(function.reduce(terms, axis=-1, initial=identity))

    def fold_enclosures(self, function: Callable[[Enclosure, Enclosure], Enclosure], terms: Enclosure, one: float) -> Enclosure:
        return reduce(function, _columns(terms), _constant(terms, one))


@dataclass(frozen=True, slots=True)
class Prefixes:
    """For each of `counts`, so many from the first; from the last with `reverse`. Results have one more dimension, the last."""

    counts: NDArray[np.int64]
    reverse: bool

    def count(self, terms: Array) -> Array:
        del terms
        return self.counts

    def fold(self, function: np.ufunc, terms: Array, identity: float | bool) -> Array:
        folded = function.accumulate(self._in_order(terms), axis=-1)
        none = np.full((*terms.shape[:-1], 1), identity, folded.dtype)
        return np.concatenate((none, folded), axis=-1)[..., self.counts]

    def fold_enclosures(self, function: Callable[[Enclosure, Enclosure], Enclosure], terms: Enclosure, one: float) -> Enclosure:
        partial = list(accumulate(_columns(terms.map(self._in_order)), function, initial=_constant(terms, one)))
        sides = ("value", "low", "high")
        return Enclosure(*(np.stack([getattr(each, side) for each in partial], -1)[..., self.counts] for side in sides))

    def _in_order(self, terms: Array) -> Array:
        return np.flip(terms, axis=-1) if self.reverse else terms


WHOLE = Whole()


def _columns(terms: Enclosure) -> Iterator[Enclosure]:
    for number in range(terms.value.shape[-1]):
        yield terms.map(itemgetter((..., number)))


def _constant(terms: Enclosure, value: float) -> Enclosure:
    return point(np.full(terms.value.shape[:-1], value))


@dataclass(frozen=True, slots=True)
class Running:
    """A reduction that is a running fold along one axis of its frame: over the prefixes, for the other axes, of `of`, which
    does not see that axis."""

    along: str
    of: Reduce
    prefixes: Prefixes


def split_running(expr: Reduce, frame: Frame) -> Running | None:
    """The reduction as a running fold, or None where it is not one, or a short one."""
    inner = Frame.of(expr.axes)
    names = [r.name for r in (frame + inner).ranges]
    if expr.op not in _FOLDED or len(expr.axes) != 1 or inner.size * frame.size < _SMALL or len(set(names)) < len(names):
        return None
    (axis,) = inner.ranges
    for bound in expr.where:
        match bound:
            case Call(fn=relation, args=(Var(name=left), Var(name=along))) if left == axis.name and relation in _RELATIONS:
                of = replace(expr, where=tuple(c for c in expr.where if c is not bound))
                if along in names and along != left and not _sees(of, along):
                    return Running(along, of, _prefixes(relation, frame, along, axis.size))
    return None


def _sees(expr: Reduce, name: str) -> bool:
    return any(name in variables(each) for each in (expr.body, *expr.where))


def _prefixes(relation: str, frame: Frame, along: str, length: int) -> Prefixes:
    at = next(r for r in frame.ranges if r.name == along)
    places = np.arange(at.start, at.stop, dtype=np.int64)
    counts = {"<=": places + 1, "<": places, ">=": length - places, ">": length - places - 1}[relation]
    return Prefixes(np.clip(counts, 0, length), relation.startswith(">"))
