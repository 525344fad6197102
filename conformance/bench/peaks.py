"""What this machine can do, measured: multiply-adds from registers, and memory that is copied."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from uol.backends.cpu.host import Host, host

STEPS = 2_000_000
ROUNDS = 25
COPIED_BYTES = 1 << 27
"""Read, and as many written: more than a last cache holds."""


@dataclass(frozen=True, slots=True)
class Peaks:
    """Of so many threads: f32 operations (a multiply-add is two) and bytes (those read and those written), in 1e9 a second."""

    gflops: float
    gbytes: float


def measured_peaks(threads: int) -> Peaks:
    """The best of some rounds on all of the threads at once."""
    machine = host()
    multiply_adds, count = _multiply_adds(machine)
    source = np.zeros(COPIED_BYTES // 4 // threads * threads, np.float32).reshape(threads, -1)
    target = np.zeros_like(source)
    values = np.full((threads, 3 * machine.lanes), 0.5, np.float32)
    flops = 2 * threads * count / _seconds(threads, lambda thread: multiply_adds(values[thread].ctypes.data))
    copied = 2 * source.nbytes / _seconds(threads, lambda thread: np.copyto(target[thread], source[thread]))
    return Peaks(flops / 1e9, copied / 1e9)


def _seconds(threads: int, work: Callable[[int], object]) -> float:
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(threads)))
        found = []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            list(pool.map(work, range(threads)))
            found.append(time.perf_counter() - start)
    return min(found)


def _multiply_adds(machine: Host) -> tuple[Callable[[int], object], int]:
    """A function on the address of three vectors, and how many multiply-adds it does: chains side by side, as many as there are
    registers for, so that none waits for another."""
    from tvm import tirx

    from uol.backends.cpu.expressions.builder import UNROLLED, VECTORIZED, Builder, function, index, pointer
    from uol.backends.cpu.runtime.library import open_library
    from uol.backends.cpu.runtime.objectcode import assembly, linked

    code, lanes, chains = Builder(), machine.lanes, machine.vector_registers - 4
    data = pointer("values_data", "float32")
    values = tirx.decl_buffer((3 * lanes,), "float32", "values", data=data, data_alignment=4)
    code.add(tirx.DeclBuffer(values, data=data))
    sums = code.local("sums", chains * lanes, "float32")

    def over(store: Callable[[object, object], None]) -> None:
        with code.loop("chain", chains, UNROLLED) as chain, code.loop("lane", lanes, VECTORIZED) as lane:
            store(chain * index(lanes) + lane, lane)

    def load(vector: int, lane: object) -> object:
        return tirx.BufferLoad(values, [index(vector * lanes) + lane])

    def next_sum(place: object, lane: object) -> object:
        return tirx.BufferLoad(sums, [place]) * load(1, lane) + load(2, lane)

    over(lambda place, lane: code.add(tirx.BufferStore(sums, load(0, lane), [place])))
    with code.loop("step", STEPS):
        over(lambda at, lane: code.add(tirx.BufferStore(sums, next_sum(at, lane), [at])))
    over(lambda place, lane: code.add(tirx.BufferStore(values, load(0, lane) + tirx.BufferLoad(sums, [place]), [lane])))
    library = open_library(linked(assembly([function("uol_multiply_adds", [data], code.body())], machine))[0])
    call = library.uol_multiply_adds
    call.argtypes = [ctypes.c_void_p]
    return call, STEPS * chains * lanes
