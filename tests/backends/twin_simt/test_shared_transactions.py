"""Transactions of shared memory: what 64 threads take, two warps of 32 or one wave in two halves."""

from __future__ import annotations

import numpy as np
import pytest
from hand_written import dense, module

from uol.backends.twin import TwinRun, execute, execute_many
from uol.backends.twin.record import Job
from uol.codegen.backend import Launch, Module

TEXT = """#include "uol_device.h"

extern "C" __global__ void __launch_bounds__(64) kernel(const float* __restrict__ x, float* __restrict__ y)
{{
  __shared__ __align__(16) {element} s[4096];
  const int t = threadIdx.x;
  {store}
  __syncthreads();
  {load}
}}
"""


def same_place(place: str) -> tuple[str, str]:
    return f"s[{place}] = x[t];", f"y[t] = s[{place}];"


CASES = {
    "a word a lane": ("float", *same_place("t"), 2, 2),
    "all in one bank": ("float", *same_place("t % 32 * 32 + t / 32"), 64, 64),
    "a pitch of 33": ("float", *same_place("t % 32 * 33 + t / 32"), 2, 2),
    "a pitch of 34": ("float", *same_place("t % 32 * 34 + t / 32"), 4, 4),
    "every other word": ("float", *same_place("2 * t"), 4, 4),
    "one word for all": ("float", "s[t] = x[t];", "y[t] = s[5];", 2, 2),
    "two words of one bank": ("float", "s[t] = x[t];", "y[t] = s[t % 2 * 32];", 2, 4),
    "half a word a lane": ("short", *same_place("t"), 2, 2),
    "half a word, two words apart": ("short", *same_place("4 * t"), 4, 4),
    "two words a lane": ("double", *same_place("t"), 4, 4),
    "four words a lane": (
        "float",
        "uol::store_vector<4>(s + 4 * t, uol::load_vector<4>(x));",
        "y[t] = uol::load_vector<4>(s + 4 * t).at[3];",
        8,
        8,
    ),
    "some lanes only": ("float", "if (t % 2) s[t] = x[t];", "y[t] = t % 2 ? s[t] : 0.0f;", 2, 2),
    "some lanes more often": ("float", "for (int i = 0; i <= t % 2; ++i) s[t + 64 * i] = x[t];", "y[t] = s[t];", 4, 2),
    "a loop whose conflicts come late": (
        "float",
        "for (int i = 1; i < 3; ++i) s[i * t + 256 * i] = x[t];",
        "y[t] = s[256 + t];",
        6,
        2,
    ),
}
CONFLICTS = {
    "all in one bank": (62, 62),
    "a pitch of 34": (2, 2),
    "every other word": (2, 2),
    "two words of one bank": (0, 2),
    "half a word, two words apart": (2, 2),
    "a loop whose conflicts come late": (2, 0),
}
"""Of stores and loads, what lanes that are served at once take beyond one transaction."""


def text_module(backend: str, text: str) -> Module:
    buffers = [dense("x", "f32", [64], "in"), dense("y", "f32", [64], "out")]
    return module(backend, text, buffers, {"kernel": Launch((1, 1, 1), (64, 1, 1))})


@pytest.fixture(scope="module", params=["cuda", "hip"])
def runs(request: pytest.FixtureRequest) -> dict[str, TwinRun]:
    texts = [TEXT.format(element=element, store=store, load=load) for element, store, load, _, _ in CASES.values()]
    x = np.arange(64, dtype=np.float32)
    return dict(zip(CASES, execute_many([Job(text_module(request.param, text), {"x": x}) for text in texts]), strict=True))


@pytest.mark.parametrize("name", CASES)
def test_a_bank_gives_one_word_at_a_time(runs: dict[str, TwinRun], name: str) -> None:
    *_, stores, loads = CASES[name]
    run = runs[name]
    assert not run.findings
    assert (run.counts["shared_store_transactions"], run.counts["shared_load_transactions"]) == (stores, loads)
    conflicts = (run.counts["shared_store_conflicts"], run.counts["shared_load_conflicts"])
    assert conflicts == CONFLICTS.get(name, (0, 0))


LEAVING = """#include "uol_device.h"

extern "C" __global__ void __launch_bounds__(64) kernel(const float* __restrict__ x, float* __restrict__ y)
{
  __shared__ float s[64];
  const int t = threadIdx.x;
  y[t] = 0.0f;
  if (t >= 40) return;
  s[t] = x[t];
  y[t] = s[t];
}
"""


@pytest.mark.parametrize("backend", ["cuda", "hip"])
def test_what_follows_the_last_barrier_counts_too(backend: str) -> None:
    run = execute(text_module(backend, LEAVING.replace("float s[64]", "volatile float s[64]")), {"x": np.ones(64, np.float32)})
    assert not run.findings
    assert run.counts["shared_store_transactions"] == run.counts["shared_load_transactions"] == 2


@pytest.mark.parametrize("backend", ["cuda", "hip"])
def test_an_unchecked_run_counts_none(backend: str) -> None:
    run = execute(text_module(backend, LEAVING), {"x": np.ones(64, np.float32)}, checked=False)
    assert "shared_load_transactions" not in run.counts
