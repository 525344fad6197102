"""The rows of the benchmark: every one binds, at its sizes and at small ones; both sides compute the same; turns alternate."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import pytest
import torch
from torch import nn
from turns import by_turns

from uol.binding.named_binding import bind_names
from uol.conformance.bench import model_row
from uol.conformance.bench.eager import EAGER
from uol.conformance.bench.measurement import QUICK, Key, Timing, keys, measure, same_threads
from uol.conformance.bench.model_row import ModelRow, faster_format
from uol.conformance.bench.operator_row import OperatorRow
from uol.conformance.bench.path_row import Path
from uol.conformance.bench.peaks import Peaks, measured_peaks
from uol.conformance.bench.record import Record, Settings
from uol.conformance.bench.rows import Contenders
from uol.conformance.bench.suite import load_suite, suite_names
from uol.conformance.bench.turns import Turns, alternate
from uol.conformance.bench.work import Work, work_of
from uol.conformance.paths import PATHS
from uol.ir import instantiate, parse
from uol.ir.program.nodes import Program
from uol.operators.registry import find_operator
from uol.ops.workloads import Workload
from uol.pytorch import bridge

ROWS = [
    row for name in suite_names() for each in load_suite(name).families.values() for row in each if isinstance(row, OperatorRow)
]
FAMILIES = {
    *("products", "products_bf16", "linear", "convolution", "transposed_convolution", "depthwise", "resnet50_layers"),
    *("pooling", "norms", "rows", "maps", "attention", "indexing", "scans", "ordering", "losses", "optimisers"),
    *("networks", "models", "paths"),
}


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A busy machine does not stop it."""
    monkeypatch.setenv("UOL_NUM_THREADS", "1")
    with same_threads(QUICK):
        yield


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
@pytest.mark.parametrize("quick", [False, True], ids=["", "quick"])
def test_a_row_is_one_that_the_operator_admits(row: OperatorRow, quick: bool) -> None:
    chosen = row.quick() if quick else row
    op = find_operator(chosen.workload.op)
    instance = bind_names(op, chosen.dtype, chosen.workload.dims, chosen.workload.attrs)
    assert set(chosen.wrt) <= set(op.float_inputs) and set(chosen.below) <= {p.name for p in op.params}
    if quick:
        assert max(instance.flat_dims.values()) <= 32


def test_the_suite_has_the_families_that_it_promises() -> None:
    assert set(load_suite("cpu").families) == FAMILIES


def test_every_call_of_the_table_is_used() -> None:
    assert set(EAGER) <= {row.workload.op for row in ROWS}


TRIED = (
    *("grouped_matmul", "conv2d N=8 C=96", "conv2d_bn_relu N=1 C=3", "max_pool2d", "batch_norm_training"),
    *("attention B=2 H=8 G=2", "embedding", "scatter_add", "cross_entropy", "topk", "sgd_momentum 1000", "adamw 1000"),
)


@pytest.mark.parametrize("text", by_turns(2, TRIED))
def test_both_sides_compute_the_same(text: str) -> None:
    found = [measure(key, row, QUICK) for key, row in keys(load_suite("cpu").select(rows=(text,), quick=True))]
    assert found and not [reason for reason in found if isinstance(reason, str)]


class Wrong:
    """A row whose two sides differ in one element."""

    name, passes = "wrong", ("forward",)

    def contenders(self, passed: str) -> Contenders:
        return Contenders(lambda: (torch.tensor([1.0, 2.0]),), lambda: (torch.tensor([1.0, 2.1]),))


def test_sides_that_differ_are_not_timed() -> None:
    said = measure(Key("f", "wrong", "forward"), Wrong(), QUICK)
    assert said == "result 0 is not PyTorch's: they differ by 0.048 of the largest element"


def test_a_row_has_kernels_for_its_own_sizes_whatever_was_called_before() -> None:
    for size in (64, 96):
        row = OperatorRow(Workload("softmax", {"S": (size,), "C": 8}))
        row.contenders("forward").uol()
        own = bridge.defined()["softmax"]
        (kernel,) = own.fixed.values()
        assert not own.any_size.known and kernel.module.graph.dims == ()


def test_contenders_take_turns() -> None:
    order: list[str] = []
    runs = {name: lambda name=name: order.append(name) for name in "ab"}
    times = alternate(runs, Turns(3, seconds=0.0, calls=2))
    assert "".join(order) == "aabb" + "aabb" * 3
    assert {name: [len(turn) for turn in turns] for name, turns in times.items()} == {"a": [2, 2, 2], "b": [2, 2, 2]}


def test_a_turn_is_as_long_as_is_asked() -> None:
    ticks = iter(range(1000))
    times = alternate({"a": lambda: None}, Turns(1, seconds=10, calls=1, clock=lambda: float(next(ticks))))
    assert times["a"][0] == [1000.0] * 4  # the end is asked for before each call but the first, which has two readings


