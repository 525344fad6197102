"""Kinds of inputs that are made row by row, each for the faults that only such rows show.

A row is what one reduction takes in (`reduced_dims`); of an operator that reduces nothing, the last dim of every input. Rows
take turns, and the turns start where the seed says.

    constant  every element of a row the same: 0, 1, -3, a tenth, 64, 2^-10: a variance of 0, a norm of 0, every place a tie.
              What `eps` keeps finite
    faint     normal values times 2^-8, 2^-10, 2^-14, 2^-27, 2^-40: a variance about as large as `eps`, and a norm; whether
              `eps` is there, and inside the root
    offset    1000 or -1000 with noise of a few units in the last place, or of a quarter: a variance by E[x^2] - mu^2
              cancels, an exponential without a shift overflows. Sums of such rows are exact in f32, so that what an operator
              owes there is as narrow as elsewhere
    negative  every score below 0, near to 0 in one row and below -1000 in the next: a maximum that starts at 0. Of several
              inputs that are reduced the first is negative and the second positive, so that their products are negative
    large     normal values times 2^6, 2^10, 2^13 (in types that hold it 2^20 and 2^36 as well), element by element: what
              overflows in between, and what is absorbed in a sum
    ties      so few values that every row holds each of them several times: zeros of both signs, halves, and where piecewise
              functions change arms (1, 3, 6, 20)
    infinite  an infinity of either sign or NaN as the first, the last or the middle element, two that meet, whole rows of
              infinities, all but the last: one element of a row decides, and its place must not
    ordered   rows that ascend, that descend, and such rows with their pieces of 1024 in bit-reversed order: of any two runs
              that are merged a piece comes from the one, and the next from the other
    paired    rows of 256 in patterns of signs, in the second input the same patterns as in the first: the product of two rows
              peaks where they are a pair, far enough for an exponential to overflow where the maximum missed that column
    sunk      every element -inf: what a maximum gives that starts at a large negative number instead. Of `mixed` inputs, where
              an operator is checked on `infinite` ones
    unseen    of two inputs that are multiplied, rows of the first whose product with every row of the second is -inf, and rows
              of the second whose product with every row of the first is: queries that see no key, keys that nobody sees
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from uol.ir.types import DTYPES

RowKind = Literal["constant", "faint", "offset", "negative", "large", "ties", "infinite", "ordered", "paired", "sunk", "unseen"]
Floats = NDArray[np.float64]

EVERYWHERE = frozenset(("large", "ties"))
"""Kinds that all inputs are of; of the others only those are that are reduced over, where any is."""

CONSTANTS = (0.0, 1.0, -3.0, 0.1, 64.0, 2.0**-10)
SCALES = (2.0**-8, 2.0**-10, 2.0**-14, 2.0**-27, 2.0**-40)
ARMS = (0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 1.5, 3.0, -3.0, 6.0, 20.0)


@dataclass(frozen=True, slots=True)
class Turn:
    """The `number`-th of `count` inputs that are of a kind, and where the turns of its rows start."""

    number: int
    count: int
    start: int


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of one input that are to be made: it is the `number`-th of `count` inputs of this kind; `turns` counts rows."""

    number: int
    count: int
    turns: NDArray[np.int64]
    columns: int
    dtype: str
    generator: np.random.Generator

    @property
    def size(self) -> tuple[int, int]:
        return len(self.turns), self.columns

    def normal(self) -> Floats:
        return self.generator.standard_normal(self.size)


def row_values(
    kind: RowKind,
    turn: Turn,
    shape: tuple[int, ...],
    dims: tuple[int, ...],
    dtype: str,
    generator: np.random.Generator,
) -> Floats:
    """Values of an input whose rows lie along `dims`, not yet rounded to its type."""
    rows, columns = rows_and_columns(shape, dims)
    if rows * columns == 0:
        return np.zeros(shape)
    turns = np.arange(rows) + turn.start
    return from_rows(_MAKERS[kind](Rows(turn.number, turn.count, turns, columns, dtype, generator)), shape, dims)


def rows_and_columns(shape: tuple[int, ...], dims: tuple[int, ...]) -> tuple[int, int]:
    """How many rows along `dims` a tensor has, and of how many elements."""
    return prod(n for d, n in enumerate(shape) if d not in dims), prod(shape[d] for d in dims)


def from_rows(table: Floats, shape: tuple[int, ...], dims: tuple[int, ...]) -> Floats:
    """The tensor whose rows along `dims` are those of a table."""
    order = (*(d for d in range(len(shape)) if d not in dims), *dims)
    return np.transpose(table.reshape([shape[d] for d in order]), np.argsort(order)).copy()


