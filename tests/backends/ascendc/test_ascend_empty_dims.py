"""Dims of size 0, and windows that leave a tile empty: no copy of no rows or no bytes is ever issued."""

from __future__ import annotations

import numpy as np
import pytest
from ascend_forms import Form, job_of

from uol.backends.twin import TwinRun, execute_many

MATMUL = "op f(x: f16[M, K], w: f16[K, N]) -> (y: f32[M, N]) {{ y[m, n] = sum[k](f32(x[m, k]) * f32(w[k, n])){more} }}"
SHIFT = "op f(x: f32[R, C]) -> (y: f32[R, C]) {{ y[r, c] = (x[r + {rows}, c + {cols}] else 7) * 2 }}"


def ones(dtype: type[np.generic], **shapes: tuple[int, ...]) -> dict[str, np.ndarray]:
    return {name: np.ones(shape, dtype) for name, shape in shapes.items()}


def shifted(rows: int, cols: int, r: int, c: int) -> Form:
    x = np.arange(r * c, dtype=np.float32).reshape(r, c)
    wanted = np.full((r, c), 14, np.float32)
    for i in range(r):
        for j in range(c):
            if 0 <= i + rows < r and 0 <= j + cols < c:
                wanted[i, j] = 2 * x[i + rows, j + cols]
    text = SHIFT.format(rows=rows, cols=cols)
    return Form(f"shift {rows} {cols} of {r}x{c}", text, {"x": x}, lambda _: wanted, {"R": r, "C": c})


FORMS = [
    Form("map of nothing", "op f(x: f32[N]) -> (y: f32[N]) { y[n] = exp(x[n]) }",
         ones(np.float32, x=(0,)), lambda i: i["x"], {"N": 0}),
    *(
        Form(f"map {r}x{c}", "op f(x: f32[R, C]) -> (y: f32[C, R]) { y[c, r] = x[r, c] + 1 }",
             ones(np.float32, x=(r, c)), lambda i: i["x"].T + 1, {"R": r, "C": c})
        for r, c in ((0, 5), (5, 0), (0, 0))
    ),
    *(
        Form(f"sum {r}x{c}", "op f(x: f32[R, C]) -> (y: f32[R]) { y[r] = sum[c](x[r, c]) }",
             ones(np.float32, x=(r, c)), lambda i: i["x"].sum(1), {"R": r, "C": c})
        for r, c in ((0, 5), (5, 0), (0, 0))
    ),
    Form("what stands beside a sum of nothing is compared",
         "op f(x: f32[N]) -> (y: f32[]) { y[] = sum[n](x[n]) + min(x[1] else 0, x[0 - 1] else 1) }",
         ones(np.float32, x=(0,)), lambda _: np.float32(0), {"N": 0}),
    *(
        Form(f"matmul {m}x{n}x{k}{more}", MATMUL.format(more=more), ones(np.float16, x=(m, k), w=(k, n)),
             lambda i, add=add: i["x"].astype("f4") @ i["w"].astype("f4") + add, {"M": m, "N": n, "K": k})
        for m, n, k in ((0, 5, 3), (5, 0, 3), (5, 3, 0), (0, 0, 0))
        for more, add in (("", 0), (" + 1", 1))
    ),
    *(shifted(rows, cols, 3, 40) for rows, cols in ((0, 39), (0, 40), (0, -41), (3, 0), (-4, 0), (2, -39), (5, 50))),
]  # fmt: skip


@pytest.fixture(scope="module")
def runs() -> dict[str, TwinRun]:
    return dict(zip((f.name for f in FORMS), execute_many([job_of(f) for f in FORMS]), strict=True))


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_an_empty_tile_copies_nothing(runs: dict[str, TwinRun], form: Form) -> None:
    run = runs[form.name]
    assert not run.findings, [str(f) for f in run.findings]
    assert np.array_equal(run.outputs["y"], form.expected(form.inputs))
