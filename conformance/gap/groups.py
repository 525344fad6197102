"""The reference groups of a path: `conformance/paths/<path>/groups.toml`, at a size and an element type.

    [derived]                                  dims made of the path's, in order
    [rows.NAME]                                dims that differ from row to row: lists of forms, one of each a row
    [sums.NAME]   over, each                   a dim: the sum of a form over rows
    [[group]]     name, phase, over, recorded, calls, launches

A group that is `over` rows stands once for each, its `{dim}`s filled in. `calls` says which calls of operators it stands for:
by name, and by the shapes of inputs where one name does not decide; a call without shapes takes what no other one of its
operator takes. `launches` are what the best kernels have to do: every tensor that goes in or out moves once.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Literal

from uol.conformance.gap.closed_forms import sizes_of, value_of
from uol.ir.types import DTYPES

Phase = Literal["forward", "backward", "optimiser"]
Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Launch:
    """What `count` launches do each: bytes that move, and operations by "matrix" (products of matrices, in the path's element
    type) and "vector" (all else, in f32). A multiply-add is two."""

    count: int
    bytes: int
    operations: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Calls:
    """The calls of an operator whose inputs have these shapes, by name."""

    op: str
    shapes: Mapping[str, Shape]


@dataclass(frozen=True, slots=True)
class Group:
    """`recorded`: how many calls of a step it stands for."""

    name: str
    phase: Phase
    calls: tuple[Calls, ...]
    recorded: int
    launches: tuple[Launch, ...]

    @property
    def bytes(self) -> int:
        """Of all launches."""
        return sum(each.count * each.bytes for each in self.launches)

    def operations(self, kind: str) -> int:
        """Of all launches."""
        return sum(each.count * each.operations.get(kind, 0) for each in self.launches)


def groups_of(path: str, dims: Mapping[str, int], dtype: str) -> tuple[Group, ...]:
    """The groups of a path at its dims. `B` is the bytes of an element, `A` of an accumulator, `I` of an index."""
    file = files(f"uol.conformance.paths.{path}").joinpath("groups.toml")
    known = {**dims, "B": DTYPES[dtype].bytes, "A": DTYPES["f32"].bytes, "I": DTYPES["i64"].bytes}
    return read_groups(file.read_text(encoding="utf-8"), known)


def read_groups(text: str, dims: Mapping[str, int]) -> tuple[Group, ...]:
    """The groups of a file's text. Raises UolError for a form that cannot be read."""
    table = tomllib.loads(text)
    known = dict(dims)
    rows = {name: list(_rows(lists, known)) for name, lists in table.get("rows", {}).items()}
    for name, fields in table.get("sums", {}).items():
        known[name] = sum(value_of(fields["each"], known | row) for row in rows[fields["over"]])
    for name, form in table.get("derived", {}).items():
        known[name] = value_of(form, known)
    return tuple(
        _group(fields, known | row) for fields in table["group"] for row in (rows[fields["over"]] if "over" in fields else [{}])
    )


def _rows(lists: Mapping[str, list[str]], dims: Mapping[str, int]) -> Iterator[dict[str, int]]:
    """A row's forms may name those before it in the row."""
    for forms in zip(*lists.values(), strict=True):
        row: dict[str, int] = {}
        for name, form in zip(lists, forms, strict=True):
            row[name] = value_of(form, {**dims, **row})
        yield row


def _group(fields: Mapping[str, Any], dims: Mapping[str, int]) -> Group:
    return Group(
        fields["name"].format_map(dims),
        fields["phase"],
        tuple(_calls(each, dims) for each in fields["calls"]),
        value_of(fields["recorded"], dims),
        tuple(_launch(each, dims) for each in fields["launches"]),
    )


def _calls(fields: Mapping[str, str], dims: Mapping[str, int]) -> Calls:
    return Calls(fields["op"], {name: sizes_of(forms, dims) for name, forms in fields.items() if name != "op"})


def _launch(fields: Mapping[str, str], dims: Mapping[str, int]) -> Launch:
    operations = {kind: value_of(fields[kind], dims) for kind in ("matrix", "vector") if kind in fields}
    return Launch(value_of(fields.get("count", "1"), dims), value_of(fields["bytes"], dims), operations)
