"""The derived gradient of every operator of the library, against PyTorch's autograd and against differences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from gradient_runs import by_autograd, by_differences, derived, differentiable, direction, setting
from turns import by_turns

from uol.ir import check, parse, print_op
from uol.ir.gradients import gradient
from uol.ops.inputs import make_inputs
from uol.ops.texts import library
from uol.ops.workloads import Workload, workloads_of


def case(name: str, workload: Workload):
    op = library().get(name)
    assert op is not None
    at = setting(op, workload)
    program = at.program(op, library())
    inputs = make_inputs(program, "random", seed=3)
    if name == "tan":
        inputs = {"x": inputs["x"] * 0.3}  # away from the poles, where no difference is near the derivative
    rng = np.random.default_rng(5)
    shapes = [r.shape for r in at.run(op, library(), inputs).values() if r.dtype.kind == "f"]
    # Of few bits: a cotangent is rounded to its result's type, which of an operator with types of its own may be narrow.
    return op, at, inputs, [rng.standard_normal(shape).astype(np.float16).astype(np.float64) for shape in shapes]


def comparable(workload: Workload) -> bool:
    """Whether PyTorch has this gradient: it fails on an empty pixel shuffle, and says 0 for the deviation of one value."""
    if workload.op == "pixel_shuffle":
        return 0 not in workload.dims.values()
    return workload.op not in ("std", "std_mean") or workload.dims["C"] != 1


PROVEN = (
    *("relu", "elu", "gelu", "silu", "abs", "pow", "maximum", "clamp", "cast", "choose", "softplus", "hardtanh"),
    *("sum", "prod", "amax", "max_with_index", "var", "vector_norm", "softmax", "log_softmax", "logsumexp"),
    *("batch_norm", "layer_norm", "rms_norm", "group_norm", "linear", "linear_relu", "matmul", "einsum"),
    *("conv1d", "conv_transpose1d", "max_pool1d", "avg_pool1d", "adaptive_max_pool1d", "upsample_bilinear2d"),
    *("cumsum", "cumprod", "cross_entropy", "nll_loss", "embedding", "index_select", "sort", "topk", "moe_route"),
)
"""One operator of each form: to prove a window for all sizes takes seconds. `make soak` proves every operator."""


def check_text(name: str) -> None:
    op = library().get(name)
    assert op is not None
    text = gradient(op, library())
    assert parse(print_op(text))[0] == text
    check(text, library())


@pytest.mark.parametrize("name", [n for n in differentiable() if n in PROVEN])
def test_a_gradient_is_a_text_that_passes_the_checker(name: str) -> None:
    check_text(name)


@pytest.mark.soak
@pytest.mark.parametrize("name", [n for n in differentiable() if n not in PROVEN])
def test_every_gradient_passes_the_checker(name: str) -> None:
    check_text(name)


WAYS = by_turns(4, ["autograd", "differences"], range(len(differentiable())))
"""Every operator in one of two ways; each in the other is for the soak."""


def compare_with_autograd(name: str, workloads: Sequence[Workload]) -> None:
    for workload in workloads:
        if not comparable(workload):
            continue
        op, at, inputs, cotangents = case(name, workload)
        found = derived(op, library(), at, inputs, cotangents)
        expected = by_autograd(op, workload.attrs, inputs, cotangents)
        for tensor, value in expected.items():
            np.testing.assert_allclose(found[tensor], value, 1e-9, 1e-9, err_msg=f"d{tensor} of {workload}")


@pytest.mark.parametrize(("way", "number"), WAYS, ids=[f"{case.values[0]}-{differentiable()[case.values[1]]}" for case in WAYS])
def test_the_derived_gradient_is_that_of_autograd_or_the_limit_of_differences(way: str, number: int) -> None:
    """Against autograd on a workload by turns; of those by size, the first one would take the longest."""
    name = differentiable()[number]
    if way == "differences":
        compare_with_differences(name)
    else:
        compare_with_autograd(name, [workloads_of(name)[(1, -2, -1)[number % 3]]])


@pytest.mark.soak
@pytest.mark.parametrize("name", differentiable())
def test_the_derived_gradient_is_that_of_autograd_on_every_workload(name: str) -> None:
    compare_with_autograd(name, workloads_of(name))


def compare_with_differences(name: str) -> None:
    workload = workloads_of(name)[0]
    op, at, inputs, cotangents = case(name, workload)
    found = derived(op, library(), at, inputs, cotangents)
    for tensor, slope in by_differences(op, library(), at, inputs, cotangents).items():
        got = float((found[tensor] * direction(inputs[tensor].shape)).sum())
        assert got == pytest.approx(slope, rel=1e-5, abs=1e-4), tensor
