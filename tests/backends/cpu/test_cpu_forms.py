"""The passes before emission: joined axes, passes of a row, packed operands, choice of schedules."""

from __future__ import annotations

from typing import Any

import pytest
from cpu_cases import BACKEND, channels_last, graph_of, program_of, weights_last

from uol.backends.cpu.collapse_axes import collapsed
from uol.backends.cpu.dots.units import UNITS
from uol.backends.cpu.host import Host
from uol.backends.cpu.operands.packing import packed
from uol.backends.cpu.operands.peeling import stretches
from uol.backends.cpu.runtime.workspace import KEPT_BYTES, WorkspacePool
from uol.backends.cpu.schedules.kinds import Tiles
from uol.backends.cpu.scheduling import candidates
from uol.codegen.backend import Refusal
from uol.codegen.indexing.affine import coefficient
from uol.codegen.indexing.arithmetic import static, value_at
from uol.codegen.specs.nodes import Contract, KernelSpec, Map, Pack, Read, Reduce
from uol.codegen.specs.steps import passes_of
from uol.codegen.specs.traverse import accesses
from uol.ir.program.nodes import Axis
from uol.ir.program.walk import walk

AVX512 = Host("znver4", 64, 32, 2)
AVX2 = Host("znver3", 32, 16, 2)
ONE_CORE = Host("znver4", 64, 32, 1)


def only_spec(op: str, layouts: dict[str, tuple[int, ...]] | None = None, **given: Any) -> KernelSpec:
    return graph_of(program_of(op, **given), layouts).specs[-1]


def sizes(axes: tuple[Axis, ...]) -> list[int | None]:
    return [static(a.extent) for a in axes]


def convolution(
    c: int, size: int, o: int, filter_size: int, stride: int = 1, pad: int = 0, dtype: str = "f32"
) -> tuple[KernelSpec, ...]:
    out = (size + 2 * pad - filter_size) // stride + 1
    dims = {"N": 1, "C": c, "H": size, "W": size, "O": o, "D": c, "R": filter_size, "S": filter_size}
    layouts = {"x": channels_last(1, c, size, size), "w": weights_last(o, c, filter_size, filter_size)}
    layouts["y"] = channels_last(1, o, out, out)
    return graph_of(program_of("conv2d", types={"T": dtype}, dims=dims, attrs={"stride": stride, "pad": pad}), layouts).specs


def test_a_dense_map_is_one_axis() -> None:
    spec = only_spec("relu", ranks={"S": 3}, dims={"S_0": 2, "S_1": 3, "S_2": 5})
    assert isinstance(spec, Map)
    assert sizes(collapsed(spec).index) == [30]


def test_axes_stay_apart_where_an_access_tells_them_apart() -> None:
    spec = only_spec("add", {"a": (1, 2)}, ranks={"S": 2}, dims={"S_0": 2, "S_1": 3})
    assert isinstance(spec, Map)
    assert sizes(collapsed(spec).index) == [2, 3]
    spec = only_spec("op ramp(x: f32[N, M]) -> (y: f32[N, M]) { y[n, m] = x[n, m] * f32(m) }", types={}, dims={"N": 2, "M": 3})
    assert isinstance(spec, Map)
    assert sizes(collapsed(spec).index) == [2, 3]


def test_a_pointwise_convolution_is_a_matrix_product() -> None:
    (spec,) = convolution(64, 14, 256, 1)
    assert isinstance(spec, Contract)
    flat = collapsed(spec)
    assert (sizes(flat.m), sizes(flat.n), sizes(flat.k)) == ([196], [256], [64])


def test_softmax_takes_three_passes_and_statistics_two() -> None:
    spec = only_spec("softmax", ranks={"S": 1}, dims={"S": 5, "C": 33})
    assert isinstance(spec, Reduce)
    passes = passes_of(spec).passes
    assert [[f.op for f in s.folds] for s in passes] == [["max"], ["sum"], []]
    assert [len(s.steps) for s in passes] == [1, 2, 3]
    text = "op two(x: f32[N, M]) -> (a: f32[N], b: f32[N]) { a[n] = sum[m](x[n, m])  b[n] = max[m](x[n, m]) }"
    spec = only_spec(text, types={}, dims={"N": 3, "M": 4})
    assert isinstance(spec, Reduce)
    assert [[f.op for f in s.folds] for s in passes_of(spec).passes][0] == ["sum", "max"]


def test_padding_goes_into_a_copy_that_keeps_the_order_of_the_image() -> None:
    pack, contract = convolution(16, 14, 32, 3, stride=2, pad=1)
    assert isinstance(pack, Pack)
    assert isinstance(contract, Contract)
    assert sizes(pack.index) == [15, 15, 16]  # the last row and column of the image are never read
    assert not any(getattr(a, "guard", ()) for a in accesses(contract))
    (read,) = [a for a in accesses(contract) if a.tensor.endswith("_a")]
    assert [coefficient(read.offset, a.name) for a in contract.m] == [2 * 15 * 16, 2 * 16]


def test_a_weight_that_lies_across_is_transposed_once_it_serves_many_rows() -> None:
    few = only_spec("linear", ranks={"S": 1}, dims={"S": 2, "K": 64, "N": 32})
    assert isinstance(few, Contract)
    assert packed(few) == (few,)
    specs = graph_of(program_of("linear", ranks={"S": 1}, dims={"S": 64, "K": 64, "N": 32})).specs
    assert [type(s) for s in specs] == [Pack, Contract]
    assert isinstance(specs[0], Pack)
    assert sizes(specs[0].index) == [64, 32]


