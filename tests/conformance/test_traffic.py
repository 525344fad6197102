"""What is moved, beside what must be: by closed forms that are counted by hand here."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from uol.conformance import traffic
from uol.conformance.traffic import Row, Traffic, library_rows, rows, traffic_of
from uol.ops.texts import family_of, names
from uol.ops.workloads import Workload

NONE: Mapping[str, str] = {}


def row(op: str, **dims: int | tuple[int, ...]) -> Row:
    return Row("any", Workload(op, dims))


@pytest.mark.parametrize("target", traffic.TARGETS)
def test_what_streams_moves_what_it_must(target: str) -> None:
    found = traffic_of(row("relu", S=(65536,)), target, "f16")
    assert (found.must, found.moved, found.whole, found.kernels) == (2 * 65536 * 2, 2 * 65536 * 2, 1.0, 1)
    assert found.is_lean
    rows_of = traffic_of(row("softmax", S=(1024,), C=512), target, "f32")
    assert (rows_of.moved, rows_of.whole) == (2 * 1024 * 512 * 4, 1.0)


def test_scans_and_pools_go_by_whole_accesses() -> None:
    scanned = traffic_of(row("cumsum", S=(64,), N=4096), "cuda", "f16")
    assert (scanned.moved, scanned.whole) == (2 * 64 * 4096 * 2, 1.0)
    averaged = traffic_of(row("global_avg_pool2d", N=16, C=512, H=7, W=7), "cuda", "f32")
    assert averaged.moved == 16 * 512 * (49 + 1) * 4
    pool = Workload("max_pool2d", {"N": 8, "C": 64, "H": 64, "W": 64}, {"kernel": 2, "stride": 2})
    pooled = traffic_of(Row("any", pool), "cuda", "f32")
    inputs, results = 8 * 64 * 64 * 64 * 4, 8 * 64 * 32 * 32 * 4
    assert (pooled.must, pooled.whole) == (inputs + results, 1.0)
    assert pooled.moved == 2 * inputs + results, "each half of a sector is asked for"
    assert pooled.by_block == inputs + results, "and leaves no block twice"


def test_what_must_be_moved_is_what_the_fewest_kernels_ask_for() -> None:
    groups = Workload("group_norm", {"N": 8, "C": 64, "S": (28, 28)}, {"groups": 32})
    found = traffic_of(Row("any", groups), "cuda", "f32")
    assert (found.kernels, found.must) == (1, (2 * 8 * 64 * 28 * 28 + 2 * 64) * 4)


def test_lines_that_are_no_multiples_of_16_bytes_are_asked_nothing_and_others_are() -> None:
    found = traffic_of(row("relu", S=(65535,)), "cuda", "f32")
    assert found.moved == 2 * 65536 * 4
    assert (found.whole, found.is_lean) == (1.0, True)
    shorter = traffic_of(row("diff", S=(64,), N=4096), "cuda", "f32")
    assert (shorter.whole, shorter.guilt) == (0.0, ("accesses",)), "whole lines, of which the result has one element less"
    assert str(shorter).endswith("NO REASON (accesses)")


def test_what_is_transposed_goes_through_shared_memory_unless_it_is_narrow() -> None:
    found = traffic_of(row("transpose", S=(), M=128, N=128), "cuda", "f32")
    assert (found.moved, found.whole) == (128 * 128 * 8, 1.0)
    narrow = traffic_of(row("transpose", S=(), M=128, N=8), "cuda", "f32")
    assert narrow.moved == 128 * 8 * (32 + 4), "each lane reads in a sector of its own"


def test_passes_count_what_lies_between_kernels() -> None:
    """Of the loss all is read where the maximum is found, and stays. A product's gradient has the products before each element,
    and those behind it, in memory."""
    loss = traffic_of(row("cross_entropy_grad", N=512, C=4096), "cuda", "f32")
    assert loss.operands == 2 * 512 * 4096 * 4 + 512 * 8 + 4
    assert loss.kernels == 2
    assert loss.must < 1.01 * loss.operands
    product = traffic_of(row("prod_grad", S=(512,), C=4096), "cuda", "f32")
    assert product.operands == 2 * 512 * 4096 * 4 + 512 * 4
    assert round(product.must / product.operands, 2) == (1 + 1 + 3) / 2


def test_the_rows_are_operators_and_fit_no_cache() -> None:
    found = rows()
    assert len(found) > 30
    assert {r.workload.op.removesuffix("_grad") for r in found} <= set(names())
    assert len({str(r.workload) for r in found}) == len(found)


CONVOLUTIONS = ("conv", "conv_3d", "conv_bn", "conv_transpose", "conv_transpose_3d")
ELSEWHERE = ("products", *CONVOLUTIONS, "attentions", "attention_caches", "ordering", "replacing", "mixture")
"""Families that are not decided by memory, or whose operators are rows of traffic.toml."""


def test_the_library_is_whole() -> None:
    found = library_rows()
    named = {r.workload.op for r in found}
    left = {name for name in names() if name not in named and family_of(name) not in ELSEWHERE}
    fractions = {f"upsample_{what}" for what in ("fraction", "corner_fraction", "share", "corner_share")}
    helpers = {"window_count", "quantile", "quantile_weight"} | fractions
    assert left <= helpers, "a number for each place, of no tensor; or rows that are sorted"
    assert {f"{name}_grad" for name in ("relu", "softmax", "max_pool2d", "cumsum")} <= named
    assert not {name for name in named if name.startswith("adamw") and name.endswith("_grad")}
    assert len({str(r.workload) for r in found}) == len(found)


def test_bad_input_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Exception, match="no sectors are counted on nowhere"):
        traffic.main(["--target", "nowhere"])
    assert traffic.main(["--op", "no_such_operator"]) == 1
    assert "0 operators" in capsys.readouterr().out


def test_lean_is_little_more_than_must() -> None:
    def made(moved: int, by_block: int | None, whole: float, work: float = 1.0, why: Mapping[str, str] = NONE) -> Traffic:
        of = Row("any", Workload("relu", {"S": (8,)}), why)
        return Traffic(of, "cuda", "f32", 1, 1000, 1000, moved, by_block, whole, work)

    assert made(1150, None, 0.95).is_lean
    assert made(1151, 1151, 1.0).guilt == ("moved",)
    assert made(1000, None, 0.94).guilt == ("accesses",)
    assert made(1000, None, 1.0, 64.1).guilt == ("work",)
    assert made(2000, 2000, 0.5, 70.0).guilt == ("moved", "accesses", "work")
    assert made(2000, 2000, 0.5, 1.0, {"moved": "both halves"}).guilt == ("accesses",), "a reason is of one measure"
    assert made(2000, 1150, 1.0, 1.0, {"cached": "windows overlap"}).guilt == ()
    assert made(2000, 1151, 1.0, 1.0, {"cached": "windows overlap"}).guilt == ("moved",), "which is counted"


def test_every_reason_is_of_a_row() -> None:
    ops = {row.workload.op for row in (*rows(), *library_rows())}
    assert set(traffic.reasons()) <= ops
    assert {kind for kinds in traffic.reasons().values() for kind in kinds} <= {"moved", "cached", "accesses", "work"}
