"""Refusals before any text is made: each says what does not fit and what would."""

from __future__ import annotations

from dataclasses import replace

import pytest
from simt_cases import Case, kernel_graph

from uol.backends import registry
from uol.backends.simt.choosing.schedules import SimtSchedule
from uol.backends.simt.elements.schedule import Elements
from uol.backends.simt.products.candidates import TILES
from uol.backends.simt.products.few_rows.schedule import FewRows
from uol.backends.simt.products.schedule import Tile
from uol.backends.simt.rows.schedule import BlockPerRow, ThreadPerRow
from uol.backends.simt.simt_backend import SimtBackend
from uol.codegen.backend import Footprint, GroupSummary, Refusal, Schedule
from uol.codegen.indexing.arithmetic import value_at
from uol.codegen.specs.nodes import KernelSpec, Map
from uol.conformance.cases.twin_check import compiled_of
from uol.conformance.cases.verdict import Case as ConformCase
from uol.ir.errors import ResourceError
from uol.ir.program.nodes import Axis, Var
from uol.ops.workloads import Workload

LINEAR = Case("linear", {"S": 33, "N": 65, "K": 17}, rank=1)
SOFTMAX = Case("softmax", {"S": 5, "C": 257}, rank=1)
RELU = Case("relu", {"S": 1000}, rank=1)


def backend(name: str) -> SimtBackend:
    found = registry.get(name)
    assert isinstance(found, SimtBackend)
    return found


def checked(name: str, spec: KernelSpec, schedule: Schedule) -> Footprint | Refusal:
    found = backend(name)
    return found.check(spec, schedule, found.devices[found.default_device])


def spec_of(case: Case, name: str = "cuda") -> KernelSpec:
    return kernel_graph(case, backend(name)).specs[0]


FITS = [
    (RELU, Elements(256), Footprint({}, (4, 1, 1), 256)),
    (SOFTMAX, ThreadPerRow(64), Footprint({}, (1, 1, 1), 64)),
    (SOFTMAX, BlockPerRow(256), Footprint({"shared": 32}, (5, 1, 1), 256)),
    (LINEAR, Tile(64, 64, 16, 4, 4), Footprint({"shared": 2 * 66 * 16 * 4}, (2, 1, 1), 256)),
]


@pytest.mark.parametrize(("case", "schedule", "footprint"), FITS, ids=[type(s).__name__ for _, s, _ in FITS])
def test_footprint(case: Case, schedule: SimtSchedule, footprint: Footprint) -> None:
    assert checked("cuda", spec_of(case), schedule) == footprint


REFUSED = [
    (
        LINEAR,
        Tile(256, 256, 64, 16, 8),
        "tile 256 x 256 x 64 in f32 takes 132096 bytes of shared memory; a block has 49152",
        "tile 128 x 128 x 16",
    ),
    (LINEAR, Tile(64, 64, 16, 3, 4), "3 x 4 a thread do not divide a tile of 64 x 64 x 16", "tile 64 x 64 x 16"),
    (LINEAR, Tile(128, 128, 16, 2, 2), "tile 128 x 128 x 16 takes 4096 threads", "tile 128 x 128 x 16, 8 x 8 a thread"),
    (
        LINEAR,
        Tile(128, 128, 16, 16, 16),
        "16 x 16 accumulators a thread are more than 128",
        "tile 128 x 128 x 16, 8 x 8 a thread",
    ),
    (
        LINEAR,
        Tile(16, 16, 16, 4, 4),
        "tile 16 x 16 x 16 takes 16 threads, which is not a multiple of 32",
        "tile 16 x 16 x 16, 2 x 2",
    ),
    (RELU, Elements(100), "a block of 100 threads is not a multiple of 32", "96 threads"),
    (SOFTMAX, BlockPerRow(2048), "a block of 2048 threads is not a multiple of 32 up to 1024", "1024 threads"),
    (SOFTMAX, ThreadPerRow(0), "a block of 0 threads", "32 threads"),
    (SOFTMAX, ThreadPerRow(64, 4), "4 rows do not lie side by side", "1 rows a thread"),
    (SOFTMAX, BlockPerRow(256, 8, 1, True), "8 rows are no piece of memory", "where they are needed"),
    (RELU, ThreadPerRow(256), "a Map kernel has no schedule ThreadPerRow", ""),
]


@pytest.mark.parametrize(("case", "schedule", "reason", "nearest"), REFUSED, ids=[r for _, _, r, _ in REFUSED])
def test_refusal(case: Case, schedule: SimtSchedule, reason: str, nearest: str) -> None:
    outcome = checked("cuda", spec_of(case), schedule)
    assert isinstance(outcome, Refusal)
    assert reason in outcome.reason
    assert nearest in (outcome.hint or "")


def test_a_refused_schedule_renders_no_text() -> None:
    cuda = backend("cuda")
    with pytest.raises(ResourceError, match="does not|takes 132096 bytes") as caught:
        cuda.render(spec_of(LINEAR), Tile(256, 256, 64, 16, 8), cuda.devices["a100"])
    assert caught.value.hint is not None


@pytest.mark.parametrize("name", ["cuda", "hip"])
@pytest.mark.parametrize("tile", TILES, ids=str)
def test_every_tile_fits_every_type(name: str, tile: Tile) -> None:
    for dtype in ("f16", "f32", "f64"):
        spec = spec_of(replace(LINEAR, dtype=dtype), name)
        assert isinstance(checked(name, spec, tile), Footprint)


def test_waves_of_64_lanes_want_blocks_of_64() -> None:
    outcome = checked("hip", spec_of(RELU, "hip"), Elements(96))
    assert isinstance(outcome, Refusal)
    assert outcome.hint == "64 threads"


