"""What the kernels of memory-bound operators move and do, beside what they must: `python -m uol.conformance.traffic`.

    python -m uol.conformance.traffic [--target TARGETS] [--dtype f32,f16] [--op softmax,relu] [--families rows,maps]

For every row of traffic.toml and traffic_library.toml, an operator at a size at which memory decides, or its gradient:

    must      bytes that the operator must move, by its text, or by its kernels where these ask for fewer (of an order by its
              kernels, pass by pass)
    passes    that as a multiple of the operator's inputs and results, each once: what lies between kernels, and what several
              read. It has no bound
    moved     bytes that its kernels move by sectors, read from their texts, as a multiple of these: what a core's own cache is
              asked for
    block     of what is more than 1.15: likewise, with each sector once for every block that touches it: what leaves a core
              whose cache holds that
    by 16     how much of what threads ask for they ask for by 16 bytes at once: of tensors whose lines, and the steps from one
              to the next, are multiples of 16 bytes, and apart from single elements for a warp
    work      executed statements for every 4 bytes that must be moved

Exit status 1 where more than 1.15 times as much is moved, less than 95 % goes by 16 bytes, or more than 64 statements are
executed for 4 bytes, and traffic_reasons.toml has no reason for it; a reason by which neighbours read the same holds where
what leaves a block is at most 1.15. 2 for bad input. *modelled*: nothing runs.
"""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from uol.backends import registry
from uol.backends.cache.records import Records
from uol.codegen.backend import HasBlocks, Module
from uol.codegen.indexing.arithmetic import NO_DIMS, ONE, static, value_at
from uol.codegen.specs.nodes import Arg, KernelSpec, Select
from uol.codegen.work import Issued, operand_bytes
from uol.conformance.cases.case_matrix import types_of
from uol.conformance.cases.contents import content_of_request
from uol.conformance.cases.counted import issued_of
from uol.conformance.cases.requests import request_of
from uol.conformance.cases.selection import differentiable
from uol.conformance.cases.twin_check import compiled_of
from uol.conformance.cases.verdict import Case
from uol.conformance.command import run_command
from uol.conformance.growth import must_of, specs_of
from uol.conformance.runs.steps import Steps, add_run_options, results_of
from uol.ir.errors import UolError
from uol.ir.types import DTYPES
from uol.ops.workloads import Workload

ROWS, LIBRARY, REASONS = (Path(__file__).with_name(f"traffic{name}.toml") for name in ("", "_library", "_reasons"))
TARGETS = [t for t in registry.names() if isinstance(registry.get(t), HasBlocks)]
"""Machines whose threads ask for memory."""
MOST, LEAST, MOST_STATEMENTS = 1.15, 0.95, 64
WHOLE = 16
"""Bytes of the largest access of a thread."""
WORD = 4


@dataclass(frozen=True, slots=True)
class Row:
    """An operator at a size. `reasons`: by what is beyond its bound, "moved", "cached", "accesses" or "work", why."""

    family: str
    workload: Workload
    reasons: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Traffic:
    """Of an operator on a target: kernels, bytes of its operands, that must be moved, that are, and that leave blocks, the part
    asked for by 16 bytes, statements for every 4 bytes. `by_block` is None where no more is moved than may be."""

    row: Row
    target: str
    dtype: str
    kernels: int
    operands: int
    must: int
    moved: int
    by_block: int | None
    whole: float
    work: float

    @property
    def guilt(self) -> tuple[str, ...]:
        """What is beyond its bound without a reason."""
        return tuple(kind for kind, why in self._beyond() if not why)

    @property
    def is_lean(self) -> bool:
        return not any(True for _ in self._beyond())

    def _beyond(self) -> Iterator[tuple[str, str]]:
        """What is beyond its bound, each with the reason."""
        reasons = self.row.reasons
        if self.moved > MOST * self.must:
            by_block = self.moved if self.by_block is None else self.by_block
            yield "moved", reasons.get("moved", "") or (reasons.get("cached", "") if by_block <= MOST * self.must else "")
        if self.whole < LEAST:
            yield "accesses", reasons.get("accesses", "")
        if self.work > MOST_STATEMENTS:
            yield "work", reasons.get("work", "")

    def __str__(self) -> str:
        what = f"{self.row.family:9} {self.row.workload!s:44} {self.target:10} {self.dtype:4} {self.kernels:2}"
        block = "" if self.by_block is None else f"{self.by_block / self.must:.2f}"
        must = f"{self.must / 2**20:8.1f} {self.must / self.operands:6.2f}"
        counts = f"{must} {self.moved / self.must:6.2f} {block:>6} {self.whole:5.0%} {self.work:6.1f}"
        verdict = "; ".join(dict.fromkeys(why or f"NO REASON ({kind})" for kind, why in self._beyond()))
        return f"{what} {counts}  {verdict}".rstrip()


def rows() -> tuple[Row, ...]:
    """What traffic.toml has."""
    given = tomllib.loads(ROWS.read_text())
    return tuple(_row(family, entry["op"], entry) for family, entries in given.items() for entry in entries)


def library_rows() -> tuple[Row, ...]:
    """What traffic_library.toml has: operators, and the gradients of those that have one and are no optimisers."""
    found: list[Row] = []
    for family, entries in tomllib.loads(LIBRARY.read_text()).items():
        for entry in entries:
            ops = entry["ops"] if family == "optimisers" else [*entry["ops"], *differentiable(entry["ops"])]
            found += [_row(family, op, entry) for op in ops]
    return tuple(found)