def _constant(rows: Rows) -> Floats:
    values = np.array(CONSTANTS)[(rows.turns + rows.number) % len(CONSTANTS)]
    return np.repeat(values[:, None], rows.columns, axis=1)


def _faint(rows: Rows) -> Floats:
    return np.asarray(rows.normal() * np.array(SCALES)[rows.turns % len(SCALES)][:, None])


def _offset(rows: Rows) -> Floats:
    grain, most = max(512 * DTYPES[rows.dtype].epsilon, 2.0**-4), 4
    if rows.dtype == "f64":  # whose squares of sixteenths are exact
        grain, most = 2.0**-30, 2**28
    noise = grain * rows.generator.integers(-most, most + 1, size=rows.size)
    return np.asarray(np.where(rows.turns % 2 == 0, 1000.0, -1000.0)[:, None] + noise)


def _negative(rows: Rows) -> Floats:
    values = np.abs(rows.normal()) + 0.25
    match rows.number:
        case 0:
            return -np.where((rows.turns % 2 == 0)[:, None], values, 16 * values + 1000.0)
        case 1:
            return values
    return rows.normal()


def _large(rows: Rows) -> Floats:
    powers = (6, 10, 13) if rows.dtype.startswith(("f16", "f8")) else (6, 10, 13, 20, 36)
    return np.asarray(rows.normal() * np.ldexp(1.0, rows.generator.choice(np.array(powers), size=rows.size)))


def _ties(rows: Rows) -> Floats:
    return np.asarray(rows.generator.choice(np.array(ARMS), size=rows.size))


def _infinite(rows: Rows) -> Floats:
    table, chosen = rows.normal(), rows.generator.random(len(rows.turns)) < 0.6
    for row in np.flatnonzero(chosen | (rows.count == 1)):
        for place, value in _patterns(rows.columns)[(rows.turns[row] + 4 * rows.number) % PATTERNS]:
            table[row, place] = value
    return table


def _ordered(rows: Rows) -> Floats:
    ascending, places = np.sort(rows.normal(), axis=1), np.arange(rows.columns)
    bits = np.arange(16)
    reversed_bits = ((places[:, None] // 1024 >> bits & 1) << bits[::-1]).sum(axis=1)
    dealt = np.lexsort((places, reversed_bits))
    ways = (ascending, ascending[:, ::-1], ascending[:, dealt], ascending[:, ::-1][:, dealt])
    return np.asarray(np.choose((rows.turns % len(ways))[:, None], ways))


def _paired(rows: Rows) -> Floats:
    if rows.number > 1:
        return rows.normal()
    signs = np.random.Generator(np.random.Philox(0)).choice((-256.0, 256.0), size=(PAIRS, rows.columns))
    return np.asarray(signs[rows.turns % PAIRS])


def _sunk(rows: Rows) -> Floats:
    return np.full(rows.size, -np.inf)


def _unseen(rows: Rows) -> Floats:
    table = rows.normal()
    if rows.number > 1 or rows.count == 1:
        return table
    table[:, :2] = np.abs(table[:, :2]) + 0.25
    first = rows.number == 0
    chosen = rows.turns % (3 if first else 5) == 0
    if first or rows.columns > 1:  # in different columns: two infinities that meet would be one of the other sign
        table[chosen, 0 if first else 1] = -np.inf
    return table


def _patterns(columns: int) -> tuple[tuple[tuple[int | slice, float], ...], ...]:
    """What each of `PATTERNS` rows holds beside numbers: places and what stands there."""
    last = columns - 1
    return (
        *(((place, value),) for place in (0, last, columns // 2) for value in (np.inf, -np.inf, np.nan)),
        ((0, np.inf), (last, -np.inf)),
        ((0, np.inf), (last, np.nan)),
        ((slice(None), -np.inf),),
        ((slice(None), np.inf),),
        ((slice(0, last), -np.inf),),
        (),
    )


PATTERNS = 15
PAIRS = 97
"""Patterns of signs: as many as the golden kernels of attention have keys, so that each of them is a query's peak."""

_MAKERS: dict[str, Callable[[Rows], Floats]] = {
    "constant": _constant,
    "faint": _faint,
    "offset": _offset,
    "negative": _negative,
    "large": _large,
    "ties": _ties,
    "infinite": _infinite,
    "ordered": _ordered,
    "paired": _paired,
    "sunk": _sunk,
    "unseen": _unseen,
}
