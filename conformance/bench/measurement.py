"""A row's times beside PyTorch's, and what many rows come to."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from uol.backends.cpu.host import core_count
from uol.conformance.bench import machine_load
from uol.conformance.bench.machine_load import Disturbance, Reading
from uol.conformance.bench.rows import Contenders, Pass, Row
from uol.conformance.bench.suite import Suite
from uol.conformance.bench.turns import Turns, alternate
from uol.ir.errors import UolError

if TYPE_CHECKING:
    import torch

FULL = Turns()
QUICK = Turns(count=2, seconds=0.0, calls=2)
TOLERANCE = {1: 0.0, 2: 2e-2, 4: 1e-3, 8: 1e-3}
"""What the two may differ by, of the largest element of a result, by the bytes of an element. Enough to see that both
computed the same; how exact a kernel is, `uol conform` says."""


@dataclass(frozen=True, slots=True)
class Key:
    """One pass of one row: what a record knows it by."""

    family: str
    row: str
    passed: Pass

    def __str__(self) -> str:
        return f"{self.row}, {self.passed}"


@dataclass(frozen=True, slots=True)
class Timing:
    """Medians over the turns, in ms; PyTorch's time / ours of each pair of turns: their median, and their quartiles. Above 1
    is faster than PyTorch. `disturbance` is what others did meanwhile, where that was asked for."""

    uol_ms: float
    pytorch_ms: float
    ratio: float
    low: float
    high: float
    disturbance: Disturbance = Disturbance()

    @property
    def is_judged(self) -> bool:
        """Was the machine quiet enough?"""
        return not self.disturbance.reasons

    @staticmethod
    def of(
        uol: Sequence[Sequence[float]],
        pytorch: Sequence[Sequence[float]],
        before: Reading | None = None,
        after: Reading | None = None,
    ) -> Timing:
        """From the times of the calls, turn by turn, and what the machine read before and after them.

        >>> timing = Timing.of([[2.0, 2.0], [4.0]], [[1.0, 1.0], [4.0]])
        >>> timing.uol_ms, timing.pytorch_ms, timing.ratio, timing.low, timing.high
        (3.0, 2.5, 0.75, 0.625, 0.875)
        """
        ours, theirs = ([statistics.median(turn) for turn in turns] for turns in (uol, pytorch))
        ratios = [b / a for a, b in zip(ours, theirs, strict=True)]
        low, ratio, high = statistics.quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else ratios * 3
        disturbance = Disturbance.between(before, after, ours, theirs)
        return Timing(statistics.median(ours), statistics.median(theirs), ratio, low, high, disturbance)


Outcome = Timing | str
"""The times of a pass, or why there are none."""


def keys(suite: Suite) -> list[tuple[Key, Row]]:
    """All passes of all rows."""
    rows = [(family, row) for family, each in suite.families.items() for row in each]
    return [(Key(family, row.name, passed), row) for family, row in rows for passed in row.passes]


def measure(key: Key, row: Row, turns: Turns, *, compiled: bool = False) -> Outcome:
    """One pass, after both sides have been seen to compute the same. `compiled`: PyTorch's by torch.compile, not eager."""
    try:
        contenders = row.contenders(key.passed)
        if compiled:
            contenders = contenders.beside_compiled()
        _require_equal(contenders)
        before = machine_load.read_machine()
        found = alternate({"uol": contenders.uol, "PyTorch": contenders.pytorch}, turns)
        after = machine_load.read_machine()
    except UolError as error:
        return error.message
    except RuntimeError as error:  # PyTorch's, for what it has no kernel or no memory for
        first_line, _, _ = str(error).partition("\n")
        return f"{type(error).__name__}: {first_line}"
    return Timing.of(found["uol"], found["PyTorch"], before, after)


def _require_equal(contenders: Contenders) -> None:
    """Raises UolError where the two do not compute the same."""
    found, expected = contenders.uol(), contenders.pytorch()
    if len(found) < len(expected):
        raise UolError(f"{len(found)} results, PyTorch gives {len(expected)}")
    for number, (ours, theirs) in enumerate(zip(found, expected, strict=False)):  # ours may go on (rows.Contenders)
        if ours.shape != theirs.shape:
            raise UolError(f"result {number} is of shape {list(ours.shape)}, PyTorch's of {list(theirs.shape)}")
        off = _difference(ours, theirs)
        if not off <= TOLERANCE[theirs.element_size()] * theirs.is_floating_point():
            raise UolError(f"result {number} is not PyTorch's: they differ by {off:.2g} of the largest element")


def _difference(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    a, b = ours.detach().double(), theirs.detach().double()
    if not b.numel():
        return 0.0
    return float((a - b).abs().max() / b.abs().max().clamp(min=1e-30))


@contextmanager
def same_threads(turns: Turns) -> Iterator[Turns]:
    """PyTorch on as many threads as our kernels run on (UOL_NUM_THREADS, or all cores). Of one thread, CPU time is measured,
    which a busy machine disturbs least."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(core_count())
    try:
        with torch.no_grad():
            yield replace(turns, clock=time.process_time) if core_count() == 1 else turns
    finally:
        torch.set_num_threads(before)


def geometric_means(timings: Mapping[Key, Timing]) -> dict[str, float]:
    """Of the ratios, by family, and "all".

    >>> rows = {Key("maps", "relu", "forward"): 4.0, Key("scans", "cumsum", "forward"): 1.0}
    >>> geometric_means({key: Timing(1.0, ratio, ratio, ratio, ratio) for key, ratio in rows.items()})
    {'maps': 4.0, 'scans': 1.0, 'all': 2.0}
    """
    families = dict.fromkeys(key.family for key in timings)
    means = {family: geometric_mean(t.ratio for k, t in timings.items() if k.family == family) for family in families}
    return {**means, "all": geometric_mean(t.ratio for t in timings.values())} if timings else {}


def geometric_mean(ratios: Iterable[float]) -> float:
    """exp(mean of log)."""
    return math.exp(statistics.fmean(map(math.log, ratios)))
