"""What is known of the tiles of cols of all blocks, beside a count of those that each block sees."""

from __future__ import annotations

import pytest

from uol.backends.simt.attention.matrix.known_tiles import KnownTiles
from uol.backends.simt.attention.matrix.seen import Bound
from uol.codegen.indexing.arithmetic import add
from uol.ir.program.nodes import Call, Const, Expr, Var


def bound(beyond: int, step: int = 1) -> Bound:
    """Row i sees cols before `step` * i + beyond."""
    row = Var("i")
    at = add(Call("*", (row, Const(step)), "idx") if step != 1 else row, Const(beyond))
    return Bound(Call("<", (Var("j"), at), "bool"), at, "i", is_end=True)


@pytest.mark.parametrize(
    ("rows", "cols", "tile", "beyond"),
    [
        (118, 103, (16, 32), (1,)),
        (118, 103, (32, 32), (1,)),
        (128, 128, (64, 32), (1,)),
        (64, 64, (32, 64), (1,)),
        (200, 64, (16, 32), (1,)),
        (40, 65, (16, 32), ()),
        (40, 64, (16, 32), ()),
        (40, 20, (16, 32), (1,)),
        (96, 96, (32, 32), (17,)),
        (96, 96, (32, 32), (-40,)),
        (96, 200, (32, 32), (1, 5)),
    ],
)
def test_what_is_known_is_what_each_block_sees(rows: int, cols: int, tile: tuple[int, int], beyond: tuple[int, ...]) -> None:
    known = KnownTiles.of(Const(rows), Const(cols), [bound(each) for each in beyond], *tile)
    numbers, masked = [], []
    for m0 in range(0, rows, tile[0]):
        seen = [
            [all(col < row + each for each in beyond) and col < cols for col in range(cols + tile[1])]
            for row in (m0, m0 + tile[0] - 1)
        ]
        tiles = -(-sum(seen[1]) // tile[1])
        whole = sum(seen[0]) // tile[1]
        numbers.append(tiles)
        masked.append(list(range(whole, tiles)))
    assert known.least == min(numbers)
    assert known.is_whole == (cols >= tile[1])
    assert known.one_masked == all(each == [number - 1] for each, number in zip(masked, numbers, strict=True))


@pytest.mark.parametrize("sizes", [(Var("L"), Const(64)), (Const(64), Var("M"))])
def test_nothing_is_known_of_sizes_that_are_arguments(sizes: tuple[Expr, Expr]) -> None:
    known = KnownTiles.of(*sizes, [bound(1)], 16, 32)
    assert (known.least, known.one_masked) == (0, False)
    assert known.is_whole == isinstance(sizes[1], Const)


def test_nothing_is_known_of_a_bound_that_is_an_argument() -> None:
    given = Bound(Call("<", (Var("j"), Var("length")), "bool"), Var("length"), "i", is_end=True)
    assert KnownTiles.of(Const(64), Const(64), [given], 16, 32) == KnownTiles(is_whole=True)