@cache
def reasons() -> Mapping[str, Mapping[str, str]]:
    """What traffic_reasons.toml has, by operator and kind."""
    found: dict[str, dict[str, str]] = {}
    for kind, entries in tomllib.loads(REASONS.read_text()).items():
        for entry in entries:
            for op in entry["ops"]:
                found.setdefault(op, {})[kind] = entry["why"]
    return found


def _row(family: str, op: str, entry: Mapping[str, Any]) -> Row:
    return Row(family, _workload(op, entry), reasons().get(op, {}))


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
    moved = sum(map(moved_bytes, issued))
    by_block = _by_block(compiled.module) if moved > MOST * must else None
    whole = _whole(zip((kernel.spec for kernel in compiled.module.kernels), issued, strict=True))
    done = sum(count.high or 0 for each in issued for count in each.statements.values())
    work = done * WORD / must
    operands = value_at(operand_bytes(compiled.module.graph), NO_DIMS)
    return Traffic(row, target, dtype, len(issued), operands, must, moved, by_block, whole, work)


def _by_block(module: Module) -> int:
    backend = registry.get(module.backend)
    assert isinstance(backend, HasBlocks)
    device = backend.devices[module.device_name]
    return sum(backend.bytes_by_block(kernel.spec, kernel.schedule, device) for kernel in module.kernels)


def moved_bytes(issued: Issued) -> int:
    """By sectors, at most; where no bound is known, what is known to be moved."""
    return sum((each.high if each.high is not None else each.low) or 0 for each in (issued.read_bytes, issued.written_bytes))


def _whole(kernels: Iterable[tuple[KernelSpec, Issued]]) -> float:
    """How much of what is asked for of tensors whose lines are whole accesses is asked for so."""
    by_size: dict[int, int] = {}
    for spec, issued in kernels:
        for (tensor, size), count in issued.accesses.items():
            if _is_of_whole_lines(spec.arg(tensor)):
                by_size[size] = by_size.get(size, 0) + (count.high or 0)
    return by_size.get(WHOLE, 0) / sum(by_size.values()) if any(by_size.values()) else 1.0


def _is_of_whole_lines(arg: Arg) -> bool:
    """Are the innermost extent, and the steps of all other dims, multiples of 16 bytes?"""
    *outer, inner = zip(arg.shape, arg.strides, strict=True) if arg.shape else ((ONE, ONE),)
    lines = (inner[0], *(stride for extent, stride in outer if extent != ONE))
    return all((static(each) or 0) * DTYPES[arg.dtype].bytes % WHOLE == 0 for each in lines)


@dataclass(frozen=True, slots=True)
class Subject:
    """A row on a target, in a type."""

    row: Row
    target: str
    dtype: str


def _traffic(subjects: Sequence[Subject]) -> list[Traffic]:
    return [traffic_of(each.row, each.target, each.dtype) for each in subjects]


def _content(subject: Subject) -> str:
    case = Case(subject.row.workload.op, subject.target, subject.dtype, subject.row.workload)
    return content_of_request(request_of(case))


def _name(subject: Subject) -> str:
    return f"{subject.row.family} {subject.row.workload} {subject.target} {subject.dtype}"


JUDGE = ("uol/conformance/traffic", "uol/conformance/growth.py", "uol/backends/simt/", "uol/codegen/")
STEPS: Steps[Subject, Traffic] = Steps("traffic", Records(Traffic), _name, _traffic, _content, JUDGE)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m uol.conformance.traffic", description=__doc__)
    parser.add_argument("--target", default=",".join(TARGETS), help="targets, by commas")
    parser.add_argument("--dtype", default="f32,f16", help="types, by commas")
    parser.add_argument("--op", default="", help="operators, by commas; all rows else")
    parser.add_argument("--families", default="", help="families, by commas; all rows else")
    add_run_options(parser)
    options = parser.parse_args(arguments)
    targets = options.target.split(",")
    if strangers := [t for t in targets if t.partition(":")[0] not in TARGETS]:
        raise UolError(f"no sectors are counted on {', '.join(strangers)}", hint=f"the targets are {', '.join(TARGETS)}")
    every = {str(row.workload): row for row in (*library_rows(), *rows())}.values()
    chosen = [row for row in every if _is_named(row.workload.op, options.op) and _is_named(row.family, options.families)]
    counts = f"{'k':>2} {'must MiB':>8} {'passes':>6} {'moved':>6} {'block':>6} {'by 16':>5} {'work':>6}"
    print(f"{'family':9} {'operator':44} {'target':10} {'type':4} {counts}")
    guilty = 0
    dtypes = {row.workload.op: types_of(row.workload.op, options.dtype.split(",")) for row in chosen}
    items = [Subject(row, target, dtype) for row in chosen for target in targets for dtype in dtypes[row.workload.op]]
    for traffic in results_of(STEPS, items, options):
        guilty += bool(traffic.guilt)
        print(traffic, flush=True)
    print(f"{len(chosen)} operators, {guilty} without a reason; modelled from the texts of the kernels")
    return 1 if guilty or not chosen else 0


def _is_named(name: str, wanted: str) -> bool:
    return not wanted or name in wanted.split(",")


if __name__ == "__main__":
    run_command(main)
