"""Random operators on every floor; what agrees with what, and by which measure, stands in `every_floor`.

The suite takes fixed seeds. `make soak` takes more of them, from where UOL_SOAK_SEED says, UOL_SOAK_COUNT a target.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import pytest
from every_floor import Ready, kernels_agree, meanings_agree, ready, twins_agree
from kernel_ops import FLOATS, kernel_case

TARGETS = ("cuda", "hip", "ascendc")
BLOCK = 12
"""Operators a test: so many fail or pass together, and are compiled together for a twin."""
BATCH = 40
"""Operators that the soak compiles together for a twin."""
FIRST = int(os.environ.get("UOL_SOAK_SEED", "100000"))
COUNT = int(os.environ.get("UOL_SOAK_COUNT", "400"))


def accepted(seeds: Sequence[int], dtypes: Sequence[str] = FLOATS) -> list[Ready]:
    """The operators of these seeds that the checker takes: most of them, or the tests would be of nothing."""
    items = [ready(kernel_case(seed, dtypes[seed % len(dtypes)])) for seed in seeds]
    taken = [item for item in items if item is not None]
    assert len(taken) >= 0.6 * len(items)
    return taken


@pytest.mark.parametrize("block", [0, 1, *(pytest.param(n, marks=pytest.mark.soak) for n in (2, 3, 4))])
def test_meanings_and_cpu_kernels_agree(block: int) -> None:
    compared = 0
    for item in accepted(range(block * BLOCK, (block + 1) * BLOCK)):
        compared += meanings_agree(item)
        assert kernels_agree(item), f"the CPU refuses an operator\n{item.case}"
    assert compared > 100


@pytest.mark.parametrize("target", TARGETS)
def test_twins_agree(target: str) -> None:
    found = twins_agree(accepted(range(1000, 1000 + BLOCK), ("f32", "f16")), target)
    assert found.ran >= BLOCK // 3
    assert not found.wrong, "\n".join(map(str, found.wrong))


@pytest.mark.soak
def test_soak_of_meanings_and_cpu_kernels() -> None:
    wrong = []
    for item in accepted(range(FIRST, FIRST + COUNT)):
        try:
            meanings_agree(item)
            kernels_agree(item)
        except Exception as error:  # all of them are wanted, not the first
            wrong.append(f"{type(error).__name__}: {error}\n{item.case}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.soak
@pytest.mark.parametrize("target", TARGETS)
def test_soak_of_twins(target: str) -> None:
    wrong: list[str] = []
    for start in range(FIRST, FIRST + COUNT, BATCH):
        wrong += map(str, twins_agree(accepted(range(start, min(start + BATCH, FIRST + COUNT))), target).wrong)
    assert not wrong, "\n".join(wrong)
