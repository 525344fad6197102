"""Do targets agree? Two targets' results for one case beside each other: their difference, and their errors' ratio.

The ratio is the dual benchmark's (dual.py): one target's error against the golden value over the other's, the larger of the
two directions. It decides nothing, where each result is held to its contract; it shows which target is less exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from uol.conformance.accuracy.dual import dual_benchmark, has_small_value
from uol.conformance.accuracy.interval import Array, Floats
from uol.ir.program.dtype_encoding import decode
from uol.ir.types import is_float


@dataclass(frozen=True, slots=True)
class Run:
    """One result of a case on one target, as it lies in memory."""

    target: str
    result: Array


@dataclass(frozen=True, slots=True)
class Subject:
    """What two targets computed: an operator, in types, in a case."""

    op: str
    types: str
    case: str


@dataclass(frozen=True, slots=True)
class Agreement:
    """One result of an operator on two targets. `types` are the case's, `dtype` is the result's.

    ratio        the larger of both targets' largest relative errors over the smaller; 1 where the type has none
    less_exact   the target with the larger error; empty where neither has one that counts
    difference   the largest difference of two elements; infinite where one of them is not finite
    relative     that, by the largest golden value
    differing    how many elements differ
    """

    op: str
    types: str
    case: str
    dtype: str
    pair: tuple[str, str]
    discrete: bool
    ratio: float
    less_exact: str
    difference: float
    relative: float
    differing: int
    elements: int

    @property
    def said(self) -> str:
        """`"equal"`, or how far apart."""
        if self.differing == 0:
            return "equal"
        if self.discrete:
            return f"{self.differing} of {self.elements} elements differ"
        return f"{self.relative:.2g} of the largest value"


def agreements(subject: Subject, golden: Array, dtype: str, runs: Sequence[Run]) -> Iterator[Agreement]:
    """Every pair of the targets that ran a case, for one result of the type `dtype`."""
    for first, second in combinations(runs, 2):
        if first.result.shape == second.result.shape == golden.shape and golden.size:
            yield _agreement(subject, golden, dtype, first, second)


def _agreement(subject: Subject, golden: Array, dtype: str, first: Run, second: Run) -> Agreement:
    a, b = decode(first.result, dtype), decode(second.result, dtype)
    same = (a == b) | ((a != a) & (b != b))
    discrete = not is_float(dtype)
    with np.errstate(all="ignore"):
        apart = np.where(same, 0.0, np.abs(a.astype(np.float64) - b.astype(np.float64)))
    apart = np.where(np.isnan(apart), np.inf, apart)
    exact = golden.astype(np.float64)
    largest = float(np.abs(exact[np.isfinite(exact)]).max(initial=0.0))
    difference = float(apart.max())
    ratio, less_exact = (1.0, "") if discrete else _ratio(a, b, exact, dtype, (first.target, second.target))
    return Agreement(
        op=subject.op,
        types=subject.types,
        case=subject.case,
        dtype=dtype,
        pair=(first.target, second.target),
        discrete=discrete,
        ratio=ratio,
        less_exact=less_exact,
        difference=difference,
        relative=difference / largest if largest else difference,
        differing=int((~same).sum()),
        elements=int(same.size),
    )


def _ratio(a: Floats, b: Floats, golden: Floats, dtype: str, targets: tuple[str, str]) -> tuple[float, str]:
    """Over the elements where all three are finite."""
    finite = np.isfinite(a) & np.isfinite(b) & np.isfinite(golden)
    if not finite.any() or not has_small_value(dtype):
        return 1.0, ""
    values = (a[finite], b[finite])
    ratios = [dual_benchmark(*pair, golden[finite], dtype, "L0").max_ratio for pair in (values, values[::-1])]
    worst = max(ratios)
    return (worst, targets[ratios.index(worst)]) if worst > 1.0 else (1.0, "")


@dataclass(frozen=True, slots=True)
class Pair:
    """What the results of one pair of targets amount to: how many there are and are equal, the agreement with the worst ratio,
    and the one with the largest difference."""

    pair: tuple[str, str]
    results: int
    equal: int
    ratio: Agreement
    difference: Agreement

    @property
    def said(self) -> str:
        """`"equal"`, or how far apart, and the ratio of the errors."""
        ratio = f", ratio of errors {self.ratio.ratio:.2g}" if self.ratio.less_exact else ""
        return f"{self.difference.said}{ratio}"

    def __str__(self) -> str:
        apart = "" if self.equal == self.results else f"; the others up to {self.said}"
        return f"{' and '.join(self.pair)} in {self.ratio.dtype}: {self.equal:,} of {self.results:,} results equal{apart}"

    def record(self) -> dict[str, object]:
        """As plain data, for JSON."""
        ratio, difference = self.ratio, self.difference
        return {
            "op": ratio.op,
            "types": ratio.types,
            "pair": list(self.pair),
            "results": self.results,
            "equal": self.equal,
            "ratio": ratio.ratio,
            "less_exact": ratio.less_exact,
            "ratio_case": ratio.case,
            "difference": difference.difference,
            "relative": difference.relative,
            "differing": difference.differing,
            "elements": difference.elements,
            "difference_case": difference.case,
            "said": self.said,
        }


def by_type(found: Iterable[Agreement]) -> tuple[Pair, ...]:
    """One for each pair and type of results."""
    return _pairs((each.dtype, each) for each in found)


def by_operator(found: Iterable[Agreement]) -> tuple[Pair, ...]:
    """One for each pair, operator and its types."""
    return _pairs((f"{each.op} {each.types}", each) for each in found)


def _pairs(found: Iterable[tuple[str, Agreement]]) -> tuple[Pair, ...]:
    groups: dict[tuple[str, tuple[str, str]], list[Agreement]] = {}
    for key, each in found:
        groups.setdefault((key, each.pair), []).append(each)
    return tuple(
        Pair(
            pair,
            len(group),
            sum(each.differing == 0 for each in group),
            max(group, key=lambda each: each.ratio),
            max(group, key=lambda each: (each.relative, each.differing)),
        )
        for (_, pair), group in groups.items()
    )
