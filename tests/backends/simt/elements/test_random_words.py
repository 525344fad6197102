"""Random words of elements side by side: of whole blocks, each made once; where blocks are not whole, word by word."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import uol
from uol.backends import registry
from uol.backends.twin import Job, execute_many
from uol.ir import parse
from uol.ir.program.threefry import random_bits

SEED = 2**40 + 7
ROWS, COLUMNS = 6, 24

Numbers = Callable[[np.ndarray, np.ndarray], np.ndarray]
# name: (the number of an element's word, the same by numpy, words a call has)
CALLS: dict[str, tuple[str, Numbers, int]] = {
    "of each element": ("r * C + c", lambda r, c: r * COLUMNS + c, 4),
    "from an even one on": ("r * 100 + c + 2", lambda r, c: r * 100 + c + 2, 4),
    "of a column": ("c", lambda r, c: c, 4),
    "from an odd one on": ("r * C + c + 1", lambda r, c: r * COLUMNS + c + 1, 0),
    "rows of an odd length": ("r * 25 + c", lambda r, c: r * 25 + c, 0),
    "every other": ("2 * c", lambda r, c: 2 * c, 0),
    "backwards": ("-c", lambda r, c: -c, 0),
    "alike": ("r", lambda r, c: r, 0),
    "by data": ("at[r, c]", lambda r, c: (5 * r + c) % 7, 0),
}


@pytest.mark.parametrize("target", ["cuda", "hip"])
@pytest.mark.parametrize(("number", "by_numpy", "words"), CALLS.values(), ids=CALLS)
def test_bits_are_those_of_their_numbers(target: str, number: str, by_numpy: Numbers, words: int) -> None:
    text = "op f(at: i32[R, C]; seed: int) -> (y: i32[R, C]) { y[r, c] = random_bits(seed, %s) }"
    kernel = uol.compile(parse(text % number)[0], target, dims={"R": ROWS, "C": COLUMNS}, attrs={"seed": SEED})
    device = kernel.module.device.text
    assert (f"uol::random_words<{words}>(" in device) is bool(words)
    assert ("uol::random_bits(" in device) is not bool(words)
    r, c = np.indices((ROWS, COLUMNS))
    at = ((5 * r + c) % 7).astype(np.int32)
    capability = registry.get(target).capability
    buffers = {each.name: at for each in kernel.inputs}
    (run,) = execute_many([Job(kernel.module, buffers, {"seed": SEED}, capability=capability)])
    assert not run.findings
    np.testing.assert_array_equal(run.outputs["y"], random_bits(np.array(SEED), by_numpy(r, c)))


def test_a_seed_of_its_own_for_each_element_has_no_block() -> None:
    text = "op f(key: i64[R, C]) -> (y: i32[R, C]) { y[r, c] = random_bits(key[r, c], r * C + c) }"
    kernel = uol.compile(parse(text)[0], "cuda", dims={"R": ROWS, "C": COLUMNS})
    assert "random_words" not in kernel.module.device.text


def test_columns_of_any_length_have_blocks_where_they_are_whole() -> None:
    kernel = uol.compile("dropout", "cuda", "f32", {"S": (None, None)}, {"seed": SEED})
    texts = kernel.module.device.text.split('extern "C"')[1:]
    assert [("random_words<4>" in each, "random_words<2>" in each) for each in texts[:2]] == [(True, False), (False, True)]
    assert "random_bits(" in texts[-1]
