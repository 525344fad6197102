"""Suites: the rows of the data files of this folder, `cpu.toml` and its like.

A file is a table of families, and a family a list of groups:

    [[softmax]]                                  # operators at workloads, spelt as in ops/cases
    ops = ["softmax", "log_softmax"]
    wrt = ["x"]                                  # the rest as in `OperatorRow`
    cases = [{ S = [4096], C = 1024 }]

    [[optimisers]]
    steps = ["sgd_momentum"]                     # as in `OptimiserRow`
    ways = ["fused", "loop"]
    tensors = [{}, { count = 1000, shape = [64, 64] }]

    [[networks]]
    channels_last = [false, true]                # as in `NetworkRow`

    [[models]]
    models = ["resnet50"]                        # as in `ModelRow`
    uses = ["inference"]
    batches = [1, 8]

    [[paths]]
    paths = ["moe"]                              # as in `PathRow`
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from uol.binding.argument_checks import nearest
from uol.conformance.bench.model_row import ModelRow
from uol.conformance.bench.network_row import NetworkRow
from uol.conformance.bench.operator_row import OperatorRow
from uol.conformance.bench.optimiser_row import OptimiserRow
from uol.conformance.bench.path_row import PathRow
from uol.conformance.bench.rows import Row
from uol.ir.errors import UolError
from uol.ops.workloads import read_cases


@dataclass(frozen=True, slots=True)
class Suite:
    """Rows by family, in the order of the file; in one family no two have the same name."""

    name: str
    families: Mapping[str, tuple[Row, ...]]

    def select(self, families: tuple[str, ...] = (), rows: tuple[str, ...] = (), *, quick: bool = False) -> Suite:
        """Some families (all where none is named), and of those the rows whose name begins with one of `rows`. Raises UolError
        for a family that there is not, and where no row is left."""
        for family in families:
            if family not in self.families:
                hint = nearest(family, self.families) or f"the families are {', '.join(self.families)}"
                raise UolError(f"suite {self.name} has no family {family!r}", hint=hint)
        found: dict[str, tuple[Row, ...]] = {}
        for name in dict.fromkeys(families) or self.families:
            chosen = [r for r in self.families[name] if not rows or r.name.startswith(rows)]
            if chosen:
                found[name] = _distinct(r.quick() if quick else r for r in chosen)
        if not found:
            raise UolError(f"no row begins with {' or '.join(rows)}", hint="`uol bench --list` shows the rows")
        return Suite(self.name, found)


def suite_names() -> list[str]:
    """The suites that there are."""
    names = (path.name for path in files("uol.conformance.bench").iterdir())
    return sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml"))


def load_suite(name: str) -> Suite:
    """Raises UolError where there is none of that name."""
    if name not in suite_names():
        raise UolError(f"unknown suite {name!r}", hint=f"the suites are {', '.join(suite_names())}")
    text = files("uol.conformance.bench").joinpath(f"{name}.toml").read_text(encoding="utf-8")
    groups: Mapping[str, list[Mapping[str, Any]]] = tomllib.loads(text)
    return Suite(name, {family: _distinct(row for group in each for row in _rows(group)) for family, each in groups.items()})


def _rows(group: Mapping[str, Any]) -> Iterator[Row]:
    if "steps" in group:
        for tensors in group["tensors"]:
            shape = tuple(tensors["shape"]) if tensors else None
            yield from (OptimiserRow(s, w, tensors.get("count", 1), shape) for s in group["steps"] for w in group["ways"])
    elif "models" in group:
        yield from (ModelRow(m, use, batch) for m in group["models"] for use in group["uses"] for batch in group["batches"])
    elif "paths" in group:
        yield from map(PathRow, group["paths"])
    elif "channels_last" in group:
        yield from map(NetworkRow, group["channels_last"])
    else:
        chosen = {key: value for key, value in group.items() if key in ("dtype", "below", "frozen")}
        for op in group["ops"]:
            for workload in read_cases(op, group).workloads:
                yield OperatorRow(workload, wrt=tuple(group.get("wrt", ())), **chosen)


def _distinct(rows: Iterator[Row]) -> tuple[Row, ...]:
    return tuple({row.name: row for row in rows}.values())
