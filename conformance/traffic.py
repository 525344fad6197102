"""What the kernels of memory-bound operators move, beside what they must: `python -m uol.conformance.traffic`.

    python -m uol.conformance.traffic [--target TARGETS] [--dtype f32,f16] [--op softmax,relu] [--families rows,maps]

For every row of traffic.toml and traffic_library.toml, an operator at a size at which memory decides, or its gradient: the
bytes that the operator must move, by its text, or by its kernels where these ask for fewer (of an order by its kernels, pass
by pass); the bytes that its kernels move by sectors, read from their texts (what the caches are asked for: what they hold is
not taken off); and how much of what threads ask for they ask for by 16 bytes at once, apart from single elements for a warp.
Exit status 1 where more than 1.15 times as much is moved, or less than 95 % by 16 bytes, and there is no reason for it; 2 for
bad input. *modelled*: nothing runs.
"""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uol.backends import registry
from uol.codegen.specs.nodes import Select
from uol.codegen.work import Issued
from uol.conformance.cases.case_matrix import types_of
from uol.conformance.cases.counted import issued_of
from uol.conformance.cases.selection import differentiable
from uol.conformance.cases.twin_check import compiled_of
from uol.conformance.cases.verdict import Case
from uol.conformance.command import run_command
from uol.conformance.growth import must_of, specs_of
from uol.ir.errors import UolError
from uol.ops.workloads import Workload

ROWS, LIBRARY = (Path(__file__).with_name(name) for name in ("traffic.toml", "traffic_library.toml"))
TARGETS = [t for t in registry.names() if registry.get(t).capability.max_threads > 1]
"""Machines whose threads ask for memory."""
MOST, LEAST = 1.15, 0.95
WHOLE = 16
"""Bytes of the largest access of a thread."""


@dataclass(frozen=True, slots=True)
class Row:
    """An operator at a size. `reason`: why it moves more than it must, or asks for less than 16 bytes at once."""

    family: str
    workload: Workload
    reason: str


@dataclass(frozen=True, slots=True)
class Traffic:
    """Of an operator on a target: kernels, bytes that must be moved and that are, the part that is asked for by 16 bytes."""

    row: Row
    target: str
    dtype: str
    kernels: int
    must: int
    moved: int
    whole: float

    @property
    def is_lean(self) -> bool:
        return self.moved <= MOST * self.must and self.whole >= LEAST

    def __str__(self) -> str:
        what = f"{self.row.family:9} {self.row.workload!s:44} {self.target:10} {self.dtype:4} {self.kernels:2}"
        verdict = "" if self.is_lean else f"  {self.row.reason or 'NO REASON'}"
        return f"{what} {self.must / 2**20:8.1f} {self.moved / self.must:6.2f} {self.whole:5.0%}{verdict}"


def rows() -> tuple[Row, ...]:
    """What traffic.toml has."""
    found: list[Row] = []
    for family, entries in tomllib.loads(ROWS.read_text()).items():
        for entry in entries:
            found.append(Row(family, _workload(entry["op"], entry), entry.get("reason", "")))
    return tuple(found)


def library_rows() -> tuple[Row, ...]:
    """What traffic_library.toml has: operators, and the gradients of those that have one and are no optimisers."""
    given = tomllib.loads(LIBRARY.read_text())
    found: list[Row] = []
    for family, entries in given["library"].items():
        for entry in entries:
            ops = entry["ops"] if family == "optimisers" else [*entry["ops"], *differentiable(entry["ops"])]
            found += [Row(family, _workload(op, entry), given["reasons"].get(op, "")) for op in ops]
    return tuple(found)


def _workload(op: str, entry: Mapping[str, Any]) -> Workload:
    dims = {name: tuple(size) if isinstance(size, list) else size for name, size in entry["dims"].items()}
    return Workload(op, dims, entry.get("attrs", {}))


def traffic_of(row: Row, target: str, dtype: str) -> Traffic:
    """What the kernels of a row move on a target."""
    compiled, program = compiled_of(Case(row.workload.op, target, dtype, row.workload))
    issued = issued_of(compiled.module)
    by_text = sum(each.memory_bytes for each in must_of(specs_of(program, compiled.request.layouts)))
    by_kernels = sum(each.memory_bytes for each in issued)
    is_order = any(isinstance(kernel.spec, Select) for kernel in compiled.module.kernels)
    must = by_kernels if is_order else min(by_text, by_kernels)
    return Traffic(row, target, dtype, len(issued), must, sum(map(moved_bytes, issued)), _whole(issued))


def moved_bytes(issued: Issued) -> int:
    """By sectors, at most; where no bound is known, what is known to be moved."""
    return sum((each.high if each.high is not None else each.low) or 0 for each in (issued.read_bytes, issued.written_bytes))


def _whole(issued: Iterable[Issued]) -> float:
    by_size: dict[int, int] = {}
    for each in issued:
        for size, count in each.accesses.items():
            by_size[size] = by_size.get(size, 0) + (count.high or 0)
    return by_size.get(WHOLE, 0) / max(sum(by_size.values()), 1)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m uol.conformance.traffic", description=__doc__)
    parser.add_argument("--target", default=",".join(TARGETS), help="targets, by commas")
    parser.add_argument("--dtype", default="f32,f16", help="types, by commas")
    parser.add_argument("--op", default="", help="operators, by commas; all rows else")
    parser.add_argument("--families", default="", help="families, by commas; all rows else")
    options = parser.parse_args(arguments)
    targets = options.target.split(",")
    if strangers := [t for t in targets if t.partition(":")[0] not in TARGETS]:
        raise UolError(f"no sectors are counted on {', '.join(strangers)}", hint=f"the targets are {', '.join(TARGETS)}")
    every = {str(row.workload): row for row in (*library_rows(), *rows())}.values()
    chosen = [row for row in every if _is_named(row.workload.op, options.op) and _is_named(row.family, options.families)]
    print(f"{'family':9} {'operator':44} {'target':10} {'type':4} {'k':>2} {'must MiB':>8} {'moved':>6} {'by 16':>5}")
    guilty = 0
    for row in chosen:
        for target in targets:
            for dtype in types_of(row.workload.op, options.dtype.split(",")):
                traffic = traffic_of(row, target, dtype)
                guilty += not traffic.is_lean and not row.reason
                print(traffic, flush=True)
    print(f"{len(chosen)} operators, {guilty} without a reason; modelled from the texts of the kernels")
    return 1 if guilty or not chosen else 0


def _is_named(name: str, wanted: str) -> bool:
    return not wanted or name in wanted.split(",")


if __name__ == "__main__":
    run_command(main)
