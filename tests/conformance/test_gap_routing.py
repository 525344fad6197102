"""Grouped products are counted as they are emitted: run by run of rows, for the keys of an even load and of a skewed one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from uol.backends.simt.products.matrix.schedule import MatrixTile
from uol.backends.twin import Job, execute_many, kind_of
from uol.codegen.backend import CountsData, Module
from uol.codegen.cost import middle, time_of
from uol.codegen.indexing.arithmetic import value_at
from uol.codegen.specs.nodes import Contract
from uol.codegen.work import Issued, exactly
from uol.compilation.pipeline import module_of
from uol.compilation.request import resolve_target
from uol.conformance.cases.counted import Count, total
from uol.conformance.gap.model import CallForm, Kernels, routed
from uol.conformance.gap.routing import Routing, keys_by, keys_of, rows_by, zipf_counts

TARGETS = ("cuda:a100", "hip:mi250x")
SEGMENTS, IN, OUT, TOKENS = 4, 64, 48, 40


def form(op: str, rows: int) -> CallForm:
    x = (torch.float16, (rows, IN), (IN, 1))
    expert = (torch.int64, (rows,), (1,))
    w = (torch.float16, (SEGMENTS, OUT, IN), (OUT * IN, IN, 1))
    dy = (torch.float16, (rows, OUT), (OUT, 1))
    if op.startswith("moe_swiglu"):
        tokens = (torch.float16, (TOKENS, IN), (IN, 1))
        return CallForm(op, (tokens, expert, expert, w, w, *((dy, dy, dy) if op.endswith("_grad") else ())), ())
    return CallForm(op, (x, expert, w, dy) if op.endswith("_grad") else (x, expert, w), ())


def counts_for(module: Module, routing: Routing = "balanced") -> list[Issued]:
    backend = resolve_target(module.backend).backend
    device = backend.devices[module.device_name]
    assert isinstance(backend, CountsData)
    return [backend.issued_for(k.spec, k.schedule, device, keys_of(k.spec, routing)) for k in module.kernels]


@pytest.mark.parametrize(("target", "routing"), [(TARGETS[0], "Zipf"), (TARGETS[0], "balanced"), (TARGETS[1], "Zipf")])
@pytest.mark.parametrize("op", ["grouped_matmul", "grouped_matmul_grad", "moe_swiglu_saving", "moe_swiglu_grad"])
def test_a_twin_that_runs_with_these_keys_counts_the_same(op: str, target: str, routing: Routing) -> None:
    """Of 96 rows no segment fills its tiles. Nothing that a twin counts is left to data but where a bisection of the keys looks
    for the segments' bounds, and where a gradient is scattered to the tokens."""
    module = module_of(form(op, 96).request(resolve_target(target)))
    floats = {a.name: a.shape for a in module.graph.args if a.role == "in" and a.dtype == "f16"}
    buffers = {name: np.zeros([value_at(each, {}) for each in shape], np.float16) for name, shape in floats.items()}
    keys = keys_by(routing, 96, SEGMENTS)
    buffers["expert"] = np.array(keys, dtype=np.int64)
    if "src" in {a.name for a in module.graph.args}:
        buffers["src"] = np.array(rows_by(keys, TOKENS), dtype=np.int64)
    (run,) = execute_many([Job(module, buffers, {}, counted=True, most_blocks=None)])
    observed, said = kind_of(module.backend).observed(run.counts), total(counts_for(module, routing))
    counts = [Count(name, said.get(name, exactly(0)), number) for name, number in observed.items()]
    assert [str(count) for count in counts if not count.agrees] == []
    scattered = {"written bytes", "statements integer"} if op == "moe_swiglu_grad" else set()
    assert {count.name for count in counts if not count.is_exact} <= {"read bytes"} | scattered


