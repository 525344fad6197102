"""What kernels are said to move and issue: integers of the scalar unit, iterations, sectors; whole kernels beside the twin."""

from __future__ import annotations

import numpy as np
import pytest

from uol.backends import registry
from uol.backends.ascendc.instructions import Buffer, Builder, Loop, Place
from uol.backends.ascendc.memory import MemoryLayout, memory_layout
from uol.backends.ascendc.sync.dependences import synchronise
from uol.backends.ascendc.work import tally, walk
from uol.backends.ascendc.work.cycles import cycles_of
from uol.backends.ascendc.work.divisors import divisor
from uol.backends.ascendc.work.neighbours import neighbours_of
from uol.backends.ascendc.work.scalars import FAR, Range, exactly, scalar
from uol.backends.ascendc.work.tally import Tally, tally_of
from uol.codegen.backend import Footprint, Kernel
from uol.codegen.choice import compile_graph
from uol.codegen.cost import modelled, time_of
from uol.codegen.lowering import lower
from uol.codegen.work import Issued
from uol.conformance.counts import counts_of
from uol.ir import Library, instantiate, parse
from uol.ir.integers.intervals import Interval

BACKEND = registry.get("ascendc")
DEVICE = BACKEND.devices[BACKEND.default_device]

EXPRESSIONS = (
    ("a / 3 % 4 * 2 - 1", lambda a, b: int(a / 3) % 4 * 2 - 1),
    ("@lesser(64, 100 - a)", lambda a, b: min(64, 100 - a)),
    ("@greater(@greater(0, -a), 3 - b)", lambda a, b: max(0, -a, 3 - b)),
    ("@ceil_div(b - a, 4)", lambda a, b: int((b - a + 3) / 4)),
    ("(a - 7) / 2", lambda a, b: int((a - 7) / 2)),
    ("(a < b ? a : b + 1)", lambda a, b: a if a < b else b + 1),
    ("a >= 3 && !(b == 5) || a < 2 - b", lambda a, b: int((a >= 3 and b != 5) or a < 2 - b)),
    ("static_cast<int64_t>(a) * 8 + (b != 0)", lambda a, b: a * 8 + (b != 0)),
)


@pytest.mark.parametrize(("text", "meaning"), EXPRESSIONS, ids=[text for text, _ in EXPRESSIONS])
def test_an_integer_is_what_its_text_says(text, meaning) -> None:
    numbers = [(a, b) for a in (0, 1, 3, 8, 64) for b in (0, 2, 5)]
    columns = np.array(numbers, np.float64).T
    values = {"a": exactly(columns[0]), "b": exactly(columns[1])}
    found = scalar(text).range(values, len(numbers))
    assert found.is_known
    assert found.least.tolist() == [meaning(a, b) for a, b in numbers]


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("x_gm.GetValue(3 * a)", -FAR, FAR),
        ("@lesser(8, x_gm.GetValue(a))", -FAR, 8),
        ("@greater(0, @lesser(8, x_gm.GetValue(a) - 2))", 0, 8),
        ("x_gm.GetValue(a) < 4", 0, 1),
        ("a == 2 && x_gm.GetValue(a) < 4", 0, 1),
        ("a == 3 && x_gm.GetValue(a) < 4", 0, 0),
        ("(x_gm.GetValue(a) < 4 ? a : 7)", 2, 7),
        ("alpha > 0.5f", -FAR, FAR),
    ],
)
def test_what_data_decide_is_enclosed(text: str, least: float, most: float) -> None:
    found = scalar(text).range({"a": exactly(np.array([2.0]))}, 1)
    assert (found.least[0], found.most[0]) == (least, most)


def test_what_divides_an_integer() -> None:
    assert divisor(scalar("task / 4 * 256 + i * 24"), {"i": 4}) == 32
    assert divisor(scalar("n * 3 + 1"), {}) == 1
    assert divisor(scalar("@lesser(64, 96 - n)"), {"n": 64}) == 32


def copies(builder: Builder, bursts: str, size: str, start: str = "0", stride: int = 0) -> None:
    """A copy of f16 into UB."""
    view = builder.buffer(Buffer("x_ub", "f16", 4096))
    builder.emit("MTE2", "DataCopyPad(...);", writes=(view,), amount=(bursts, size), place=Place(start, stride, 2))


def bytes_of(builder: Builder, blocks: int) -> list[float]:
    """That a program copies, core by core."""
    (found,) = tally_of(builder.top, blocks).amounts.values()
    assert (found.least == found.most).all()
    return found.least.tolist()


def test_tiles_are_dealt_to_the_cores_and_the_last_one_is_shorter() -> None:
    builder = Builder()
    with builder.loop("task", "5", first="GetBlockIdx()", step="GetBlockNum()"):
        builder.declare("start", "task * 64")
        builder.declare("lanes", "@lesser(64, 300 - start)")
        copies(builder, "1", "lanes * 2")
    assert bytes_of(builder, 2) == [(64 + 64 + 44) * 2, (64 + 64) * 2]


