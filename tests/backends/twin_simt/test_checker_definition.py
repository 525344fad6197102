"""The checker against the definition of a race, on random programs.

A program is a table: in every step each thread makes one access (a read or a write of 1, 2 or 4 bytes, an atomic addition of
4, or none), and then all threads pass a block barrier, a warp barrier, or nothing. Two accesses of one byte by different
threads, not both of them reads nor both additions, race unless a block barrier, or for threads of one warp a warp barrier, lies
between. Such accesses of different blocks always race.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hand_written import MACHINES, dense, module
from numpy.typing import NDArray
from turns import by_turns

from uol.backends.twin import Job, execute_many
from uol.codegen.backend import Launch, Module

THREADS, STEPS, BYTES = 128, 4, 16
NOTHING, READ, WRITE, ADD = 0, 1, 2, 3
BLOCK_BARRIER, WARP_BARRIER = 1, 2

TEXT = """#include "uol_device.h"
extern "C" __global__ void clear(const int* accesses, const int* barriers, unsigned char* memory, int* out)
{{
  if (blockIdx.x == 0 && threadIdx.x < {bytes}) memory[threadIdx.x] = 0;
}}
extern "C" __global__ void kernel(const int* accesses, const int* barriers, unsigned char* memory, int* out)
{{
  __shared__ __align__(4) unsigned char s[{bytes}];
  const int t = threadIdx.x, block = blockIdx.x;
  unsigned char* m = {memory};
  if ({shared} && t < {bytes}) m[t] = 0;
  __syncthreads();
  int sum = 0;
  for (int step = 0; step < {steps}; ++step) {{
    const int* mine = accesses + 3 * ((block * {steps} + step) * {threads} + t);
    const int kind = mine[0], size = mine[1], at = mine[2];
    if (kind == {read} && size == 1) sum += m[at];
    if (kind == {read} && size == 2) sum += *reinterpret_cast<unsigned short*>(m + at);
    if (kind == {read} && size == 4) sum += *reinterpret_cast<unsigned*>(m + at);
    if (kind == {write} && size == 1) m[at] = 1;
    if (kind == {write} && size == 2) *reinterpret_cast<unsigned short*>(m + at) = 1;
    if (kind == {write} && size == 4) *reinterpret_cast<unsigned*>(m + at) = 1;
    if (kind == {add}) uol::atomic_add(reinterpret_cast<int*>(m), at / 4, 1);
    if (barriers[block * {steps} + step] == {block_barrier}) __syncthreads();
    if (barriers[block * {steps} + step] == {warp_barrier}) uol::warp_barrier();
  }}
  out[block * {threads} + t] = sum;
}}
"""

SOME_THREADS = [0, 1, 33, 63, 64, 100]

Programs = tuple[NDArray[np.int32], NDArray[np.int32]]


def scattered(rng: np.random.Generator, blocks: int) -> Programs:
    """A few accesses anywhere."""
    accesses = np.zeros((blocks, STEPS, THREADS, 3), np.int32)
    for _ in range(int(rng.integers(2, 7))):
        block, step, thread = rng.integers(blocks), rng.integers(STEPS), rng.choice(SOME_THREADS)
        size = int(rng.choice([1, 2, 4]))
        accesses[block, step, thread] = (int(rng.choice([READ, READ, WRITE])), size, rng.integers(BYTES // size) * size)
    return accesses, rng.integers(0, 3, (blocks, STEPS)).astype(np.int32)


def crowded(rng: np.random.Generator, blocks: int) -> Programs:
    """Readers of one byte, then one writer, most often one of the readers."""
    accesses = np.zeros((blocks, STEPS, THREADS, 3), np.int32)
    reader = SOME_THREADS[0]
    for _ in range(int(rng.integers(1, 4))):
        reader = rng.choice(SOME_THREADS)
        accesses[rng.integers(blocks), rng.integers(STEPS - 1), reader] = (READ, 1, 5)
    writer = reader if rng.random() < 0.7 else rng.choice(SOME_THREADS)
    accesses[blocks - 1, STEPS - 1, writer] = (WRITE, 1, 5)
    return accesses, rng.choice([0, 0, 0, 1, 2, 2], (blocks, STEPS)).astype(np.int32)


def added(rng: np.random.Generator, blocks: int) -> Programs:
    """Additions to one word, and mostly one other access of it."""
    accesses = np.zeros((blocks, STEPS, THREADS, 3), np.int32)
    for _ in range(int(rng.integers(2, 5))):
        accesses[rng.integers(blocks), rng.integers(STEPS), rng.choice(SOME_THREADS)] = (ADD, 4, 8)
    if rng.random() < 0.8:
        accesses[rng.integers(blocks), rng.integers(STEPS), rng.choice(SOME_THREADS)] = (rng.choice([READ, WRITE]), 2, 10)
    return accesses, rng.choice([0, 1, 1, 2, 2], (blocks, STEPS)).astype(np.int32)


def races(programs: Programs, lanes: int, memory: str) -> set[str]:
    """The kinds of race that the definition sees, blocks in launch order and threads in any."""
    accesses, barriers = programs
    events = []
    for block, step, thread in np.argwhere(accesses[..., 0] != NOTHING):
        kind, size, at = accesses[block, step, thread]
        before = barriers[block, :step]
        interval, epoch = int((before == BLOCK_BARRIER).sum()), int((before == WARP_BARRIER).sum())
        events.append((int(block), interval, epoch, int(thread), int(kind), range(at, at + size)))
    found = set()
    for (b1, i1, e1, t1, k1, r1), (b2, i2, e2, t2, k2, r2) in combinations(events, 2):
        if k1 == k2 and k1 in (READ, ADD) or not set(r1) & set(r2):
            continue
        if b1 != b2:
            if memory == "global":
                found.add("blocks")
        elif t1 != t2 and i1 == i2 and (t1 // lanes != t2 // lanes or e1 == e2):
            found.add("threads")
    return found


def checked_module(backend: str, memory: str, blocks: int) -> Module:
    text = TEXT.format(
        memory="s" if memory == "shared" else "memory",
        shared=int(memory == "shared"),
        bytes=BYTES,
        steps=STEPS,
        threads=THREADS,
        read=READ,
        write=WRITE,
        add=ADD,
        block_barrier=BLOCK_BARRIER,
        warp_barrier=WARP_BARRIER,
    )
    args = (
        dense("accesses", "i32", (blocks, STEPS, THREADS, 3), "in"),
        dense("barriers", "i32", (blocks, STEPS), "in"),
        dense("memory", "u8", (BYTES,), "workspace"),
        dense("out", "i32", (blocks, THREADS), "out"),
    )
    launch = Launch((blocks, 1, 1), (THREADS, 1, 1))
    return module(backend, text, args, {"clear": launch, "kernel": launch})


@pytest.mark.parametrize(("backend", "where"), by_turns(2, ["cuda", "hip"], [("shared", 1), ("global", 1), ("global", 3)]))
def test_races_are_found_exactly_where_they_are(backend: str, where: tuple[str, int]) -> None:
    memory, blocks = where
    rng = np.random.default_rng(5)
    lanes = MACHINES[backend].lanes
    built = checked_module(backend, memory, blocks)
    programs = [make(rng, blocks) for make in (scattered, crowded, added) for _ in range(75)]
    jobs = [Job(built, {"accesses": a, "barriers": b}, {}, capability=MACHINES[backend]) for a, b in programs]
    verdicts = [races(p, lanes, memory) for p in programs]
    assert 45 < sum(bool(v) for v in verdicts) < 190
    for p, run, verdict in zip(programs, execute_many(jobs), verdicts, strict=True):
        kinds = {"blocks" if f.kind == "race-blocks" else "threads" for f in run.findings}
        assert kinds == verdict, (np.argwhere(p[0][..., 0]), p[1], [str(f) for f in run.findings])
        assert all(f.kind.startswith("race-") for f in run.findings)
