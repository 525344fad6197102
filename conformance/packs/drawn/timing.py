"""The cases that are timed at real sizes, read from `timing.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from uol.conformance.cases.verdict import Case
from uol.conformance.gap.routing import Routing
from uol.ir.errors import UolError
from uol.ops.workloads import Workload, read_cases


def timed_operators() -> tuple[str, ...]:
    """The operators that have timing cases."""
    return tuple(_table())


def timing_cases(op: str, target: str, dtypes: Sequence[str], seed: int) -> Iterator[tuple[Case, Routing]]:
    """The timing cases of an operator, in each type. Raises UolError where it has none."""
    if op not in _table():
        hint = f"those that have are {', '.join(timed_operators())}; of any other give sizes: --dims"
        raise UolError(f"{op} has no timing cases", hint=hint)
    group = _table()[op]
    for dtype in dtypes:
        for workload in read_cases(op, group).workloads:
            for routing in group.get("routing", ["balanced"]):
                yield drawn_case(op, target, dtype, workload, seed), routing


def drawn_case(op: str, target: str, dtype: str, workload: Workload, seed: int) -> Case:
    """A case on inputs that are drawn."""
    return Case(op, target, dtype, workload, "wide", seed=seed)


@cache
def _table() -> Mapping[str, Mapping[str, Any]]:
    return tomllib.loads(files("uol.conformance.packs").joinpath("drawn", "timing.toml").read_text(encoding="utf-8"))
