"""Grouped products: what their tiles multiply is what the twin counts; at full size both bars hold; what misses one is said."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import uol
from uol.backends.twin import Job, execute_many
from uol.codegen.specs.nodes import Contract
from uol.conformance.gap.routing import SAYS, keys_by, keys_of
from uol.conformance.products import experts
from uol.conformance.products.experts import Experts, ExpertTime, expert_times, main
from uol.conformance.products.forms import inputs_of
from uol.conformance.products.tiling import issued_share, runs_of

KEYS = [0] * 70 + [2] * 5 + [3] * 65


@pytest.mark.parametrize("target", ["cuda", "hip"])
@pytest.mark.parametrize("op", ["grouped_matmul", "grouped_matmul_grad"])
def test_tiles_multiply_what_the_twin_counts(op: str, target: str) -> None:
    dims = {"M": len(KEYS), "D": 72, "E": 4, "F": 136}
    module = uol.compile(op, target, "f16", dims).module
    products = [kernel for kernel in module.kernels if isinstance(kernel.spec, Contract)]
    shares = [issued_share(kernel, runs_of(kernel.spec, {"expert": KEYS})) for kernel in products]
    (run,) = execute_many([Job(module, inputs_of(module, KEYS))])
    assert not run.findings
    useful = 2 * len(KEYS) * 72 * 136
    assert run.counts["matrix operations f16"] == pytest.approx(sum(useful / share for share in shares), rel=1e-12)


@pytest.mark.parametrize(("target", "stages"), [("cuda", 4), ("hip", 2)])
def test_a_warp_without_rows_of_a_segment_multiplies_none(target: str, stages: int) -> None:
    """Segments of 70, 5 and 65 rows in tiles of 64, of which each of two warps has 32: the second has none of 6, 5 and 1."""
    dims = {"M": len(KEYS), "D": 72, "E": 4, "F": 136}
    schedule = f"m=64,n=64,k=32,warps_m=2,warps_n=2,stages={stages}"
    module = uol.compile("grouped_matmul", target, "f16", dims, schedule=schedule).module
    inputs = inputs_of(module, KEYS)
    (run,) = execute_many([Job(module, inputs)])
    assert not run.findings
    rows, columns, terms = 64 + 32 + 32 + 64 + 32, 192, 96
    assert run.counts["matrix operations f16"] == 2 * rows * columns * terms
    assert issued_share(module.kernels[-1], runs_of(module.kernels[-1].spec, {"expert": KEYS})) == pytest.approx(
        len(KEYS) * 136 * 72 / (rows * columns * terms), rel=1e-12
    )
    x, w = (inputs[name].astype(np.float64) for name in ("x", "w"))
    golden = np.einsum("md,mfd->mf", x, w[KEYS])
    np.testing.assert_allclose(run.outputs["y"], golden, rtol=2e-3, atol=1e-3)


@pytest.mark.parametrize("target", ["cuda:a100", "hip:mi250x"])
@pytest.mark.parametrize("op", ["grouped_matmul", "grouped_matmul_grad"])
def test_tiles_of_many_rows_are_mostly_full(op: str, target: str) -> None:
    dims = {"M": 4 * 8192, "D": 2048, "E": 128, "F": 768}
    kernels = [k for k in uol.compile(op, target, "f16", dims).module.kernels if isinstance(k.spec, Contract)]
    for routing in SAYS:
        shares = [issued_share(kernel, runs_of(kernel.spec, keys_of(kernel.spec, routing))) for kernel in kernels]
        assert len(shares) == 1 + op.endswith("_grad") and min(shares) >= 0.8


@pytest.mark.parametrize("target", ["cuda:a100", "hip:mi250x"])
def test_few_rows_take_the_time_of_their_bytes(target: str) -> None:
    times = list(expert_times("grouped_matmul", target, 256, Experts()))
    assert [time.routing for time in times] == list(SAYS)
    assert all(1 <= time.ratio <= 1.3 and time.is_good for time in times)
    weights, rows = 128 * 2048 * 768 * 2, 1024 * (2048 + 768) * 2
    bandwidth = {"cuda:a100": 1764e9, "hip:mi250x": 1358e9}[target]
    assert times[0].bytes_seconds == pytest.approx((weights + rows) / bandwidth, rel=1e-3)


def test_what_misses_a_bar_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def told(share: float, seconds: float, tokens: int) -> tuple[int, str]:
        def found(*given: object) -> Iterator[ExpertTime]:
            yield ExpertTime("product", "cuda", tokens, "Zipf", "tile", share, seconds, 1.0)

        monkeypatch.setattr(experts, "expert_times", found)
        status = main(["--target", "cuda", "--op", "grouped_matmul", "--tokens", str(tokens)])
        return status, capsys.readouterr().out

    assert told(0.8, 9.0, 8192)[0] == told(0.1, 1.3, 256)[0] == told(0.1, 9.0, 1024)[0] == 0
    for missed in (told(0.79, 1.0, 8192), told(0.9, 1.31, 256)):
        assert missed[0] == 1 and missed[1].endswith("MISSED\n")


def test_segments_without_rows_have_none() -> None:
    module = uol.compile("grouped_matmul", "cuda", "f16", {"M": 8, "D": 64, "E": 4, "F": 64}).module
    assert runs_of(module.kernels[-1].spec, {"expert": [1, 1, 3]}) == (0, 2, 0, 1)
    assert np.sum(runs_of(module.kernels[-1].spec, {"expert": keys_by("Zipf", 8, 4)})) == 8