def test_iterations_that_change_nothing_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    builder, seen = Builder(), []
    with builder.loop("i", "1000000"), builder.loop("j", "1000000"), builder.branch("i < 10"):
        copies(builder, "1", "32")
    monkeypatch.setattr(Tally, "instruction", lambda self, instr, at: seen.append((at.count, at.weight.least.sum())))
    tally_of(builder.top, 1)
    assert seen == [(1, 1e7)]


def test_more_iterations_than_are_told_apart_are_enclosed(monkeypatch: pytest.MonkeyPatch) -> None:
    builder = Builder()
    with builder.loop("i", "100"):
        copies(builder, "1", "@lesser(64, 70 - i)")
    (exact,) = tally_of(builder.top, 1).amounts.values()
    monkeypatch.setattr(walk, "MOST_ITERATIONS", 10)
    (bound,) = tally_of(builder.top, 1).amounts.values()
    assert exact.total == Interval(*[sum(max(0, min(64, 70 - i)) for i in range(100))] * 2)
    assert bound.total == Interval(0, 6400)


@pytest.mark.parametrize(("stride", "start"), [(16, "i * 48"), (17, "i * 48"), (16, "i * 48 + 1"), (100, "i * 7")])
def test_sectors_are_those_that_the_bursts_touch(stride: int, start: str, monkeypatch: pytest.MonkeyPatch) -> None:
    builder = Builder()
    with builder.loop("i", "3"):
        copies(builder, "5", "40", start, stride)
    firsts = [(eval(start, {"i": i}) + row * stride) * 2 for i in range(3) for row in range(5)]
    touched = sum((first + 39) // 32 - first // 32 + 1 for first in firsts)
    assert tally_of(builder.top, 1).sectors["gm_ub"].total == Interval(touched, touched)
    monkeypatch.setattr(tally, "MOST_BURSTS", 0)
    bound = tally_of(builder.top, 1).sectors["gm_ub"].total
    assert bound.low == 30
    assert bound.low <= touched <= (bound.high or 0)


PRODUCT = "op f(x: f16[M, K], w: f16[K, N]) -> (y: f16[M, N]) { y[m, n] = f16(sum[k](f32(x[m, k]) * f32(w[k, n]))) }"


def kernel_of(text: str, **dims: int) -> Kernel:
    ops = parse(text)
    program = instantiate(ops[0], Library(ops), dims=dims, types={})
    (kernel,) = compile_graph(lower(program, BACKEND, {}), BACKEND, DEVICE).kernels
    return kernel


def issued_of(text: str, **dims: int) -> Issued:
    kernel = kernel_of(text, **dims)
    return BACKEND.issued(kernel.spec, kernel.schedule, DEVICE)


def test_a_product_by_hand() -> None:
    """Tiles of 32 x 128, each of which reads its rows of x and its columns of w once."""
    issued = issued_of(PRODUCT, M=256, N=256, K=256)
    read, products = 16 * (32 + 128) * 256 * 2, 256**3
    assert (issued.blocks, issued.waves, issued.launches) == (16, 1, 1)
    assert issued.read_bytes == Interval(read, read)
    assert issued.written_bytes == Interval(256 * 256 * 2, 256 * 256 * 2)
    assert issued.operations == {"f16-matrix": Interval(2 * products, 2 * products)}
    assert issued.primitives["Mmad_amount"] == Interval(products, products)
    assert issued.cycles["M"] == Interval(2 * 6 + products // 16 // 4096, 2 * 6 + products // 16 // 4096)


def test_the_time_of_a_kernel_is_its_slowest_pipe_and_the_launch() -> None:
    issued = issued_of(PRODUCT, M=256, N=256, K=256)
    time = time_of(issued, DEVICE)
    assert time.bound == "MTE2"
    assert time.seconds == time.parts["MTE2"] + time.parts["launch"]
    assert time.parts["launch"] == DEVICE.rates["launch"].value * 1e-6
    cycles = 2 * (2 * 12.2 + (32 + 128) * 5.0)  # two tiles of k, 32 rows of x and 128 of w each, of 256 bytes: as short as any
    assert time.parts["MTE2"] == pytest.approx(cycles / 1.8e9, rel=1e-3)


@pytest.mark.parametrize(("number", "bursts", "measured"), [(49152, 1, 548.161), (768, 64, 220.772)])
def test_short_copies_take_what_was_measured(number: int, bursts: int, measured: float) -> None:
    """asc-devkit's case data_copy on an Atlas A2: f16 12288 x 12288 read by 48 cores in bursts of 128 bytes, microseconds of
    MTE2 at 1800 MHz."""
    assert number * bursts * 128 * 48 == 12288 * 12288 * 2
    builder = Builder()
    with builder.loop("i", str(number)):
        copies(builder, str(bursts), "128")
    assert (cycles_of(tally_of(builder.top, 48))["MTE2"].low or 0) / 1800 == pytest.approx(measured, rel=0.01)


@pytest.mark.parametrize(("call", "repeats", "measured"), [("Add", 40, 24 + 2.11 * 40), ("Exp", 1, 33), ("Muls", 40, 26 + 40)])
def test_a_barrier_costs_a_tail_and_a_head(call: str, repeats: int, measured: float) -> None:
    """Each of many dependent instructions, by the lines that the vendor fitted to a 910B3 (PTO-ISA): what it takes alone."""
    builder, number = Builder(), 50
    view = builder.buffer(Buffer("x", "f32", 4096))
    with builder.loop("i", str(number)):
        builder.emit("V", f"{call}(x, x, {64 * repeats});", reads=(view,), writes=(view,), amount=(str(64 * repeats),))
    layout = memory_layout(builder.top)
    assert isinstance(layout, MemoryLayout)
    order = synchronise(builder.top, layout.addresses)
    found = tally_of(builder.top, 1, order)
    assert found.ordering["PipeBarrier"].total == Interval(number, number)
    assert (cycles_of(found)["V"].low or 0) / number == pytest.approx(measured, rel=0.03)


def test_lanes_that_are_no_whole_repeats_take_longer() -> None:
    def cycles(lanes: int) -> Interval:
        builder = Builder()
        view = builder.buffer(Buffer("x", "f32", 4096))
        builder.emit("V", f"Add(x, x, x, {lanes});", reads=(view,), writes=(view,), amount=(str(lanes),))
        return cycles_of(tally_of(builder.top, 1))["V"]

    assert (cycles(100).low or 0) - (cycles(128).low or 0) == 16


def test_the_neighbours_of_a_place_are_those_that_are_issued_before_and_behind() -> None:
    builder = Builder()
    views = [builder.buffer(Buffer(name, "f32", 64)) for name in "abcd"]

    def emit(number: int) -> None:
        builder.emit("V", f"Abs({views[number]}, x, 64);", writes=(views[number],), amount=("64",))

    emit(0)
    with builder.loop("i", "4"):
        emit(1)
        copies(builder, "1", "64")
        emit(2)
    emit(3)
    first, loop, last = builder.top.nodes
    assert isinstance(loop, Loop)
    within = loop.body.nodes
    found = neighbours_of(builder.top)
    assert found[id(builder.top), 0] == (None, first)
    assert found[id(builder.top), 1] == (first, within[0])
    assert found[id(builder.top), 2] == (within[2], last)
    assert [found[id(loop.body), n] for n in range(3)] == [
        (within[2], within[0]),
        (within[0], within[2]),
        (within[0], within[2]),
    ]


@pytest.mark.parametrize("sizes", [(64, 64, 64), (256, 256, 256), (8, 512, 512), (500, 300, 70)])
def test_the_first_tile_of_a_product_is_the_fastest_by_the_model(sizes: tuple[int, int, int]) -> None:
    spec = kernel_of(PRODUCT, **dict(zip("MNK", sizes, strict=True))).spec
    fitting = [s for s in BACKEND.schedules(spec, DEVICE) if isinstance(BACKEND.check(spec, s, DEVICE), Footprint)]
    times = [modelled(spec, s, BACKEND, DEVICE).seconds for s in fitting]
    assert times[0] == min(times)


def test_unknown_weights_stay_within_the_loop() -> None:
    builder = Builder()
    with builder.loop("i", "4"), builder.branch("x_gm.GetValue(i) < 2"):
        copies(builder, "1", "64")
    found = tally_of(builder.top, 3)
    assert [s.total for s in found.amounts.values()] == [Interval(0, 3 * 4 * 64)]
    assert found.reads.total == Interval(12, 12)


def test_a_range_of_iterations_keeps_its_ends() -> None:
    ends = Range(np.array([1.0, 2.0]), np.array([5.0, 2.0]))
    assert not ends.is_known
    assert ends.at(np.array([1])).most.tolist() == [2.0]


SAMPLE = ("softmax", "conv2d", "embedding")


def test_kernels_issue_what_the_twin_counts() -> None:
    """A sample of `python -m uol.conformance.counts --target ascendc`."""
    found = counts_of(SAMPLE, ("ascendc",), ("f16",))
    assert len(found) == len(SAMPLE)
    assert [f"{case}: {c}" for case, counts in found for c in counts if not c.agrees] == []
    exact = [c.is_exact for case, counts in found for c in counts if "embedding" not in case]
    assert all(exact)
