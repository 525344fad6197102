"""Factors of sums of products are stored in a narrow type that has all their values."""

from __future__ import annotations

import numpy as np
import pytest
from before_after import agree
from middle import program_of, run

import uol
from uol.codegen.program.narrow_factors import narrow_factors
from uol.codegen.specs.nodes import Contract

HEAD = "op f(y: T[M, N], dy: T[M, N], w: T[N, K]) -> (dx: T[M, K]) for T in (f16, f32) {\n"
MASKED = HEAD + """  du[m, n] = select(acc(y[m, n]) > 0, acc(dy[m, n]), 0)
  dx[m, k] = T(sum[n](du[m, n] * acc(w[n, k])))
}"""
SIZES = {"M": 3, "N": 5, "K": 4}


def test_a_choice_of_narrow_values_is_narrow() -> None:
    agree(
        narrow_factors(program_of(MASKED, dims=SIZES, types={"T": "f16"})),
        """
        line 2   du[m, n]: f16 = select(f32(y[m, n]) > 0, dy[m, n], 0)
        line 3   dx[m, k]: f16 = f16(sum[n](f32(du[m, n]) * f32(w[n, k])))
        """,
    )


def test_so_is_what_a_scatter_multiplies() -> None:
    added = "t[m] += acc(w[m % N, 0]) * du[m, 0]\n  dx[m, k] = T(t[m])"
    text = MASKED.replace("dx[m, k] = T(sum[n](du[m, n] * acc(w[n, k])))", added)
    assert narrow_factors(program_of(text, dims=SIZES, types={"T": "f16"})).tensors["du"].dtype == "f16"


@pytest.mark.parametrize(
    "text",
    [
        MASKED.replace("acc(dy[m, n])", "2 * acc(dy[m, n])"),
        MASKED.replace(", 0)\n", ", 0.1)\n"),
        MASKED.replace("acc(w[n, k])", "(acc(w[n, k]) + 1)"),
        MASKED.replace("du[m, n] * acc(w[n, k])", "du[m, n]"),
        MASKED.replace("du[m, n] * acc(w[n, k])", "(du[m, n + 1] else 0.1) * acc(w[n, k])"),
        MASKED.replace("(dx: T[M, K])", "(dx: T[M, K], du: acc(T)[M, N])"),
    ],
    ids=["rounded", "no number of the type", "a wider factor", "no product", "another number beyond", "a result"],
)
def test_others_stay(text: str) -> None:
    program = program_of(text, dims=SIZES, types={"T": "f16"})
    assert narrow_factors(program) == program


def test_of_one_type_nothing_is_narrower() -> None:
    program = program_of(MASKED, dims=SIZES, types={"T": "f32"})
    assert narrow_factors(program) == program


def test_they_mean_what_they_did() -> None:
    run(MASKED, inputs={"y": np.random.default_rng(1).integers(-3, 4, (3, 5))}, dims=SIZES, types={"T": "f16"})


@pytest.mark.parametrize("target", ["cuda", "hip"])
def test_matrix_units_multiply_the_gradient_of_a_relu(target: str) -> None:
    kernels = uol.compile("linear_relu_grad", target, "f16", {"S": 64, "K": 64, "N": 64}).module.kernels
    products = [kernel for kernel in kernels if isinstance(kernel.spec, Contract)]
    assert len(products) == 2
    assert {type(kernel.schedule).__name__ for kernel in products} == {"MatrixTile"}