def test_ratios_are_of_turns_beside_each_other() -> None:
    """Where everything becomes ten times as slow after the first turn, the ratio stays."""
    timing = Timing.of([[1.0], [10.0], [10.0]], [[2.0], [20.0], [20.0]])
    assert (timing.ratio, timing.low, timing.high) == (2.0, 2.0, 2.0)
    assert (timing.uol_ms, timing.pytorch_ms) == (10.0, 20.0)


def program(text: str, **dims: int) -> Program:
    (op,) = parse(text)
    return instantiate(op, {}, types={}, dims=dims)


@pytest.mark.parametrize(
    ("text", "dims", "operations", "bytes_"),
    [
        ("op f(a: f32[M, K], b: f32[K, N]) -> (y: f32[M, N]) { y[m, n] = sum[k](a[m, k] * b[k, n]) }", "M=3,K=4,N=5", 120, 188),
        ("op f(x: f32[N]) -> (y: f32[N]) { y[n] = sum[i <= n](x[i]) }", "N=9", 9, 72),
        ("op f(w: f32[V, D], t: i64[N]) -> (y: f32[N, D]) { y[n, d] = w[t[n], d] else 0 }", "V=1000,D=4,N=3", 0, 120),
        ("op f(x: f32[N]) -> (y: f16[N]) { y[n] = f16(select(n > 2, exp(x[n]) + 1, 0)) }", "N=8", 16, 48),
    ],
    ids=["product", "running sum", "table", "map"],
)
def test_the_least_work(text: str, dims: str, operations: int, bytes_: int) -> None:
    """Literal: two for a multiply-add, one for an element of a running sum, of a table what is looked up."""
    sizes = {name: int(size) for name, size in (part.split("=") for part in dims.split(","))}
    assert work_of(program(text, **sizes)) == Work(operations, bytes_)


def test_a_gradient_is_not_credited_with_taps_that_a_stride_leaves_out() -> None:
    strided, plain = (next(r for r in ROWS if r.name.startswith(f"conv2d N=8 C={c}")) for c in ("64 H=28", "256 H=14"))
    for row in (strided, plain):
        assert row.work("forward + backward").operations == 3 * row.work("forward").operations


def test_peaks_and_the_share_of_them() -> None:
    """A peak is more than nothing, and a rate is held against the peak that it is nearer to."""
    found = measured_peaks(1)
    assert found.gflops > 0.1 and found.gbytes > 0.1
    key, timing = Key("maps", "relu", "forward"), Timing(2.0, 2.0, 1.0, 1.0, 1.0)
    record = Record(Settings("cpu", False, 1), "", {key: timing}, {key: Work(4e6, 8e6)}, Peaks(100.0, 10.0))
    rate = record.rate(key)
    assert rate is not None
    assert (rate.unit, rate.value, rate.share) == ("GB/s", 4.0, 0.4)
    assert Record(record.settings, "", record.outcomes, {}, record.peaks).rate(key) is None


@pytest.mark.parametrize("use", [pytest.param("inference", marks=pytest.mark.soak), "training"])
def test_a_model_computes_the_same_on_both_sides(use: Literal["inference", "training"]) -> None:
    row = ModelRow("encoder layer", use, 1)
    assert isinstance(measure(Key("models", row.name, row.passes[0]), row, QUICK), Timing)


@pytest.mark.parametrize("path", [pytest.param(p, marks=() if p == "moe" else pytest.mark.soak) for p in PATHS])
def test_a_path_computes_the_same_on_both_sides(path: Path) -> None:
    found = [measure(key, row, QUICK) for key, row in keys(load_suite("cpu").select(("paths",), (path,), quick=True))]
    assert found and not [reason for reason in found if isinstance(reason, str)]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelRow]:
    """A model of one layer in the place of ResNet-50."""
    monkeypatch.setitem(model_row._BUILT, "resnet50", lambda batch: (nn.Conv2d(3, 4, 3), torch.randn(batch, 3, 8, 8)))
    faster_format.cache_clear()
    yield ModelRow("resnet50", "inference", 2)
    faster_format.cache_clear()


def test_each_side_of_a_model_has_the_format_that_is_faster_for_it(small: ModelRow, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here: channels-last for ours, row-major for PyTorch's, by the times of their four calls."""
    times = iter((2.0, 1.0, 1.0, 2.0))
    monkeypatch.setattr(model_row, "_seconds", lambda call: next(times))
    built: list[tuple[str, str]] = []
    call = ModelRow.call
    monkeypatch.setattr(ModelRow, "call", lambda *given: built.append(given[1:]) or call(*given))
    sides = small.contenders("forward")
    both = ("row-major", "channels-last")
    assert built[:3] == [*(("uol", order) for order in both), ("uol", "channels-last")]
    assert built[3:] == [*(("PyTorch", order) for order in both), ("PyTorch", "row-major")]
    (ours,), (theirs,) = sides.uol(), sides.pytorch()
    assert ours.is_contiguous(memory_format=torch.channels_last) and theirs.is_contiguous()
    torch.testing.assert_close(ours, theirs)