def test_half_precision_operands_are_widened_once() -> None:
    specs = convolution(16, 14, 32, 3, pad=1, dtype="f16")
    assert [type(s) for s in specs] == [Pack, Pack, Contract]
    assert {a.dtype for a in specs[-1].args if a.role == "workspace"} == {"f32"}


def test_padding_along_the_vectors_is_decided_by_stretches() -> None:
    pack, *_ = graph_of(program_of("conv2d", dims=dict(N=1, C=4, H=8, W=20, O=16, D=4, R=3, S=3), attrs={"pad": 1})).specs
    assert isinstance(pack, Pack)
    inner = pack.index[-1]
    parts = stretches(pack.steps, inner.name, inner.extent)
    assert [(static(p.first), static(p.last)) for p in parts] == [(0, 1), (1, 21), (21, 22)]
    reads = [[n for s in p.steps for n in walk(s.value) if isinstance(n, Read)] for p in parts]
    assert [len(r) for r in reads] == [0, 1, 0]
    assert [len(g.guard) for g in reads[1]] == [1]  # the rows of the image


@pytest.mark.parametrize("size", [0, 1, 2, 5, 40])
def test_padding_of_a_width_that_is_an_argument_is_decided_by_stretches(size: int) -> None:
    (spec,) = graph_of(program_of("pad1d", ranks={"S": 1}, dims={"S": 3}, attrs={"left": 2, "right": 3})).specs
    assert isinstance(spec, Map)
    inner = spec.index[-1]
    assert static(inner.extent) is None
    parts = stretches(spec.steps, inner.name, inner.extent)
    dims = {name: size for name in spec.dims}
    ends = [(value_at(p.first, dims), value_at(p.last, dims)) for p in parts]
    assert ends == [(0, 2), (2, 2 + size), (2 + size, size + 5)]
    reads = [[n for s in p.steps for n in walk(s.value) if isinstance(n, Read)] for p in parts]
    assert [[n.guard for n in r] for r in reads] == [[], [()], []]


@pytest.mark.parametrize(("host", "rows", "lanes"), [(AVX512, 14, 16), (AVX2, 6, 8)])
def test_tiles_fit_the_registers(host: Host, rows: int, lanes: int) -> None:
    (spec,) = convolution(64, 14, 64, 1)
    schedule = candidates(spec, host)[0]
    assert isinstance(schedule, Tiles)
    assert (schedule.rows, schedule.vectors, schedule.lanes) == (rows, 2, lanes)
    assert schedule.rows * schedule.vectors + schedule.vectors + 1 <= host.vector_registers


def test_rows_that_share_a_set_of_the_cache_come_in_lower_tiles() -> None:
    (spec,) = convolution(1024, 6, 256, 1)
    schedule = candidates(spec, AVX512)[0]
    assert isinstance(schedule, Tiles)
    assert schedule.rows == 6  # of 36, where registers have room for 12


def test_what_is_far_is_asked_for_ahead() -> None:
    large, small = convolution(512, 6, 2048, 1)[-1], convolution(64, 14, 64, 1)[-1]
    assert "b prefetched" in candidates(large, AVX512)[0].describe()
    assert "prefetched" not in candidates(small, AVX512)[0].describe()
    assert "results prefetched" in candidates(convolution(64, 56, 256, 1)[-1], AVX512)[0].describe()


def test_one_core_gets_no_parallel_loop() -> None:
    spec = only_spec("relu", ranks={"S": 1}, dims={"S": 1_000_000})
    assert "parallel" in candidates(spec, AVX512)[0].describe()
    assert "serial" in candidates(spec, ONE_CORE)[0].describe()


def test_small_work_is_not_parallel() -> None:
    spec = only_spec("relu", ranks={"S": 1}, dims={"S": 1000})
    assert "serial" in candidates(spec, AVX512)[0].describe()


def test_a_tile_beyond_the_registers_is_refused() -> None:
    (spec,) = convolution(64, 14, 64, 1)
    refusal = BACKEND.check(spec, Tiles(16, 2, 16, 1, True), BACKEND.devices["host"])
    assert isinstance(refusal, Refusal)
    assert refusal.reason == "16 x 2 accumulators and a row of b are more than 32 registers"


def test_symbolic_dims_become_arguments() -> None:
    spec = only_spec("op twice(x: f32[N, M]) -> (y: f32[N, M]) { y[n, m] = x[n, m] + x[n, m] }", types={})
    schedule, plain = candidates(spec, AVX512)
    assert schedule.describe() == "16 lanes along the result, parallel"
    assert plain.describe() == "plain loops"
    kernel = BACKEND.render(spec, schedule, BACKEND.devices["host"])
    assert [p.kind for p in kernel.params] == ["buffer", "buffer", "dim", "dim"]


def test_a_workspace_is_used_again_and_grows() -> None:
    pool = WorkspacePool()
    small = pool.take(100)
    assert small.address % 256 == 0
    pool.give(small)
    assert pool.take(50) is small
    pool.give(small)
    large = pool.take(1000)
    assert large is not small
    assert large.bytes >= 1000


def test_a_workspace_beyond_the_caches_goes_back() -> None:
    pool = WorkspacePool()
    pool.give(pool.take(KEPT_BYTES + 1))
    assert pool.free == []
    kept = pool.take(KEPT_BYTES)
    pool.give(kept)
    assert pool.free == [kept]


def test_the_devices_name_architectures_that_llvm_knows() -> None:
    assert BACKEND.default_device in BACKEND.devices
    for device in BACKEND.devices.values():
        spec = only_spec("relu", ranks={"S": 1}, dims={"S": 1000})
        assert list(BACKEND.schedules(spec, device))
    assert {t.name for t in BACKEND.doctor()} == {"tvm", "as", "ld", "cc", "caches", *UNITS}
