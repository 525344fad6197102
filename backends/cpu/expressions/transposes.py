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


def transposed(code: Builder, rows: Sequence[Term]) -> list[Term]:
    """The columns of a block of as many rows as lanes, a power of two.

    Interleaving rows i and i + n/2 for every i < n/2 is a perfect shuffle of the block's elements: it turns the number of an
    element, row and lane as one, by a bit. After as many turns as a row's number has bits, row and lane have changed places.
    """
    lanes = len(rows)
    halves = [[lane // 2 + lanes * (lane % 2) + half for lane in range(lanes)] for half in (0, lanes // 2)]
    for _ in range(lanes.bit_length() - 1):
        pairs = zip(rows[: lanes // 2], rows[lanes // 2 :], strict=True)
        rows = [code.bind("column", shuffled(pair, places)) for pair in pairs for places in halves]
    return list(rows)


def shuffled(vectors: Sequence[Term], places: Sequence[int]) -> Term:
    """The elements at the places, of the vectors one behind another."""
    return tirx.Shuffle(list(vectors), [tirx.const(place, "int32") for place in places])
