"""Weight gradients of channels-last images: their windows are copied in runs of channels, and many terms go over all cores."""

from __future__ import annotations

import numpy as np
import pytest
from ascend_forms import Form, job_of, module_of

from uol.backends.ascendc.schedules import VectorSchedule
from uol.backends.ascendc.transfers.indices import extent
from uol.backends.twin.run import execute_many
from uol.codegen.specs.nodes import Contract, Pack

DW = """op f(x: {t}[N, H, W, C], dy: {t}[N, H, W, O]) -> (dw: f32[O, C, 3, 3]) {{
  dw[o, c, r, s] = sum[n, h, w](f32(dy[n, h, w, o]) * f32(x[n, h + r - 1, w + s - 1, c] else 0.0))
}}"""


def weight_gradient(x: np.ndarray, dy: np.ndarray) -> np.ndarray:
    _, h, w, _ = x.shape
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    taps = [np.einsum("nhwo,nhwc->oc", dy, padded[:, r : r + h, s : s + w]) for r in range(3) for s in range(3)]
    return np.stack(taps, -1).reshape(dy.shape[-1], x.shape[-1], 3, 3)


def form(dtype: str, channels: int, height: int = 6) -> Form:
    rng = np.random.default_rng(2)
    x, dy = (rng.standard_normal((2, height, 7, n)).astype(np.float16 if dtype == "f16" else np.float32) for n in (channels, 5))
    expected = weight_gradient(x.astype(np.float64), dy.astype(np.float64))
    dims = {"N": 2, "H": height, "W": 7, "C": channels, "O": 5}
    return Form(f"{dtype} {channels}", DW.format(t=dtype), {"x": x, "dy": dy}, lambda _: expected, dims)


@pytest.mark.parametrize("dtype", ["f16", "f32"])
@pytest.mark.parametrize("channels", [3, 16, 33, 64])
def test_a_weight_gradient_is_right(dtype: str, channels: int) -> None:
    case = form(dtype, channels)
    (run,) = execute_many([job_of(case)])
    assert not run.findings, run.findings
    np.testing.assert_allclose(run.outputs["dw"], case.expected(case.inputs), atol=2e-4)


@pytest.mark.parametrize(("terms", "kernels"), [(64, 2), (3, 1)])
def test_a_result_larger_than_what_is_packed_keeps_its_order(terms: int, kernels: int) -> None:
    """Through a workspace it would be written and read once more than the copy saves."""
    text = "op f(x: f16[K, C, R], w: f16[K, O]) -> (y: f32[O, C, R]) { y[o, c, r] = sum[k](f32(w[k, o]) * f32(x[k, c, r])) }"
    x, w = (np.random.default_rng(3).standard_normal(s).astype(np.float16) for s in ((terms, 3, 20), (terms, 10)))
    dims = {"K": terms, "C": 20, "R": 3, "O": 10}
    case = Form("turned", text, {"x": x.transpose(0, 2, 1), "w": w}, lambda _: np.empty(0), dims, layouts={"x": (60, 1, 20)})
    names = [k.name for k in module_of(case).kernels]
    assert len([n for n in names if "pack" not in n]) == kernels, names


@pytest.mark.parametrize("dtype", ["f16", "f32"])
def test_terms_in_parts_add_up(dtype: str) -> None:
    case = form(dtype, 33, 240)
    module = module_of(case)
    (parts,) = (k for k in module.kernels if k.name.endswith("_parts_kernel"))
    assert isinstance(parts.spec, Contract)
    assert [extent(axis) for axis in parts.spec.batch] == [3]
    (run,) = execute_many([job_of(case)])
    assert not run.findings, run.findings
    np.testing.assert_allclose(run.outputs["dw"], case.expected(case.inputs), atol=2e-3)


def test_lanes_of_its_copies_are_channels() -> None:
    packs = [k for k in module_of(form("f16", 64)).kernels if isinstance(k.spec, Pack)]
    assert packs
    for kernel in packs:
        schedule = kernel.schedule
        assert isinstance(schedule, VectorSchedule)
        assert schedule.lane in ("c", "o")
        assert schedule.lanes >= 5
