"""The rows that a gap is taken over: those of the reference, joined where one call computes tensors of several.

A kernel that computes what lies in two rows takes one time, which belongs to both. Their T_ref is then counted together, once:
a fusion across rows changes T, and the sum of T_ref stays what the mathematics says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from uol.conformance.gap.calls import Entry
from uol.conformance.gap.reference.graph import Phase
from uol.ir.errors import UolError

BESIDE: Mapping[Phase, str] = {
    "forward": "beside the reference",
    "backward": "beside the reference: gradient",
    "optimiser": "beside the reference: optimiser",
}
"""The row of the calls that compute nothing of the mathematics: they have a time, and no T_ref."""


@dataclass(frozen=True, slots=True)
class Row:
    """`parts`: the rows of the reference that it is made of; none of what stands beside them."""

    name: str
    phase: Phase
    parts: tuple[str, ...]


def rows_of(reference: Mapping[str, Phase], entries: Sequence[Entry]) -> dict[Row, list[Entry]]:
    """The rows, in the order of the entries, each with those whose calls compute it; what stands beside comes last.
    `reference`: its rows, each with its phase. Raises UolError where entries and reference do not agree."""
    named = list(dict.fromkeys(name for entry in entries for name in entry.computes))
    joined = {name: name for name in named}
    for entry in entries:
        _require_known(entry, reference)
        for name in entry.computes[1:]:
            first, second = sorted((_root(joined, entry.computes[0]), _root(joined, name)), key=named.index)
            joined[second] = first
    if missing := [name for name in reference if name not in joined]:
        hint = "calls.toml says which calls compute which rows"
        raise UolError(f"no call computes {missing[0]!r} of the reference", hint=hint)
    parts: dict[str, list[str]] = {}
    for name in named:
        parts.setdefault(_root(joined, name), []).append(name)
    found = {root: Row(" + ".join(names), reference[root], tuple(names)) for root, names in parts.items()}
    rows: dict[Row, list[Entry]] = {row: [] for row in found.values()}
    for entry in entries:
        if entry.computes:
            rows[found[_root(joined, entry.computes[0])]].append(entry)
    for phase, name in BESIDE.items():
        if beside := [entry for entry in entries if not entry.computes and entry.phase == phase]:
            rows[Row(name, phase, ())] = beside
    return rows


def _root(joined: Mapping[str, str], name: str) -> str:
    while joined[name] != name:
        name = joined[name]
    return name


def _require_known(entry: Entry, reference: Mapping[str, Phase]) -> None:
    for name in entry.computes:
        if name not in reference:
            rows = ", ".join(reference)
            raise UolError(f"calls.toml names {name!r}, which is no row of the reference", hint=f"its rows are {rows}")
        if reference[name] != entry.phase:
            said = f"{name!r} is of the {reference[name]} pass, and calls.toml has its calls in the {entry.phase} pass"
            raise UolError(said, hint="no call computes on both sides of the loss")
