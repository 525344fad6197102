"""The cases on which an operator is checked: every workload, every kind of inputs, every arrangement in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from uol.conformance.cases.default_workloads import workloads_for
from uol.conformance.cases.memory_order import Arrangement
from uol.conformance.cases.verdict import Case
from uol.ir.types import is_float
from uol.operators.registry import find_operator
from uol.ops.inputs import Kind, kinds
from uol.ops.workloads import Workload, adversarial_of, wide_workloads_of
from uol.ops.workloads import cases_of as known_cases

CAST_PAIRS = (
    *(f"T={source},U={target}" for source in ("f32", "f16", "bf16") for target in ("f32", "f16", "bf16") if source != target),
    *("T=f32,U=i32", "T=i32,U=f32", "T=f32,U=i64", "T=f32,U=u8", "T=i64,U=i8", "T=f64,U=f32", "T=f32,U=f64"),
)
"""The casts that are checked: between the floats, and over the edges of the integers."""


INTEGERS = ("i32", "i8", "u8", "i64")
"""What operators on integers alone are checked in."""


def types_of(op: str, dtypes: Sequence[str]) -> tuple[str, ...]:
    """An operator's types as cases name them: those of `dtypes` that it admits, integers where it admits no float, and one
    for all where its tensors have types of their own. With several type variables: the pairs of `CAST_PAIRS` for a cast, else
    each type for all variables that admit it, with the first that the others admit."""
    domain = find_operator(op).domain
    if not domain:
        return tuple(dtypes[:1])
    if len(domain) == 1:
        types = domain[0].types
        integers = () if any(map(is_float, types)) else tuple(t for t in INTEGERS if t in types)
        return tuple(t for t in dtypes if t in types) or integers
    admitted = {s.variable: s.types for s in domain}
    if admitted.keys() == {"T", "U"}:
        return tuple(pair for pair in CAST_PAIRS if _admits(admitted, pair) and _concerns(pair, dtypes))
    chosen = ({v: t if t in types else types[0] for v, types in admitted.items()} for t in dtypes if _anywhere(admitted, t))
    return tuple(dict.fromkeys(",".join(f"{v}={t}" for v, t in each.items()) for each in chosen))


def _admits(admitted: Mapping[str, Sequence[str]], pair: str) -> bool:
    return all(t in admitted[v] for v, t in (part.split("=") for part in pair.split(",")))


def _concerns(pair: str, dtypes: Sequence[str]) -> bool:
    """Is one of a pair's types asked for, or is it of integers alone?"""
    types = [part.split("=")[1] for part in pair.split(",")]
    return any(t in dtypes for t in types) or not any(map(is_float, types))


def _anywhere(admitted: Mapping[str, Sequence[str]], dtype: str) -> bool:
    return any(dtype in types for types in admitted.values())


def cases_of(op: str, target: str, dtype: str) -> tuple[Case, ...]:
    """Every case of an operator: all workloads on random and on exact inputs; the representative one on the other kinds
    and in the other arrangements as well; and, of one that adds up, long sums on wide inputs."""
    found = [Case(op, target, dtype, w, kind) for w in workloads_for(op) for kind in ("exact", "random")]
    found += [Case(op, target, dtype, w, kind) for w in _full(op)[:2] for kind in kinds(op)[2:]]
    found += [Case(op, target, dtype, w, "random", a) for a in arrangements(op) for w in _full(op)[:2]]
    found += [Case(op, target, dtype, w, "wide") for w in wide_workloads_of(op)]
    return tuple(found)


def first_cases(op: str, target: str, dtype: str) -> tuple[Case, ...]:
    """The two cases of a quick check: the representative workload on random inputs; and the adversarial one, on ties, NaN, rows
    of -inf, faint variances and whatever else the operator is checked on, row by row."""
    workload, kind = adversarial_of(op) if known_cases(op) is not None else (workloads_for(op)[0], "mixed")
    return Case(op, target, dtype, workloads_for(op)[0]), Case(op, target, dtype, workload, cast(Kind, kind))


def quick_cases(op: str, target: str, dtype: str, turn: int) -> tuple[Case, ...]:
    """Two cases on awkward workloads that change with `turn`: one on some kind of inputs, one in another arrangement."""
    awkward = _full(op)[1:]
    first, second = awkward[turn % len(awkward)], awkward[(2 * turn + 1) % len(awkward)]
    known, others = kinds(op), arrangements(op)
    return (
        Case(op, target, dtype, first, known[turn % len(known)]),
        Case(op, target, dtype, second, "random", others[turn % len(others)]),
    )


def arrangements(op: str) -> tuple[Arrangement, ...]:
    """The arrangements beside row-major that an operator is checked in."""
    four = len(find_operator(op).results[0].dims) == 4
    several = len(find_operator(op).params) > 1 and len(find_operator(op).results[0].dims) == 1
    return tuple(_arrangements(four, several))


def _arrangements(four: bool, several: bool) -> Iterator[Arrangement]:
    yield "gaps"
    if four:
        yield "channels-last"
    if several:
        yield "broadcast"


def _full(op: str) -> tuple[Workload, ...]:
    """The workloads that hold anything."""
    return tuple(w for w in workloads_for(op) if 0 not in w.flat_dims.values())
