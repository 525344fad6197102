"""Square blocks of a matrix, transposed in registers: what a copy into another order does for a vector of rows at a time."""

from __future__ import annotations

from collections.abc import Sequence

from tvm import tirx

from uol.backends.cpu.expressions.builder import Builder, index
from uol.backends.cpu.expressions.dtypes import Term


def vector_at(buffer: Term, offset: Term, lanes: int) -> Term:
    """The elements of a buffer from `offset` on, as one vector."""
    return tirx.BufferLoad(buffer, [_places(offset, lanes)])


def put_vector(code: Builder, buffer: Term, offset: Term, vector: Term, lanes: int) -> None:
    code.add(tirx.BufferStore(buffer, vector, [_places(offset, lanes)]))


def _places(first: Term, lanes: int) -> Term:
    """Neighbours. One is no vector to TVM."""
    return tirx.Ramp(first, index(1), lanes) if lanes > 1 else first


def transposed(code: Builder, rows: Sequence[Term], width: int = 0) -> list[Term]:
    """The columns of a block of as many rows as lanes, a power of two. `width`: elements of a row, a power of two where there
    are fewer.

    Interleaving rows i and i + n/2 for every i < n/2 is a perfect shuffle of the block's elements: it turns the number of an
    element, row and lane as one, by a bit. After as many turns as a row's number has bits, row and lane have changed places.
    Shorter rows are interleaved first, so that each vector has those whose numbers have one rest by the width.
    """
    lanes, width = len(rows), width or len(rows)
    if width < lanes:
        places = [row * width + column for column in range(width) for row in range(lanes // width)]
        rows = [code.hold("rows", shuffled(rows[first::width], places)) for first in range(width)]
    halves = [[lane // 2 + lanes * (lane % 2) + half for lane in range(lanes)] for half in (0, lanes // 2)]
    for _ in range(width.bit_length() - 1):
        pairs = zip(rows[: width // 2], rows[width // 2 :], strict=True)
        rows = [code.hold("column", shuffled(pair, places)) for pair in pairs for places in halves]
    return list(rows)


def shuffled(vectors: Sequence[Term], places: Sequence[int]) -> Term:
    """The elements at the places, of the vectors one behind another."""
    return tirx.Shuffle(list(vectors), [tirx.const(place, "int32") for place in places])