def test_hip_grids_are_bounded_by_their_threads() -> None:
    rows = replace_extent(spec_of(SOFTMAX, "hip"), 2**25)
    assert isinstance(checked("hip", rows, BlockPerRow(64)), Footprint)
    outcome = checked("hip", rows, BlockPerRow(256))
    assert isinstance(outcome, Refusal)
    assert "33554432 blocks of 256 threads exceed the grid's 16777215" in outcome.reason


def replace_extent(spec: KernelSpec, rows: int) -> KernelSpec:
    from uol.codegen.specs.nodes import Reduce
    from uol.ir.program.nodes import Const

    assert isinstance(spec, Reduce)
    return replace(spec, rows=(Axis(spec.rows[0].name, Const(rows)),))


def test_blocks_of_an_open_extent_are_counted_at_the_call() -> None:
    spec = spec_of(RELU)
    assert isinstance(spec, Map)
    symbolic = replace(spec, index=(Axis("s", Var("S")),), dims=("S",))
    outcome = checked("cuda", symbolic, Elements())
    assert isinstance(outcome, Footprint)
    assert [value_at(count, {"S": size}) for count in outcome.grid[:1] for size in (0, 1, 256, 257)] == [0, 1, 1, 2]


def test_types_that_kernels_cannot_hold_are_refused() -> None:
    spec = spec_of(RELU)
    nibbles = replace(spec, args=tuple(replace(a, dtype="f4e2m1") for a in spec.args))
    assert not backend("cuda").accepts(GroupSummary(Map, frozenset({"f32", "f4e2m1"}), False, False, lambda: nibbles))
    outcome = checked("cuda", nibbles, Elements())
    assert isinstance(outcome, Refusal)
    assert outcome.reason == "cuda kernels hold no f4e2m1"


def test_a_schedule_of_another_machine_is_refused() -> None:
    class Foreign:
        def describe(self) -> str:
            return "no threads"

    assert checked("cuda", spec_of(RELU), Foreign()) == Refusal("a Map kernel has no schedule Foreign")


def test_the_first_schedule_fits_the_shape() -> None:
    cuda = backend("cuda")
    device = cuda.devices["a100"]

    def first(case: Case) -> SimtSchedule:
        return next(iter(cuda.schedules(spec_of(case), device)))

    assert first(Case("softmax", {"S": 64, "C": 1}, rank=1)) == ThreadPerRow(256)
    assert first(Case("softmax", {"S": 64, "C": 9}, rank=1)) == BlockPerRow(32, 2)
    assert first(Case("softmax", {"S": 61, "C": 9}, rank=1)) == BlockPerRow(32)
    assert first(Case("softmax", {"S": 64, "C": 40}, rank=1)) == BlockPerRow(32, 2, 4)
    assert first(Case("softmax", {"S": 8192, "C": 512}, rank=1)) == BlockPerRow(256, 8, 4)
    assert first(Case("softmax", {"S": 8192, "C": 1024}, rank=1)) == BlockPerRow(256, 1, 4)
    assert first(Case("softmax", {"S": 64, "C": 4096}, rank=1)) == BlockPerRow(256, 1, 4)
    assert first(Case("softmax", {"S": 64, "C": 8192}, rank=1)) == BlockPerRow(512, 1, 4), "16 columns a thread"
    assert first(Case("softmax", {"S": 64, "C": 16384}, rank=1)) == BlockPerRow(512, 1, 4), "32, of 128 registers"
    assert first(Case("softmax", {"S": 64, "C": 16388}, rank=1)) == BlockPerRow(256, 1, 4), "read again"
    assert first(Case("linear", {"S": 17, "N": 17, "K": 63}, rank=1)) == Tile(16, 16, 16, 2, 2)
    assert isinstance(first(Case("linear", {"S": 16, "N": 4096, "K": 64}, rank=1)), FewRows)
    assert isinstance(first(Case("linear", {"S": 4096, "N": 16, "K": 64}, rank=1)), FewRows)
    assert first(Case("linear", {"S": 8192, "N": 8192, "K": 63}, rank=1)) == Tile(128, 128, 16, 8, 8)


@pytest.mark.parametrize(
    ("op", "dims", "attrs", "schedule"),
    [
        ("cumsum", {"S": (5,), "N": 1324}, {}, BlockPerRow(256, 1, 4)),
        ("cumsum", {"S": (5,), "N": 1323}, {}, BlockPerRow(256)),
        ("global_avg_pool2d", {"N": 64, "C": 1024, "H": 7, "W": 7}, {}, BlockPerRow(256, 64, 1, True)),
        ("sum", {"S": (65536,), "C": 333}, {}, BlockPerRow(256, 8, 1, True)),
        ("sum", {"S": (65537,), "C": 333}, {}, BlockPerRow(256, 8)),
        ("max_pool2d", {"N": 8, "C": 64, "H": 64, "W": 64}, {"kernel": 2, "stride": 2}, ThreadPerRow(256, 4)),
        ("max_pool2d", {"N": 8, "C": 64, "H": 64, "W": 64}, {"kernel": 3, "stride": 2}, ThreadPerRow(256)),
        ("batch_norm", {"N": 2, "C": 3, "S": (14, 14)}, {}, Elements(256, 4)),
    ],
)
def test_what_lies_side_by_side_goes_by_whole_accesses(
    op: str, dims: dict[str, int | tuple[int, ...]], attrs: dict[str, int], schedule: SimtSchedule
) -> None:
    compiled, _ = compiled_of(ConformCase(op, "cuda", "f32", Workload(op, dims, attrs)))
    (kernel,) = compiled.module.kernels
    assert kernel.schedule == schedule
