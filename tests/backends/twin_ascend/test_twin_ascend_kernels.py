"""Right kernels give right numbers and no finding, in the twin of the 910B."""

from __future__ import annotations

from collections.abc import Sequence

import ascend_kernels as kernels
import numpy as np
import pytest
from ascend_modules import dense, job, module

from uol.backends.twin import Job, TwinRun, execute_many
from uol.backends.twin.record import Array
from uol.ir.program.nodes import Scalar


def ints(*names: str) -> list[Scalar]:
    return [Scalar(name, "i32") for name in names]


def add_job(n: int, blocks: int, rng: np.random.Generator) -> Job:
    args = [dense("x", "f32", [n], "in"), dense("y", "f32", [n], "in"), dense("z", "f32", [n], "out")]
    made = module(kernels.ADD, args, {"add": ("aiv", blocks)}, ints("n"))
    return job(made, {"x": rng.normal(size=n).astype("f4"), "y": rng.normal(size=n).astype("f4")}, {"n": n})


def softmax_job(rows: int, cols: int, rng: np.random.Generator) -> Job:
    args = [dense("x", "f16", [rows, cols], "in"), dense("y", "f16", [rows, cols], "out")]
    made = module(kernels.SOFTMAX, args, {"softmax": ("aiv", 3)}, ints("rows", "cols"))
    return job(made, {"x": (4 * rng.normal(size=(rows, cols))).astype("f2")}, {"rows": rows, "cols": cols})


def columns_job(rows: int, cols: int, skip: int, take: int, rng: np.random.Generator) -> Job:
    args = [dense("x", "f32", [rows, cols], "in"), dense("y", "f32", [rows, take], "out")]
    made = module(kernels.COLUMNS, args, {"columns": ("aiv", 1)}, ints("rows", "cols", "skip", "take"))
    x = rng.normal(size=(rows, cols)).astype("f4")
    x[0, skip] = np.nan
    return job(made, {"x": x}, {"rows": rows, "cols": cols, "skip": skip, "take": take})


def matmul_job(m: int, n: int, k: int, dtype: str, rng: np.random.Generator) -> Job:
    single = dtype == "f32"
    args = [dense("a", dtype, [m, k], "in"), dense("b", dtype, [k, n], "in"), dense("c", dtype, [m, n], "out")]
    if single:
        args.insert(2, dense("bias", "f32", [n], "in"))
    text = kernels.MATMUL_FLOAT if single else kernels.MATMUL_HALF
    made = module(text, args, {"matmul": ("aic", 1)}, ints("M", "N", "K"))
    kind = "f4" if single else "f2"
    buffers = {"a": rng.normal(size=(m, k)).astype(kind), "b": rng.normal(size=(k, n)).astype(kind)}
    if single:
        buffers["bias"] = rng.normal(size=n).astype("f4")
    return job(made, buffers, {"M": m, "N": n, "K": k})


def run_clean(jobs: Sequence[Job]) -> list[TwinRun]:
    runs = execute_many(jobs)
    for run in runs:
        assert not run.findings, [str(f) for f in run.findings]
    return runs


def bytes_of(array: Array) -> bytes:
    return np.ascontiguousarray(array).tobytes()


def test_add_over_blocks_and_tails_is_bit_exact() -> None:
    rng = np.random.default_rng(1)
    jobs = [add_job(n, blocks, rng) for n in (1, 7, 33, 1024, 1025, 5000) for blocks in (1, 4)]
    for made, run in zip(jobs, run_clean(jobs), strict=True):
        assert bytes_of(run.outputs["z"]) == bytes_of(made.buffers["x"] + made.buffers["y"])


def test_softmax_of_half_rows() -> None:
    rng = np.random.default_rng(2)
    jobs = [softmax_job(rows, cols, rng) for rows, cols in ((1, 1), (4, 7), (5, 64), (7, 65), (3, 1000), (2, 2048))]
    for made, run in zip(jobs, run_clean(jobs), strict=True):
        x = made.buffers["x"].astype("f8")
        e = np.exp(x - x.max(axis=1, keepdims=True))
        golden = e / e.sum(axis=1, keepdims=True)
        error = np.abs(run.outputs["y"].astype("f8") - golden)
        assert np.all(error <= 2.0**-11 * golden + 2.0**-24)


