"""The control: published times of the vendors' own libraries, held against T_ref by the same formulas as uol's.

    T_ref = max(bytes / bandwidth, operations / rate) + one launch        of one operation, from its own bytes and operations
    T_ref = the sum over the path's reference                             of a training step

A published time below T_ref would be an error of the reference: published.toml has the times and where they were read.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from uol.compilation.request import resolve_target
from uol.conformance.gap.attained import attained_of, best_of
from uol.conformance.gap.ratios import apart
from uol.conformance.gap.reference.timed import reference_at
from uol.conformance.paths.full_size import full_size_of
from uol.ir.types import DTYPES


@dataclass(frozen=True, slots=True)
class Published:
    """A published time. `what` names the operation and its sizes, `like` those that are compared with each other; `device` is
    the target whose rates it is held against, `stands_for` the one that it is shown under. Of a
    step, `path` and the dims that differ from those of its first case."""

    what: str
    like: str
    device: str
    stands_for: str
    by: str
    dtype: str
    seconds: float
    source: str
    bytes: int = 0
    operations: int = 0
    path: str = ""
    dims: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Judged:
    """A published time, and what it would be at best."""

    published: Published
    reference: float

    @property
    def eff(self) -> float:
        return self.reference / self.published.seconds


@cache
def judged() -> tuple[Judged, ...]:
    """All of published.toml."""
    text = files("uol.conformance.gap").joinpath("published.toml").read_text(encoding="utf-8")
    return tuple(Judged(row, _reference(row)) for row in read_published(text))


def best_known(path: str) -> dict[str, float]:
    """The best published eff of a whole path, by device that has one."""
    return _best(each for each in judged() if each.published.path == path)


def vendors_gap(effs: Mapping[str, float], devices: Sequence[str]) -> float | None:
    """How far the vendors' own are apart; None where fewer than two of the devices have one.

    >>> vendors_gap({"one": 0.6, "two": 0.3, "three": 0.1}, ["one", "two"]), vendors_gap({"one": 0.6}, ["one", "two"])
    (0.5, None)
    """
    known = [effs[device] for device in devices if device in effs]
    return apart(known) if len(known) > 1 else None


def by_likeness() -> dict[str, dict[str, float]]:
    """The best eff by device, of what is compared with each other."""
    likes = dict.fromkeys(each.published.like for each in judged())
    return {like: _best(each for each in judged() if each.published.like == like) for like in likes}


def stand_ins() -> str:
    """Which devices published times are of that are shown under another one, for people."""
    pairs = dict.fromkeys((row.device, row.stands_for) for each in judged() if (row := each.published).device != row.stands_for)
    return ", ".join(f"{device} for {shown}" for device, shown in pairs)


def read_published(text: str) -> list[Published]:
    """The rows of a file's text."""
    table = tomllib.loads(text)
    readers = {"product": _products, "grouped_product": _grouped, "add": _adds, "attention": _attentions, "training": _steps}
    return [row for kind, read in readers.items() for fields in table.get(kind, []) for row in read(fields)]


def _best(found: Iterator[Judged]) -> dict[str, float]:
    best: dict[str, float] = {}
    for each in found:
        device = each.published.stands_for
        best[device] = max(each.eff, best.get(device, 0.0))
    return best


def _reference(row: Published) -> float:
    attained = attained_of(resolve_target(row.device).device, row.dtype)
    if row.path:
        dims = {**next(iter(full_size_of(row.path).cases.values())), **row.dims}
        return sum(group.seconds for group in reference_at(row.path, dims, row.dtype, attained))
    return best_of(row.bytes, row.operations, attained).seconds


def _row(fields: Mapping[str, Any], what: str, like: str, seconds: float, **more: Any) -> Published:
    stands_for = fields.get("stands_for", fields["device"])
    shared = fields["by"], fields["dtype"], seconds, fields["source"]
    return Published(what, like, fields["device"], stands_for, *shared, **more)


def _products(fields: Mapping[str, Any]) -> Iterator[Published]:
    """Square products by their size, in TFLOP/s."""
    for size, rate in fields["tflops"].items():
        n = int(size)
        what = f"product of {n} x {n} x {n}, {fields['dtype']}"
        operations, moved = 2 * n**3, 3 * n * n * DTYPES[fields["dtype"]].bytes
        yield _row(fields, what, what, operations / (rate * 1e12), bytes=moved, operations=operations)


def _grouped(fields: Mapping[str, Any]) -> Iterator[Published]:
    rows, k, n, experts = (fields[name] for name in ("rows", "k", "n", "experts"))
    what = f"grouped product of {rows} x {k} x {n}, {experts} experts, {fields['dtype']}"
    operations, moved = 2 * rows * k * n, (rows * k + experts * k * n + rows * n) * DTYPES[fields["dtype"]].bytes
    yield _row(fields, what, what, operations / (fields["tflops"] * 1e12), bytes=moved, operations=operations)


def _adds(fields: Mapping[str, Any]) -> Iterator[Published]:
    elements, dtype = fields["elements"], fields["dtype"]
    what, like = f"sum of two tensors of {elements:,}, {dtype}", f"sum of two tensors, {dtype}"
    yield _row(fields, what, like, fields["us"] * 1e-6, bytes=3 * elements * DTYPES[dtype].bytes)


def _attentions(fields: Mapping[str, Any]) -> Iterator[Published]:
    """Forward, without a mask: queries, keys and values of as many rows, by rows in microseconds."""
    heads, width = fields["batch"] * fields["heads"], fields["width"]
    for size, microseconds in fields["us"].items():
        n = int(size)
        what = f"attention, forward, {heads} heads of {n} x {width}, {fields['dtype']}"
        operations, moved = 4 * heads * n * n * width, 4 * heads * n * width * DTYPES[fields["dtype"]].bytes
        like = f"attention, forward, {fields['dtype']}"
        yield _row(fields, what, like, microseconds * 1e-6, bytes=moved, operations=operations)


def _steps(fields: Mapping[str, Any]) -> Iterator[Published]:
    """A training step with its optimiser, in samples a second."""
    path, batch = fields["path"], fields["batch"]
    what = f"{path}, a training step, batch {batch}"
    yield _row(fields, what, f"{path}, a training step", batch / fields["samples_a_second"], path=path, dims={"N": batch})
