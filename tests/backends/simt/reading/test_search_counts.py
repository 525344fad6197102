"""What searches are said to move is what they move: among keys in memory, where each lane looks at its own, and in shared
memory; the keys of a block that adds up leave it once."""

from __future__ import annotations

import numpy as np
import pytest

import uol
from uol.backends import registry
from uol.backends.simt.elements.schedule import Bins, Elements
from uol.backends.twin import Job, execute_many
from uol.codegen.backend import HasBlocks, Schedule
from uol.codegen.choice import compile_graph
from uol.codegen.lowering import lower
from uol.compiler import Compiled
from uol.conformance.cases.counted import compare
from uol.ir import Library, instantiate, parse

SIZES = {"a block with its keys": (5000, 33), "keys in memory": (300, 65), "one edge": (70, 1), "many": (40, 5000)}


def histogram(target: str, points: int, edges: int) -> Compiled:
    return uol.compile("histogram", target, dims={"N": points, "E": edges})


@pytest.mark.parametrize("target", ["cuda", "hip"])
def test_counts_of_searches_enclose_what_is_counted(target: str) -> None:
    rng = np.random.default_rng(0)
    jobs = []
    for points, edges in SIZES.values():
        x, at = rng.standard_normal(points).astype(np.float32), np.sort(rng.standard_normal(edges)).astype(np.float32)
        jobs.append(Job(histogram(target, points, edges).module, {"x": x, "edges": at}, counted=True))
    for what, job, run in zip(SIZES, jobs, execute_many(jobs), strict=True):
        x, at = job.buffers["x"], job.buffers["edges"]
        assert not run.findings
        assert np.array_equal(run.outputs["y"], np.histogram(x, at)[0] if len(at) > 1 else np.zeros(0)), what
        assert not [f"{what}, {count}" for count in compare(job.module, run) if not count.agrees]


def test_the_keys_of_a_block_are_read_once() -> None:
    """16 million values are read once, and little beside them; where the keys have no room in a block, its cache has them."""

    def moved(points: int, edges: int, op: str = "histogram", of: str = "N") -> tuple[Schedule, float, float]:
        module = uol.compile(op, "cuda", dims={"S": (points,), "E": edges} if of == "S" else {"N": points, "E": edges}).module
        backend = registry.get("cuda")
        assert isinstance(backend, HasBlocks)
        kernel, device = module.kernels[-1], backend.devices[module.device_name]
        read = backend.issued(kernel.spec, kernel.schedule, device).read_bytes.high
        assert read is not None
        by_block = backend.bytes_by_block(kernel.spec, kernel.schedule, device)
        places = 2 if of == "S" else 0  # an i64 for each value, which is an f32
        return kernel.schedule, read / (4 * points), by_block / (4 * points) - places

    schedule, by_warps, by_blocks = moved(1 << 24, 257)
    assert isinstance(schedule, Bins) and by_warps < 1.02 and by_blocks < 1.05
    schedule, by_warps, by_blocks = moved(1 << 20, 257, "searchsorted", "S")
    assert schedule == Elements(256, 2) and by_warps > 30
    assert by_blocks == pytest.approx(1 + 33 * 32 / (512 * 4)), "33 sectors of edges, which are all that there are"
    schedule, by_warps, _ = moved(1 << 16, 9000)
    assert isinstance(schedule, Elements) and by_warps > 50


@pytest.mark.parametrize(("stride", "index"), [(1, "int"), ((1 << 20) + 1, "long long")])
def test_the_last_key_is_reached(stride: int, index: str) -> None:
    """2048 keys that lie far apart end beyond what 32 bits count."""
    text = "op f(x: f32[N], keys: f32[E]) -> (y: i32[N]) where sorted(keys) { y[n] = sum[e](i32(keys[e] <= x[n])) }"
    (op,) = parse(text)
    backend = registry.get("cuda")
    graph = lower(instantiate(op, Library(), types={}, dims={"N": 3, "E": 2048}), backend, {"keys": (stride,)})
    source = compile_graph(graph, backend, backend.devices["a100"]).device.text
    assert f"uol::upper_bound<{index}>(keys, {stride}, 2048, x[n])" in source


@pytest.mark.parametrize(("stride", "copied"), [(1, True), (3, False), (0, False)])
def test_keys_that_lie_apart_stay_where_they_are(stride: int, copied: bool) -> None:
    """A block copies what lies together."""
    (op,) = parse("""op f(x: f32[N], keys: f32[E]) -> (y: i64[E + 1]) where sorted(keys) {
  at[n] = sum[e](i32(keys[e] <= x[n]))
  y[at[n]] += 1
}""")
    backend = registry.get("cuda")
    graph = lower(instantiate(op, Library(), types={}, dims={"N": 5000, "E": 33}), backend, {"keys": (stride,)})
    kernel = compile_graph(graph, backend, backend.devices["a100"]).kernels[-1]
    assert isinstance(kernel.schedule, Bins) and ("__shared__ float keys_keys[33];" in kernel.text) is copied
    assert f"uol::upper_bound<int>({'keys_keys, 1' if copied else f'keys, {stride}'}, 33, x[n])" in kernel.text
