"""Views as index arithmetic: an index of the source from an index of the view. Indices are text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import fx

from uol.pytorch.graph.words import aten, shape

Index = list[str]


def shifted(i: str, by: int) -> str:
    """An index with a number added."""
    return i if by == 0 else f"{i} + {by}" if by > 0 else f"{i} - {-by}"


def within(i: str) -> str:
    """An index as a part of a larger one."""
    return i if i.isalnum() else f"({i})"


def reshaped(index: Index, source: tuple[int, ...], out: tuple[int, ...]) -> Index:
    """An index of `source`, from that of a row-major view of it with other sizes. Runs of dims with the same product are taken
    together, so that dims that both have keep their index as it is."""
    found: Index = []
    a = b = 0
    while a < len(source) or b < len(out):
        if a < len(source) and source[a] == 1:
            found.append("0")
            a += 1
            continue
        if b < len(out) and out[b] == 1:
            b += 1
            continue
        first_a, first_b, p, q = a, b, source[a], out[b]
        a, b = a + 1, b + 1
        while p != q:
            if p < q:
                p, a = p * source[a], a + 1
            else:
                q, b = q * out[b], b + 1
        if a - first_a == 1 and b - first_b == 1:
            found.append(index[first_b])
        else:
            found += _parts(_flat(index[first_b:b], out[first_b:b]), source[first_a:a])
    return found


def _flat(index: Index, sizes: tuple[int, ...]) -> str:
    flat = within(index[0])
    for i, size in zip(index[1:], sizes[1:], strict=True):
        if size != 1:
            flat = f"({flat} * {size} + {within(i)})"
    return flat


def _parts(flat: str, sizes: tuple[int, ...]) -> Index:
    found: Index = []
    for d, size in enumerate(sizes):
        rest = 1
        for other in sizes[d + 1 :]:
            rest *= other
        part = flat if rest == 1 else f"{flat} / {rest}"
        found.append("0" if size == 1 else part if d == 0 else f"({part}) % {size}")
    return found


def _reshape(n: fx.Node, i: Index) -> Index:
    return reshaped(i, shape(n.args[0]), shape(n))


def _expand(n: fx.Node, i: Index) -> Index:
    source = shape(n.args[0])
    return ["0" if s == 1 else x for s, x in zip(source, i[len(i) - len(source) :], strict=True)]


def _slice(n: fx.Node, i: Index) -> Index:
    given: list[Any] = [*n.args[1:], *[0, None, None, 1][len(n.args) - 1 :]]
    dim, start, _, step = given
    dim %= len(i)
    size = shape(n.args[0])[dim]
    start = start or 0
    start = max(0, min(start + size if start < 0 else start, size))
    own = i[dim] if step == 1 else f"{within(i[dim])} * {step}"
    return [*i[:dim], shifted(own, start), *i[dim + 1 :]]


def _select(n: fx.Node, i: Index) -> Index:
    sizes, given, at = shape(n.args[0]), n.args[1], n.args[2]
    assert isinstance(given, int) and isinstance(at, int)
    dim = given % len(sizes)
    return [*i[:dim], str(at % sizes[dim]), *i[dim:]]


def _permute(n: fx.Node, i: Index) -> Index:
    back = [""] * len(i)
    order: Any = n.args[1]
    for to, source in enumerate(order):
        back[source % len(i)] = i[to]
    return back


def _transpose(n: fx.Node, i: Index) -> Index:
    given: Any = n.args[1:3]
    a, b = (d % len(i) for d in given)
    swapped = list(i)
    swapped[a], swapped[b] = i[b], i[a]
    return swapped


VIEWS: dict[Any, Callable[[fx.Node, Index], Index]] = {
    aten.view.default: _reshape,
    aten._unsafe_view.default: _reshape,
    aten.reshape.default: _reshape,
    aten.unsqueeze.default: _reshape,
    aten.squeeze.default: _reshape,
    aten.squeeze.dim: _reshape,
    aten.squeeze.dims: _reshape,
    aten.expand.default: _expand,
    aten.permute.default: _permute,
    aten.transpose.int: _transpose,
    aten.slice.Tensor: _slice,
    aten.select.int: _select,
    aten.t.default: lambda n, i: i[::-1],
}
FLATTENING = {aten.view.default, aten._unsafe_view.default, aten.reshape.default}