def test_a_window_of_columns_keeps_nan() -> None:
    rng = np.random.default_rng(3)
    jobs = [columns_job(*shape, rng) for shape in ((5, 13, 2, 9), (1, 8, 0, 8), (33, 20, 7, 1), (16, 40, 3, 31))]
    for made, run in zip(jobs, run_clean(jobs), strict=True):
        skip, take = made.scalars["skip"], made.scalars["take"]
        x = made.buffers["x"][:, skip : skip + take]
        np.testing.assert_array_equal(run.outputs["y"], np.where(np.isnan(x), x, np.maximum(x, 0)))
        assert np.isnan(run.outputs["y"][0, 0])


SIZES = ((50, 37, 29), (16, 16, 16), (2, 1, 1), (33, 65, 100), (17, 48, 64), (64, 80, 33))


def test_half_matmul_with_tails() -> None:
    rng = np.random.default_rng(4)
    jobs = [matmul_job(*size, "f16", rng) for size in SIZES]
    for made, run in zip(jobs, run_clean(jobs), strict=True):
        a, b = made.buffers["a"].astype("f8"), made.buffers["b"].astype("f8")
        bound = 2.0**-11 * np.abs(a @ b) + a.shape[1] * 2.0**-24 * (np.abs(a) @ np.abs(b)) + 2.0**-24
        assert np.all(np.abs(run.outputs["c"].astype("f8") - a @ b) <= bound)


def test_float_matmul_with_bias_and_relu() -> None:
    rng = np.random.default_rng(5)
    jobs = [matmul_job(*size, "f32", rng) for size in SIZES]
    for made, run in zip(jobs, run_clean(jobs), strict=True):
        a, b = made.buffers["a"].astype("f8"), made.buffers["b"].astype("f8")
        golden = np.maximum(a @ b + made.buffers["bias"], 0)
        bound = (a.shape[1] + 1) * 2.0**-23 * (np.abs(a) @ np.abs(b) + np.abs(made.buffers["bias"]))
        assert np.all(np.abs(run.outputs["c"] - golden) <= bound)


def test_what_is_counted() -> None:
    rng = np.random.default_rng(6)
    added, softened, product = run_clean([add_job(5000, 4, rng), softmax_job(3, 1000, rng), matmul_job(50, 37, 29, "f16", rng)])
    assert added.counts["gm_ub_bytes"] == 2 * 5000 * 4
    assert added.counts["ub_gm_bytes"] == 5000 * 4
    assert added.counts["vector_add_elements"] == 5000
    assert added.counts["blocks"] == 4
    assert softened.counts["vector_transcendental_elements"] == 3000
    assert softened.counts["vector_reduce_elements"] == 6000
    assert softened.counts["scalar_reads"] == 6
    assert product.counts["cube_macs"] == 64 * 48 * 32
    assert product.counts["mmads"] == 1
    assert product.counts["gm_l1_bytes"] == (50 * 29 + 29 * 37) * 2
    assert product.counts["l0c_gm_bytes"] == 50 * 37 * 2
    assert product.counts["l1_l0a_bytes"] == 64 * 32 * 2
    assert product.counts["l1_l0b_bytes"] == 48 * 32 * 2


@pytest.mark.parametrize("checked", [True, False])
def test_unchecked_runs_give_the_same_numbers(checked: bool) -> None:
    rng = np.random.default_rng(7)
    made = softmax_job(4, 129, rng)
    run = execute_many([Job(made.module, made.buffers, made.scalars, checked, capability=made.capability)])[0]
    again = execute_many([made])[0]
    assert not run.findings
    assert bytes_of(run.outputs["y"]) == bytes_of(again.outputs["y"])