@pytest.mark.parametrize("target", TARGETS)
def test_a_tile_has_rows_of_one_segment(target: str) -> None:
    """Each segment has tiles of its own, the last of which is multiplied whole; a segment without rows has none."""
    for rows, routing in ((64, "balanced"), (96, "balanced"), (96, "Zipf")):
        module = module_of(form("grouped_matmul", rows).request(resolve_target(target)))
        product = module.kernels[-1]
        tile = product.schedule
        assert isinstance(tile, MatrixTile)
        keys = keys_by(routing, rows, SEGMENTS)
        tiles = sum(-(-keys.count(segment) // tile.m) for segment in range(SEGMENTS)) * -(-OUT // tile.n)
        found = counts_for(module, routing)[-1]
        assert found.operations["f16-matrix"] == exactly(2 * tiles * tile.m * tile.n * -(-IN // tile.k) * tile.k)


@pytest.mark.parametrize("routing", ["balanced", "Zipf"])
def test_long_segments_count_for_as_many_terms_as_they_have(routing: Routing) -> None:
    """Of more blocks than are read, and of loops of more turns than are read otherwise: one segment of 128 has a fifth of the
    terms."""
    rows, segments, inner, outer = 16384, 128, 256, 512
    x, dy = ((torch.float16, (rows, width), (width, 1)) for width in (inner, outer))
    w = (torch.float16, (segments, outer, inner), (outer * inner, inner, 1))
    asked = CallForm("grouped_matmul_grad", (x, (torch.int64, (rows,), (1,)), w, dy), ())
    module = module_of(asked.request(resolve_target(TARGETS[0])))
    keys = keys_by(routing, rows, segments)
    products = {
        kernel.spec.segments.over: (kernel.schedule, found)
        for kernel, found in zip(module.kernels, counts_for(module, routing), strict=True)
        if isinstance(kernel.spec, Contract) and kernel.spec.segments is not None
    }
    tile, found = products["terms"]
    assert isinstance(tile, MatrixTile) and found.blocks * tile.warps * 32 > 1 << 16
    lengths = np.bincount(keys, minlength=segments)
    terms = int((-(-lengths // tile.k) * tile.k).sum())
    assert middle(found.operations["f16-matrix"]) == pytest.approx(2 * terms * inner * outer, rel=0.03)
    factors = 2 * rows * (inner * -(-outer // tile.m) + outer * -(-inner // tile.n))
    assert middle(found.read_bytes) == pytest.approx(factors, rel=0.02), "terms that are not there are not read"
    device = resolve_target(TARGETS[0]).device
    longest = -(-int(lengths.max()) // tile.k) * tile.k
    alone = 2 * longest * tile.m * tile.n / (device.rates["f16-matrix"].si / device.cores)
    assert found.longest == pytest.approx(0 if routing == "balanced" else longest * segments / (terms * found.blocks), rel=0.03)
    assert time_of(found, device).parts["f16-matrix"] > 0.97 * alone, "no core can do a tile of the longest segment faster"
    tile, found = products["rows"]
    assert isinstance(tile, MatrixTile)
    tiles = int((-(-lengths // tile.m)).sum()) * -(-inner // tile.n)
    assert found.blocks - found.leaving == pytest.approx(tiles, rel=0.06), "places without rows have no work"


def test_tiles_are_small_enough_for_a_long_segment() -> None:
    """Which segment is long is data. Its sums take no longer than their bytes: with twice the tile a core would be behind."""
    rows, segments, inner, outer = 32768, 128, 512, 1024
    x, dy = ((torch.float16, (rows, width), (width, 1)) for width in (inner, outer))
    w = (torch.float16, (segments, outer, inner), (outer * inner, inner, 1))
    asked = CallForm("grouped_matmul_grad", (x, (torch.int64, (rows,), (1,)), w, dy), ())
    target = resolve_target(TARGETS[0])
    module = module_of(asked.request(target))
    places = [n for n, k in enumerate(module.kernels) if isinstance(k.spec, Contract) and k.spec.segments.over == "terms"]
    even, skewed = (counts_for(module, routing) for routing in ("balanced", "Zipf"))
    assert len(places) == 1
    (at,) = places
    assert time_of(skewed[at], target.device).seconds == pytest.approx(time_of(even[at], target.device).seconds, rel=0.01)


def test_the_gap_counts_the_kernel_that_is_emitted() -> None:
    target = resolve_target("cuda:a100")
    request = form("grouped_matmul", 96).request(target)
    found = Kernels(request).count(target).kernels
    assert [each.issued for each in found] == counts_for(module_of(request))


def test_a_skewed_load_is_a_form_of_its_own_where_data_routes() -> None:
    target = resolve_target("cuda:a100")
    even = form("grouped_matmul", 96)
    skewed = routed(even, "Zipf")
    assert skewed != even
    found = [each.issued for each in Kernels(skewed.request(target)).count(target, "Zipf").kernels]
    assert found == counts_for(module_of(even.request(target)), "Zipf") != counts_for(module_of(even.request(target)))
    plain = CallForm("relu", ((torch.float16, (8, 8), (8, 1)),), ())
    assert routed(plain, "Zipf") == plain, "no input of it can route"


def test_keys_follow_from_the_number_of_segments() -> None:
    *_, kernel = module_of(form("grouped_matmul", 10).request(resolve_target("cuda:a100"))).kernels
    assert isinstance(kernel.spec, Contract) and kernel.spec.segments is not None
    bounds = kernel.spec.segments.bounds
    assert keys_of(kernel.spec, "balanced") == {"expert": [0, 0, 0, 1, 1, 2, 2, 2, 3, 3], bounds: [0, 0, 3, 5, 8, 10, 10]}
    skewed = [0, 0, 0, 0, 0, 1, 1, 2, 2, 3]  # 4.8, 2.4, 1.6 and 1.2 of 10
    assert keys_of(kernel.spec, "Zipf") == {"expert": skewed, bounds: [0, 0, 5, 7, 9, 10, 10]}


@pytest.mark.parametrize(("rows", "segments"), [(32768, 128), (1024, 128), (128, 128), (130, 128)])
def test_every_segment_of_a_skewed_load_has_rows_and_the_first_has_most(rows: int, segments: int) -> None:
    counts = zipf_counts(rows, segments)
    assert sum(counts) == rows and min(counts) >= 1
    assert counts == sorted(counts, reverse=True)
    harmonic = float(np.sum(1 / np.arange(1, segments + 1)))
    if rows >= 8 * segments:  # else one row each takes much of it
        assert counts[0] == pytest.approx(rows / harmonic, rel=0.02)
