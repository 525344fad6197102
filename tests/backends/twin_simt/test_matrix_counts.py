"""What a reading of texts on matrix units says, against a counted run of them in the twin."""

from __future__ import annotations

import numpy as np
import pytest
from matrix_kernels import SHARED_BYTES, TEXTS, operands, product

from uol.backends.simt.choosing.occupancy import registers_of
from uol.backends.simt.machine.limits import SECTOR_BYTES
from uol.backends.simt.reading.parse import read_kernels
from uol.backends.simt.reading.run import Reading
from uol.backends.simt.reading.units import STATEMENT_UNITS
from uol.backends.twin import Job, execute_many
from uol.codegen.backend import Launch
from uol.ir.integers.intervals import Interval

SIZES = {"tails": (33, 40, 72), "one row": (1, 8, 8), "whole tiles": (64, 64, 96), "no k": (5, 8, 0)}


def in_one_row(text: str, n: int) -> str:
    """The kernel with a grid of one axis, as emitted ones have it."""
    tiles = -(-n // 32)
    return text.replace("blockIdx.y", f"blockIdx.x / {tiles}").replace("= blockIdx.x *", f"= blockIdx.x % {tiles} *")


def read(text: str, backend: str, m: int, n: int, k: int, turns: int = 64) -> dict[tuple[str, str], Interval]:
    (kernel,) = read_kernels(text)
    grid, width = -(-m // 32) * -(-n // 32), {"cuda": 32, "hip": 64}[backend]
    values = {name: np.array([[size]]) for name, size in (("M", m), ("N", n), ("K", k))}
    reading = Reading(kernel, np.arange(grid), grid, 64, [width], turns, values)
    return reading.run()[width].of_grid(range(grid), grid)


def total(found: dict[tuple[str, str], Interval], kind: str) -> Interval:
    return sum((count for (of, _), count in found.items() if of == kind), Interval(0, 0))


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("backend", TEXTS)
def test_a_reading_counts_what_the_twin_counts(backend: str, sizes: str) -> None:
    m, n, k = SIZES[sizes]
    text = in_one_row(TEXTS[backend], n)
    found = read(text, backend, m, n, k)
    one_row = Launch((-(-m // 32) * -(-n // 32), 1, 1), (64, 1, 1), SHARED_BYTES[backend])
    module = product(backend, text, m, n, k, one_row)
    buffers, dims = operands(m, n, k)
    (run,) = execute_many([Job(module, buffers, dims, counted=True)])
    assert not run.findings, [str(f) for f in run.findings]
    seen = run.counts
    moved = seen["shared_load_bytes"] + seen["shared_store_bytes"]
    assert total(found, "scratch") == Interval(moved, moved)
    loads = seen["global_load_sectors"] * SECTOR_BYTES
    assert total(found, "load") == Interval(loads, loads)
    stores = seen["global_store_sectors"] * SECTOR_BYTES
    assert total(found, "store") == Interval(stores, stores)
    operations = seen["matrix operations f16"]
    assert found.get(("operation", "f16-matrix"), Interval(0, 0)) == Interval(operations, operations)
    statements = {unit: seen[f"statements {unit}"] for unit in STATEMENT_UNITS}
    assert {u: found.get(("statement", u), Interval(0, 0)) for u in statements} == {
        u: Interval(s, s) for u, s in statements.items()
    }
    assert (
        found[("primitive", "barrier")].low == seen["barriers"] if seen["barriers"] else ("primitive", "barrier") not in found
    )


@pytest.mark.parametrize("backend", TEXTS)
def test_few_turns_say_what_many_do(backend: str) -> None:
    """Pointers are followed to the turns that are read: all of them move as much."""
    text = in_one_row(TEXTS[backend], 64)
    few, many = (read(text, backend, 64, 64, 32 * 40, turns) for turns in (5, 64))
    for kind in ("load", "store", "scratch"):
        low, high = total(many, kind).low, total(few, kind).high
        assert low is not None and high is not None
        assert total(few, kind).low == high
        assert abs(high - low) <= 0.05 * low


def test_a_pipeline_waits_once_for_its_groups_in_flight() -> None:
    text = in_one_row(TEXTS["cuda"], 64)
    waits = {
        groups: read(text.replace("wait_copies<1>", f"wait_copies<{groups}>"), "cuda", 64, 64, 32 * 40) for groups in (0, 1, 3)
    }
    assert {groups: found[("wait", "memory")].low for groups, found in waits.items()} == {0: 4 * 40, 1: 4 * 20, 3: 4 * 10}


def test_registers_are_those_of_fragments_sums_and_pointers() -> None:
    """Of a text with 16 sums, 12 registers of fragments, a pointer, 12 places; a range lies in scalar registers."""
    (kernel,) = read_kernels(TEXTS["cuda"])
    of_pointer, alone = (registers_of(next(read_kernels(text))) for text in (pointer_text(20), pointer_text(0)))
    assert of_pointer - alone == 2 * 20
    assert 16 + 12 + 2 + 12 < registers_of(kernel) <= 80
    (ranged,) = read_kernels(TEXTS["hip"])
    assert registers_of(ranged) <= registers_of(kernel)


def pointer_text(number: int) -> str:
    declared = f"const float* from[{number}];" if number else ""
    return f'extern "C" __global__ void __launch_bounds__(64) f(const float* __restrict__ x) {{ {declared} }}'
