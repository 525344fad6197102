"""Maps that say where a value comes from: concatenations, places that data names, padding, flips, writes into a part."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import fx

from uol.pytorch.graph.views import Index, shifted, within
from uol.pytorch.graph.words import Unsaid, aten, literal, shape, value_of


class Reader(Protocol):
    """What gives values within the text of a group."""

    def read(self, n: fx.Node, index: Index, guard: bool = False) -> str:
        """The value of a node at an index; 0 outside, where it has a guard."""

    def operand(self, a: Any, index: Index, dtype: torch.dtype, guard: bool) -> str:
        """The value of a node or a number, at the index of what it is broadcast to, in a type."""


Move = Callable[[fx.Node, Index, Reader, bool], str]


def _dim(n: fx.Node, at: int, default: int = 0) -> int:
    given = n.args[at] if len(n.args) > at else default
    assert isinstance(given, int)
    return given % max(len(shape(n)), 1)


def _with(index: Index, dim: int, own: str) -> Index:
    return [*index[:dim], own, *index[dim + 1 :]]


def _cat(n: fx.Node, index: Index, reader: Reader, guard: bool) -> str:
    parts: Any = n.args[0]
    dim, text, start = _dim(n, 1), "", 0
    for k, part in enumerate(parts):
        value = reader.operand(part, _with(index, dim, shifted(index[dim], -start)), value_of(n).dtype, True)
        start += shape(part)[dim]
        text += value if k == len(parts) - 1 else f"select({index[dim]} < {start}, {value}, "
    return text + ")" * (len(parts) - 1)


def _gather(n: fx.Node, index: Index, reader: Reader, guard: bool) -> str:
    x, at, dim = n.args[0], n.args[2], _dim(n, 1)
    assert isinstance(x, fx.Node) and isinstance(at, fx.Node)
    place = reader.read(at, ["0" if d == 1 else i for i, d in zip(index, shape(at), strict=True)], guard)
    own = ["0" if d == 1 and k != dim else i for k, (i, d) in enumerate(zip(index, shape(x), strict=True))]
    return reader.read(x, _with(own, dim, place), True)


def _index_select(n: fx.Node, index: Index, reader: Reader, guard: bool) -> str:
    x, at, dim = n.args[0], n.args[2], _dim(n, 1)
    assert isinstance(x, fx.Node) and isinstance(at, fx.Node)
    place = reader.read(at, [index[dim] if d != 1 else "0" for d in shape(at)], guard)
    return reader.read(x, _with(index, dim, place), True)


def _index(n: fx.Node, index: Index, reader: Reader, guard: bool) -> str:
    x, places = n.args
    assert isinstance(x, fx.Node) and isinstance(places, list | tuple)
    given = [(d, at) for d, at in enumerate(places) if at is not None]
    if len(given) != 1:
        raise Unsaid("several indices")
    dim, at = given[0]
    assert isinstance(at, fx.Node)
    if value_of(at).dtype not in (torch.int64, torch.int32):
        raise Unsaid("an index by a mask")
    rank = len(shape(at))
    there = ["0" if d == 1 else i for i, d in zip(index[dim : dim + rank], shape(at), strict=True)]
    place = reader.read(at, there, guard)
    place = f"select({place} < 0, {place} + {shape(x)[dim]}, {place})"
    return reader.read(x, [*index[:dim], place, *index[dim + rank :]], True)


def _spread(n: fx.Node, index: Index, reader: Reader, guard: bool) -> str:
    """A scatter of one place a row, onto a number: `groups` has seen to it."""
    onto, at, source, dim, dtype = n.args[0], n.args[2], n.args[3], _dim(n, 1), value_of(n).dtype
    assert isinstance(onto, fx.Node) and isinstance(at, fx.Node)
    own = _with(index, dim, "0")
    value, else_value = reader.operand(source, own, dtype, guard), reader.operand(onto.args[1], [], dtype, guard)
    return f"select({reader.read(at, own, guard)} == {index[dim]}, {value}, {else_value})"


def _pad(n: fx.Node, index: Index, reader: Reader, guard: bool) -> str:
    x, sizes = n.args[:2]
    fill: Any = n.args[2] if len(n.args) > 2 else 0
    assert isinstance(x, fx.Node) and isinstance(sizes, list | tuple)
    own, conditions, dtype = list(index), [], value_of(n).dtype
    for k in range(len(sizes) // 2):
        before, dim = sizes[2 * k], len(index) - 1 - k
        assert isinstance(before, int)
        if shape(n)[dim] != shape(x)[dim] or before:
            conditions += [f"{index[dim]} >= {literal(before)}", f"{index[dim]} < {literal(before + shape(x)[dim])}"]
            own[dim] = shifted(index[dim], -before) if shape(x)[dim] != 1 else "0"
    value = reader.operand(x, own, dtype, True)
    if not conditions:
        return value
    return f"select({' and '.join(conditions)}, {value}, {reader.operand(fill, [], dtype, guard)})"


def _flip(n: fx.Node, index: Index, reader: Reader, guard: bool) -> str:
    x, dims = n.args
    assert isinstance(x, fx.Node) and isinstance(dims, list | tuple)
    own = list(index)
    for given in dims:
        assert isinstance(given, int)
        d = given % len(index)
        own[d] = "0" if shape(x)[d] == 1 else f"{shape(x)[d] - 1} - {within(index[d])}"
    return reader.read(x, own, guard)


def _select_scatter(n: fx.Node, index: Index, reader: Reader, guard: bool) -> str:
    x, source, dim, at = n.args[0], n.args[1], _dim(n, 2), n.args[3]
    assert isinstance(at, int)
    dtype, place = value_of(n).dtype, at % shape(n)[dim]
    value = reader.operand(source, [*index[:dim], *index[dim + 1 :]], dtype, guard)
    return f"select({index[dim]} == {place}, {value}, {reader.operand(x, index, dtype, guard)})"


def _slice_scatter(n: fx.Node, index: Index, reader: Reader, guard: bool) -> str:
    given: list[Any] = [*n.args, *[0, None, None, 1][len(n.args) - 2 :]]
    x, source, dim, start, _, step = given
    assert isinstance(dim, int) and isinstance(source, fx.Node) and isinstance(step, int)
    dim %= len(index)
    size, dtype = shape(n)[dim], value_of(n).dtype
    first = start if isinstance(start, int) else 0
    first = max(0, min(first + size if first < 0 else first, size))
    place = shifted(index[dim], -first)
    own = place if step == 1 else f"{within(place)} / {step}"
    value = reader.operand(source, _with(index, dim, own), dtype, True)
    inside = f"{index[dim]} >= {first} and {index[dim]} < {first + step * shape(source)[dim]}"
    if step != 1:
        inside += f" and {within(place)} % {step} == 0"
    return f"select({inside}, {value}, {reader.operand(x, index, dtype, guard)})"


SPREADS = {aten.scatter_add.default, aten.scatter.value, aten.scatter.src}
"""Moves where they write one place a row, onto a number."""

MOVES: dict[Any, Move] = {
    aten.cat.default: _cat,
    aten.gather.default: _gather,
    aten.index_select.default: _index_select,
    aten.index.Tensor: _index,
    aten.constant_pad_nd.default: _pad,
    aten.flip.default: _flip,
    aten.select_scatter.default: _select_scatter,
    aten.slice_scatter.default: _slice_scatter,
    **dict.fromkeys(SPREADS, _spread),
}
