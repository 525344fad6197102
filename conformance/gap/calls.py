"""What the calls of a path's step compute: `conformance/paths/<path>/calls.toml`, at a size.

    [derived]                                  dims made of the path's, in order
    [rows.NAME]                                dims that differ from row to row: lists of forms, one of each a row
    [sums.NAME]   over, each                   a dim: the sum of a form over rows
    [[calls]]     computes, phase, recorded, of, over, together

An entry says which rows of the reference the tensors belong to that some calls of operators compute, and how many calls of a
step they are. One that computes tensors of several rows (`computes = ["gate and up", "down"]`) joins these; one that computes
nothing of the mathematics (`computes = []`) stands beside them. `of` names the calls: by operator, and by the shapes of inputs
where the name does not decide; a call without shapes takes what no other one of its operator takes. `after` is the call that
must be the last of its operator before: a norm of a product has the shapes of another one's.
`together` says that the calls are steps at the positions of lists: those of a type are one launch where a target has such.
An entry that is `over` rows of dims stands once for each, its `{dim}`s filled in.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from uol.conformance.gap.closed_forms import sizes_of, value_of
from uol.conformance.gap.reference.graph import Phase

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Calls:
    """The calls of an operator whose inputs have these shapes, by name, and that follow such a call."""

    op: str
    shapes: Mapping[str, Shape]
    after: Calls | None = None

    @property
    def decides(self) -> bool:
        """Does it say more than the operator?"""
        return bool(self.shapes) or self.after is not None


@dataclass(frozen=True, slots=True)
class Entry:
    """`computes`: rows of the reference. `recorded`: how many calls of a step it stands for, of which `together` makes one for
    each type."""

    computes: tuple[str, ...]
    phase: Phase
    of: tuple[Calls, ...]
    recorded: int
    together: bool = False

    def __str__(self) -> str:
        what = ", ".join(repr(row) for row in self.computes) or "nothing of the mathematics"
        return f"the calls of {', '.join(dict.fromkeys(each.op for each in self.of))} that compute {what}"


def entries_of(path: str, dims: Mapping[str, int]) -> tuple[Entry, ...]:
    """The entries of a path at its dims."""
    return read_entries(files(f"uol.conformance.paths.{path}").joinpath("calls.toml").read_text(encoding="utf-8"), dims)


def read_entries(text: str, dims: Mapping[str, int]) -> tuple[Entry, ...]:
    """The entries of a file's text. Raises UolError for a form that cannot be read."""
    table = tomllib.loads(text)
    known = dict(dims)
    rows = {name: list(_rows(lists, known)) for name, lists in table.get("rows", {}).items()}
    for name, fields in table.get("sums", {}).items():
        known[name] = sum(value_of(fields["each"], known | row) for row in rows[fields["over"]])
    for name, form in table.get("derived", {}).items():
        known[name] = value_of(form, known)
    return tuple(
        _entry(fields, known | row) for fields in table["calls"] for row in (rows[fields["over"]] if "over" in fields else [{}])
    )


def _rows(lists: Mapping[str, list[str]], dims: Mapping[str, int]) -> Iterator[dict[str, int]]:
    """A row's forms may name those before it in the row."""
    for forms in zip(*lists.values(), strict=True):
        row: dict[str, int] = {}
        for name, form in zip(lists, forms, strict=True):
            row[name] = value_of(form, {**dims, **row})
        yield row


def _entry(fields: Mapping[str, Any], dims: Mapping[str, int]) -> Entry:
    computes = tuple(row.format_map(dims) for row in fields["computes"])
    of = tuple(_calls(each, dims) for each in fields["of"])
    return Entry(computes, fields["phase"], of, value_of(fields["recorded"], dims), fields.get("together", False))


def _calls(fields: Mapping[str, Any], dims: Mapping[str, int]) -> Calls:
    shapes = {name: sizes_of(forms, dims) for name, forms in fields.items() if name not in ("op", "after")}
    return Calls(fields["op"], shapes, _calls(fields["after"], dims) if "after" in fields else None)
