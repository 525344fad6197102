"""In which pairs an equation is computed, against numpy's order."""

from math import prod

import numpy as np
import pytest

from uol.ops.einsum_order import in_pairs
from uol.ops.variadic import equation_of

CHAINS = {
    "ab,bc,cd->ad": [dict(zip("abcd", s, strict=True)) for s in ((2, 30, 40, 50), (50, 40, 30, 2), (9, 9, 9, 9))],
}


def operations(equation: str, sizes: dict[str, int]) -> int:
    steps = in_pairs(equation_of(equation), sizes)
    return sum(prod(sizes[letter] for letter in set("".join(step.equation.operands))) for step in steps)


@pytest.mark.parametrize(("equation", "sizes"), [(e, s) for e, each in CHAINS.items() for s in each])
def test_short_chains_take_as_few_products_as_numpys_best_order(equation: str, sizes: dict[str, int]) -> None:
    arrays = [np.broadcast_to(np.float32(0), [sizes[c] for c in part]) for part in equation.split("->")[0].split(",")]
    left, terms = equation.split("->")[0].split(","), 0
    for places in np.einsum_path(equation, *arrays, optimize="optimal")[0][1:]:
        taken = [left[place] for place in places]
        left = [part for place, part in enumerate(left) if place not in places]
        terms += prod(sizes[letter] for letter in set("".join(taken)))
        needed = {*equation.split("->")[1], *"".join(left)}
        left.append("".join(c for c in dict.fromkeys("".join(taken)) if c in needed))
    assert operations(equation, sizes) == terms


def test_no_step_has_more_terms_than_all_operands_at_once() -> None:
    sizes = dict(zip("ijklmn", (5, 80, 3, 90, 4, 60), strict=True))
    for step in in_pairs(equation_of("ij,jk,kl,lm,mn,ni->"), sizes):
        assert prod(sizes[letter] for letter in set("".join(step.equation.operands))) <= prod(sizes.values())


def test_the_last_step_gives_the_letters_of_the_result_in_order() -> None:
    steps = in_pairs(equation_of("i,j,k->kji"), {"i": 2, "j": 3, "k": 4})
    assert steps[-1].equation.result == "kji"
