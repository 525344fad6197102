"""The cases that a user's operator is registered with: read, and held against the operator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import get_args

from uol.binding.argument_checks import require_kind, require_names
from uol.binding.named_binding import bind_names
from uol.ir.errors import UolError
from uol.ir.syntax.surface import Op
from uol.ops.inputs import Ask, Kind
from uol.ops.workloads import Cases, read_cases

EXAMPLE = 'write cases=[{"S": (64,), "C": 256}, {"S": (), "C": 7, "eps": 0.5}]'


def cases_for(op: Op, given: object) -> Cases:
    """`given` is a list of cases, or a table of them with kinds of inputs and values, as a group of `ops/cases/*.toml` is:
    `{"cases": [{"N": 7}], "inputs": ["exact", "random"], "values": {"var": "positive"}}`.

    Raises UolError for another form, and ShapeError for a case that the operator does not admit.
    """
    table = require_names(given, "cases", EXAMPLE) if isinstance(given, Mapping) else {"cases": given}
    unknown = [name for name in table if name not in ("cases", "inputs", "values")]
    if unknown:
        raise UolError(f"cases of {op.name} have no {unknown[0]!r}", hint='they have "cases", "inputs" and "values"')
    listed = require_kind(table.get("cases"), Sequence, "cases", "a list of dicts", EXAMPLE)
    if not listed or isinstance(listed, str):
        raise UolError(f"there are no cases of {op.name}", hint=EXAMPLE)
    for case in listed:
        require_names(case, "a case", EXAMPLE)
    _require_known(op, table)
    found = read_cases(op.name, table)
    types = {s.variable: s.types[0] for s in op.domain}
    for workload in found.workloads:
        bind_names(op, types, workload.dims, workload.attrs)
    return found


def _require_known(op: Op, table: Mapping[str, object]) -> None:
    """The kinds of inputs, and what the values of inputs must be."""
    kinds = require_kind(table.get("inputs", ()), Sequence, "inputs", "a list of kinds", 'write "inputs": ["exact", "random"]')
    for kind in kinds:
        if kind not in get_args(Kind):
            raise UolError(f"no kind of inputs {kind!r}", hint=f"one of {', '.join(get_args(Kind))}")
    inputs = [p.name for p in op.params]
    for name, ask in require_names(table.get("values", {}), "values", 'write "values": {"var": "positive"}').items():
        if name not in inputs:
            raise UolError(f"{op.name} has no input {name!r}", hint=f"its inputs are {', '.join(inputs)}")
        if ask not in get_args(Ask):
            raise UolError(f"no values {ask!r} for {name} of {op.name}", hint=f"one of {', '.join(get_args(Ask))}")
