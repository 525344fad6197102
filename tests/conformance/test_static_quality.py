"""What the machine code of products on matrix units keeps, by the vendors' own compilers: no card is needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import pytest
from sass import needs_sass

from uol.backends.hip import clang
from uol.backends.simt.products.matrix.schedule import MatrixTile
from uol.codegen.choice import given
from uol.codegen.extensions import LoopReadingBackend, OnDemandBackend
from uol.compilation.pipeline import module_of
from uol.compilation.request import Request
from uol.conformance.cases.open_sizes import Sizes
from uol.conformance.cases.requests import request_of
from uol.conformance.cases.verdict import Case
from uol.conformance.main_loops import Bars, Found, loops_of, misses
from uol.ops.workloads import Workload

needs_clang = pytest.mark.skipif(clang.find() is None, reason="there is no clang with AMD's libraries")
SQUARE = {"S": (), "M": 4096, "N": 4096, "K": 4096}
EXPERTS = {"M": 32768, "D": 2048, "E": 128, "F": 768}
"""8,192 tokens, four experts each."""
BESIDE = Bars(most_registers=224, asynchronous=True, in_flight=1)
THROUGH_REGISTERS = Bars(most_others=70 / 16, most_registers=256, whole_scratch=True, covered=8)
"""86 instructions for 16 products; a wave has 512 registers where two are on a SIMD."""


def request(target: str, op: str, dims: Mapping[str, int | tuple[int, ...]], sizes: Sizes = "fixed") -> Request:
    return request_of(Case(op, target, "f16", Workload(op, dims), sizes=sizes))


@cache
def loops(target: str, op: str, sizes: Sizes = "fixed") -> Mapping[str, Found]:
    dims = EXPERTS if op.startswith("grouped") else SQUARE
    return {each.kernel: each for each in loops_of(request(target, op, dims, sizes))}


def missed(found: Found, bars: Bars) -> list[str]:
    return list(misses(found, bars))


@needs_sass
@pytest.mark.parametrize(("unroll", "most"), [(1, 0.95), (4, 0.7)])
def test_a_product_of_any_size_has_few_others_for_each_product(unroll: int, most: float) -> None:
    """Tiles of 128 x 128 x 32, with tails."""
    tile = f"kernel=matmul_whole,kind=matrix_tile,m=128,n=128,k=32,warps_m=2,warps_n=2,unroll={unroll}"
    asked = replace(request("cuda:a100", "matmul", SQUARE, "open"), policy=given(tile))
    module = module_of(asked)
    (kernel,) = (each for each in module.kernels if each.spec.name == "matmul_whole")
    backend = asked.target.backend
    assert isinstance(backend, OnDemandBackend) and isinstance(backend, LoopReadingBackend)
    artifact = backend.build(backend.module_of_kernel(module, kernel))
    ((name, loop),) = backend.main_loops(artifact).items()
    assert loop.products == 64 * unroll
    assert missed(Found(name, loop, backend.resources(artifact)[name]), replace(BESIDE, most_others=most)) == []


@needs_sass
@pytest.mark.parametrize("op", ["grouped_matmul", "grouped_matmul_grad"])
def test_grouped_products_have_fewer_than_0_95(op: str) -> None:
    found = loops("cuda:a100", op)
    assert len(found) == 1 + op.endswith("_grad")
    for each in found.values():
        assert missed(each, replace(BESIDE, most_others=0.95)) == [], each


@needs_clang
@pytest.mark.parametrize("op", ["matmul", "grouped_matmul"])
def test_gfx90a_has_at_most_86_instructions_for_16_products(op: str) -> None:
    """Loads are issued in front of products, which have them beside them."""
    (found,) = loops("hip:mi250x", op).values()
    assert found.loop.products == 16
    assert missed(found, THROUGH_REGISTERS) == [], found


@pytest.mark.parametrize(("depth", "unroll"), [(512, 1), (4096, 4)])
def test_turns_are_unrolled_where_there_are_many(depth: int, unroll: int) -> None:
    (kernel,) = module_of(request("cuda:a100", "matmul", {"S": (), "M": 1024, "N": 1024, "K": depth})).kernels
    assert isinstance(kernel.schedule, MatrixTile)
    assert kernel.schedule.unroll == unroll
    assert (f"#pragma unroll {unroll}\n    for (int tile" in kernel.text) and ("turns at once" in kernel.text) == (unroll > 1)
