"""Folds of many rows into few results: over all vector cores, in tiles of rows that accumulate side by side."""

from __future__ import annotations

import numpy as np
import pytest
from ascend_forms import Expected, Form, job_of, module_of

from uol.backends import registry
from uol.backends.ascendc.schedules import VectorSchedule
from uol.backends.twin.record import TwinRun
from uol.backends.twin.run import execute_many
from uol.codegen.backend import Module

RNG = np.random.default_rng(11)
SUM = "op f(x: {t}[P, C]) -> (y: f32[C]) {{ y[c] = sum[p](f32(x[p, c])) }}"
NORM = """op f(x: {t}[P, C]) -> (y: f32[P, C]) {{
  m[c] = sum[p](f32(x[p, c])) * 0.001
  v[c] = sum[p]((f32(x[p, c]) - m[c]) * (f32(x[p, c]) - m[c])) * 0.001
  y[p, c] = (f32(x[p, c]) - m[c]) * rsqrt(v[c] + 0.5)
}}"""
IMAGES = "op f(x: {t}[N, H, W, C]) -> (y: f32[N, C]) {{ y[n, c] = sum[h, w](f32(x[n, h, w, c])) }}"
ANY = "op f(x: {t}[P, C]) -> (y: bool[C]) {{ y[c] = any[p](x[p, c] > 3.0) }}"


def norm(x: np.ndarray) -> np.ndarray:
    centred = x - x.sum(0) * 0.001
    return centred / np.sqrt((centred**2).sum(0) * 0.001 + 0.5)


SIZES = ((8192, 64), (4099, 33), (20011, 7), (3001, 100), (70000, 1), (40000, 3), (1030, 1000), (5000, 16))


def form(name: str, text: str, dtype: str, sizes: tuple[int, ...], expected: Expected) -> Form:
    x = RNG.standard_normal(sizes).astype(np.float16 if dtype == "f16" else np.float32)
    dims = dict(zip("NHWC" if len(sizes) == 4 else "PC", sizes, strict=True))
    exact = x.astype(np.float64)
    return Form(f"{name} {dtype} {sizes}", text.format(t=dtype), {"x": x}, lambda _: expected(exact), dims, close=2e-4)


FORMS = (
    *(form("sum", SUM, t, sizes, lambda x: x.sum(0)) for t in ("f16", "f32") for sizes in SIZES),
    *(form("norm", NORM, t, sizes, norm) for t in ("f16", "f32") for sizes in SIZES[:4]),
    form("images", IMAGES, "f16", (3, 61, 47, 40), lambda x: x.sum((1, 2))),
    form("images", IMAGES, "f32", (50, 24, 20, 64), lambda x: x.sum((1, 2))),
    form("any", ANY, "f32", (9000, 20), lambda x: (x > 3).any(0)),
)


def folds_rows(module: Module) -> list[bool]:
    """Whether the tile of each kernel that folds has rows along what is folded."""
    schedules = [(k.spec, k.schedule) for k in module.kernels if hasattr(k.spec, "cols")]
    return [isinstance(s, VectorSchedule) and s.row in {a.name for a in spec.cols} for spec, s in schedules]


@pytest.fixture(scope="module")
def runs() -> dict[str, TwinRun]:
    return {f.name: run for f, run in zip(FORMS, execute_many([job_of(f) for f in FORMS]), strict=True)}


@pytest.mark.parametrize("case", FORMS, ids=str)
def test_columns_are_folded(case: Form, runs: dict[str, TwinRun]) -> None:
    run, expected = runs[case.name], case.expected(case.inputs)
    assert not run.findings, run.findings
    scale = np.abs(expected.astype(np.float64)).max() + 1
    np.testing.assert_allclose(run.outputs["y"] / scale, expected / scale, atol=case.close)


@pytest.mark.parametrize(("sizes", "wanted"), [((100352, 64), [True, False]), ((4096, 64), [True, False]), ((40, 64), [False])])
def test_long_columns_go_over_all_cores(sizes: tuple[int, int], wanted: list[bool]) -> None:
    module = module_of(Form("sum", SUM.format(t="f16"), {}, lambda _: np.empty(0), dict(zip("PC", sizes, strict=True))))
    assert folds_rows(module) == wanted
    device = registry.get("ascendc").devices["910b2"]
    if sizes[0] > 10000:
        assert module.kernels[0].launch.grid == (2 * device.cores, 1, 1)
