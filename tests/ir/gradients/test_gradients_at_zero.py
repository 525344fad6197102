"""Gradients where values are 0: parameters begin there, padding is it, absolute values and roots have their edges there."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gradient_runs import by_autograd, derived, differentiable, setting
from turns import by_turns

import uol
from uol.conformance.library_gradients import PIECES_MEET_AT_ZERO
from uol.ops.inputs import make_inputs
from uol.ops.texts import library
from uol.ops.workloads import workloads_of

OTHERWISE = {
    **dict.fromkeys(("amax", "amin", "max_with_index", "min_with_index", "max_norm"), "the first of equal values has it all"),
    **dict.fromkeys(("cummax", "cummin"), "the first of equal values has it all; in PyTorch the last"),
    **dict.fromkeys(("sort", "median"), "equal values keep their order; PyTorch's need not"),
    **dict.fromkeys(
        ("binary_cross_entropy", "binary_cross_entropy_each", "binary_cross_entropy_sum"),
        "PyTorch has a formula of its own, which is 0 where the derivative is 1 / n",
    ),
    **dict.fromkeys(("hypot", "kl_div", "kl_div_each", "kl_div_sum"), "NaN in PyTorch, 0 here"),
    **dict.fromkeys(("weighted_nll_loss", "weighted_cross_entropy"), "weights that add up to 0: 0 / 0, in the gradient too"),
    **dict.fromkeys(PIECES_MEET_AT_ZERO, "pieces meet there: the derivative of the text is 0, the written gradient right"),
    "lgamma": "a pole, at which the derivative of the text is 0",
    "gradient_norm": "the square root alone; what is differentiated is l2_norm",
}
"""Operators whose derivative at 0 is another one than PyTorch's."""


@pytest.mark.parametrize("name", by_turns(4, [n for n in differentiable() if n not in OTHERWISE]))
def test_the_gradient_at_zero_is_that_of_autograd(name: str) -> None:
    op, ops, workload = library().get(name), library(), workloads_of(name)[-1]
    assert op is not None
    at = setting(op, workload)
    made = make_inputs(at.program(op, ops), "random", seed=3)
    inputs = {n: np.zeros_like(v) if v.dtype.kind == "f" else v for n, v in made.items()}
    rng = np.random.default_rng(5)
    # Of few bits: a cotangent is rounded to its result's type, which of an operator with types of its own may be narrow.
    shapes = [r.shape for r in at.run(op, ops, inputs).values() if r.dtype.kind == "f"]
    cotangents = [rng.standard_normal(shape).astype(np.float16).astype(np.float64) for shape in shapes]
    found, expected = derived(op, ops, at, inputs, cotangents), by_autograd(op, workload.attrs, inputs, cotangents)
    for tensor, value in expected.items():
        np.testing.assert_allclose(found[tensor], value, 1e-7, 1e-9, err_msg=f"d{tensor} of {workload}")


NAMES = ("atan", "asin", "acos", "sinh", "cosh", "asinh", "atanh", "lgamma", "erfinv", "logcumsumexp")


@pytest.mark.parametrize("name", NAMES)
def test_a_written_gradient_at_zero_is_that_of_pytorch(name: str) -> None:
    ours, theirs = (torch.zeros(2, 7, dtype=torch.float64, requires_grad=True) for _ in range(2))
    getattr(uol.ops.text, name)(ours).sum().backward()
    getattr(torch, name)(theirs, *([-1] if name == "logcumsumexp" else [])).sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad)


@pytest.mark.parametrize("name", ["mish", "log_sigmoid", "softplus", "gelu", "silu"])
def test_the_second_derivative_at_zero(name: str) -> None:
    step = 1e-4
    x = torch.tensor([0.0, step, -step], dtype=torch.float64, requires_grad=True)
    (first,) = torch.autograd.grad(getattr(uol.ops.text, name)(x).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x)
    assert abs(float(second[0].detach()) - float((first[1] - first[2]).detach()) / (2 * step)) < 1e-6
