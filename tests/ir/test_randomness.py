"""Threefry-2x32-20 against the known answers of Random123 (kat_vectors), and through a text."""

from __future__ import annotations

import numpy as np
import pytest

from uol.ir import Library, instantiate, interpret, parse
from uol.ir.program.threefry import random_bits, threefry

KNOWN_ANSWERS = [  # words of the block's number, of the key, of the result
    ((0x00000000, 0x00000000), (0x00000000, 0x00000000), (0x6B200159, 0x99BA4EFE)),
    ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
    ((0x243F6A88, 0x85A308D3), (0x13198A2E, 0x03707344), (0xC4923A9C, 0x483DF7A0)),
]


def signed(low: int, high: int) -> int:
    return int(np.uint64(high << 32 | low).astype(np.int64))


@pytest.mark.parametrize(("block", "key", "words"), KNOWN_ANSWERS)
def test_known_answers(block: tuple[int, int], key: tuple[int, int], words: tuple[int, int]) -> None:
    got = threefry(np.array([signed(*key)]), np.array([signed(*block)]))
    assert tuple(int(word[0]) for word in got) == words


@pytest.mark.parametrize("number", [0, 1, 5, 2**31, 2**62 - 1, -1, -(2**62)])
def test_bits_are_the_words_of_the_blocks_one_after_another(number: int) -> None:
    key = np.array(-3)
    got = random_bits(key, np.array([2 * number, 2 * number + 1]))
    assert tuple(int(bits) & 0xFFFFFFFF for bits in got) == tuple(int(word) for word in threefry(key, np.array(number)))
    assert all(-(2**31) <= int(bits) < 2**31 for bits in got)


def test_a_text_counts_by_logical_index() -> None:
    (op,) = parse("op noise(x: i32[M, N]; seed: int = 0) -> (y: i32[M, N]) { y[m, n] = random_bits(seed, m * N + n) }")
    program = instantiate(op, Library(), types={}, dims={"M": 3, "N": 5})
    assert [s.name for s in program.scalars] == ["seed"]
    got = interpret(program, {"x": np.zeros((3, 5))}, {"seed": 7})["y"]
    np.testing.assert_array_equal(got.reshape(-1), random_bits(np.array(7), np.arange(15)))


def test_bits_look_uniform() -> None:
    got = random_bits(np.array(3), np.arange(100_000)) / 2.0**32
    assert abs(got.mean()) < 0.004
    assert abs(got.std() - 12**-0.5) < 0.004
    assert len(np.unique(got)) > 99_990
