"""Faults planted in products on matrix units: each is a finding, or the wrong values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from matrix_kernels import TEXTS, operands, product

from uol.backends.twin import TwinRun, execute_many
from uol.backends.twin.record import Job

SIZES = (33, 40, 72)
"""Tails along m, n and k."""


@dataclass(frozen=True)
class Fault:
    """`wrong` in place of `right` in a kernel. `kinds`: findings of which there is one at least; none where nothing but
    the values is wrong."""

    name: str
    backend: str
    right: str
    wrong: str
    kinds: frozenset[str] = frozenset()

    @property
    def text(self) -> str:
        text = TEXTS[self.backend]
        assert self.right in text, self.right
        return text.replace(self.right, self.wrong)


WAIT = "    uol::wait_copies<1>();\n    __syncthreads();\n"
OUT_OF_BOUNDS = frozenset({"out-of-bounds-global"})
TOO_FEW = frozenset({"compile-error"})
BEYOND = frozenset({"out-of-bounds-index"})
DIVERGENT = frozenset({"divergent-matrix", "deadlock"})

FAULTS = [
    Fault("wait off by one", "cuda", "wait_copies<1>", "wait_copies<2>", frozenset({"copy-in-flight"})),
    Fault("no barrier behind the wait", "cuda", "    __syncthreads();\n", "", frozenset({"race-wr", "race-rw"})),
    Fault("the barrier before the wait", "cuda", WAIT, "".join(reversed(WAIT.splitlines(True))), frozenset({"race-wr"})),
    Fault("no commit in the loop", "cuda", "    uol::commit_copies();\n    for", "    for", frozenset({"copy-in-flight"})),
    Fault("the stage that is read is filled", "cuda", "(tile + 2) % 3", "tile % 3", frozenset({"copy-in-flight"})),
    Fault("two stages for three", "cuda", "% 3 * 4096", "% 2 * 4096", frozenset({"copy-in-flight"})),
    Fault("no zero fill of a", "cuda", "a_from, k < K)", "a_from)", OUT_OF_BOUNDS),
    Fault("no zero fill of b", "cuda", ", kb < K && n < N)", ")", OUT_OF_BOUNDS),
    Fault("no clamp of rows", "cuda", "uol::min(m0 + row + i * 16, M - 1)", "(m0 + row + i * 16)", OUT_OF_BOUNDS),
    Fault("swizzle of stores alone", "cuda", "(lane / 16 ^ lane / 2 % 4) * 16", "(lane / 16) * 16"),
    Fault("halves of b swapped", "cuda", "b_part[j / 2] + j % 2 * 2", "b_part[j / 2] + (1 - j % 2) * 2"),
    Fault("b not transposed", "cuda", "load_matrices_transposed", "load_matrices"),
    Fault("half of a warp multiplies", "cuda", "        uol::mma", "        if (lane < 16) uol::mma", DIVERGENT),
    Fault("rows at a multiple of 4", "cuda", "const int at = lane", "const int at = 4 + lane", frozenset({"misaligned"})),
    Fault(
        "copies to a multiple of 8",
        "cuda",
        "+ to + i * 1024 + write,",
        "+ to + 8 + i * 1024 + write,",
        frozenset({"misaligned"}),
    ),
    Fault("registers for three words of four", "cuda", "unsigned a_part[4];", "unsigned a_part[3];", TOO_FEW),
    Fault("registers for three words of four", "hip", "unsigned a_in[4];", "unsigned a_in[3];", TOO_FEW),
    Fault("registers for one word of two", "hip", "unsigned b_part[2];", "unsigned b_part[1];", TOO_FEW),
    Fault("a fragment behind the last one", "cuda", "b_part[j / 2] + j % 2 * 2", "b_part[j / 2] + (1 + j % 2) * 2", BEYOND),
    Fault("rows behind the last one", "hip", "transpose_4x4(b_in)", "transpose_4x4(b_in + t % 2)", BEYOND),
    Fault("no barrier", "hip", "    __syncthreads();\n", "", frozenset({"race-wr"})),
    Fault("one stage", "hip", "tile % 2 * 2048", "0", frozenset({"race-rw"})),
    Fault("no zero fill of a", "hip", ", tile * 16 + t % 2 * 8 < K)", ")", OUT_OF_BOUNDS),
    Fault(
        "rows that the machine does not check",
        "hip",
        "a_from, tile",
        "a_row * K * 2 + t % 2 * 16, m0 * K * 2 + tile",
        OUT_OF_BOUNDS,
    ),
    Fault("no transpose", "hip", "      uol::transpose_4x4(b_in);\n", ""),
    Fault("halves of k swapped on one side", "hip", "(a_at ^ (kk ^ t", "(a_at ^ (1 ^ kk ^ t"),
    Fault("half of a wave multiplies", "hip", "      uol::mfma", "      if (t < 32) uol::mfma", DIVERGENT),
]


@pytest.fixture(scope="module")
def runs() -> dict[str, TwinRun]:
    buffers, sizes = operands(*SIZES)
    texts = {**{(name, "right"): text for name, text in TEXTS.items()}, **{(f.backend, f.name): f.text for f in FAULTS}}
    jobs = [Job(product(backend, text, *SIZES), buffers, sizes) for (backend, _), text in texts.items()]
    return {f"{backend}: {name}": run for (backend, name), run in zip(texts, execute_many(jobs), strict=True)}


def is_right(run: TwinRun) -> bool:
    """Is the result the product, as nearly as f32 sums of 72 products of f16 are?"""
    buffers, _ = operands(*SIZES)
    exact = buffers["a"].astype(np.float64) @ buffers["b"].astype(np.float64)
    return bool(np.abs(run.outputs["y"] - exact).max() <= 1e-3)


@pytest.mark.parametrize("backend", TEXTS)
def test_the_kernels_themselves_are_right(runs: dict[str, TwinRun], backend: str) -> None:
    run = runs[f"{backend}: right"]
    assert not run.findings, [str(f) for f in run.findings]
    assert is_right(run)
    m, n, k = SIZES
    tile_k, each = {"cuda": (32, 2 * 32 * 32 * 32), "hip": (16, 2 * 32 * 32 * 16)}[backend]
    assert run.counts["matrix operations f16"] == -(-m // 32) * -(-n // 32) * -(-k // tile_k) * each


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f"{f.backend}: {f.name}")
def test_a_fault_is_found(runs: dict[str, TwinRun], fault: Fault) -> None:
    run = runs[f"{fault.backend}: {fault.name}"]
    if fault.kinds:
        assert {f.kind for f in run.findings} & fault.kinds, [str(f) for f in run.findings]
        return
    assert not run.findings, [str(f) for f in run.findings]
    assert not is_right(run)
