"""The order in which a sum of products of more than two tensors is computed: two at a time, the cheapest pair first.

    ab,bc,cd->ad  with  A = 2, B = 30, C = 40, D = 50        ab,bc->ac  then  ac,cd->ad
                  with  A = 50, B = 40, C = 30, D = 2        bc,cd->bd  then  ab,bd->ad
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from uol.ops.variadic import Equation


@dataclass(frozen=True, slots=True)
class Step:
    """Two of the tensors that are left, by their places, are taken out; what `equation` makes of them comes behind the rest."""

    first: int
    second: int
    equation: Equation


def in_pairs(equation: Equation, sizes: Mapping[str, int]) -> tuple[Step, ...]:
    """The steps that compute an equation of two operands or more; `sizes` has the size of every letter.

    Each step takes the pair whose product has the fewest terms, of equals the one with the smaller result. This greedy order
    is not always the cheapest of all, but no step has more terms than all operands at once would have.
    """
    left = list(equation.operands)
    steps = []
    while len(left) > 1:
        best, *others = [_step(left, pair, equation.result) for pair in combinations(range(len(left)), 2)]
        for other in others:  # not `min` with a key, which torch.compile does not trace
            if _cost(other.equation, sizes) < _cost(best.equation, sizes):
                best = other
        steps.append(best)
        left = [*(part for place, part in enumerate(left) if place not in (best.first, best.second)), best.equation.result]
    return tuple(steps)


def _step(left: Sequence[str], pair: tuple[int, int], result: str) -> Step:
    """A pair's product, summed over the letters that nobody else needs; the last pair gives the result."""
    a, b = (left[place] for place in pair)
    needed = {*result, *"".join(part for place, part in enumerate(left) if place not in pair)}
    kept = "".join(letter for letter in dict.fromkeys(a + b) if letter in needed)
    return Step(*pair, Equation((a, b), result if len(left) == 2 else kept))


def _cost(equation: Equation, sizes: Mapping[str, int]) -> tuple[int, int]:
    """The terms of a product, and the elements of its result."""
    return _count("".join(equation.operands), sizes), _count(equation.result, sizes)


def _count(letters: str, sizes: Mapping[str, int]) -> int:
    count = 1
    for letter in dict.fromkeys(letters):  # not `math.prod` of a generator, which torch.compile does not trace
        count *= sizes[letter]
    return count
