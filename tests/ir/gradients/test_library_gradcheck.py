"""Every operator's gradient, and the gradient of that, as PyTorch runs them on the CPU: held against differences in f64."""

from __future__ import annotations

import math

import pytest
import torch
from gradient_runs import differentiable, setting
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck
from turns import by_turns

import uol
from uol.ops.inputs import make_inputs
from uol.ops.texts import library
from uol.ops.workloads import Workload, workloads_of

FORMS = (
    *("silu", "hypot", "softmax", "layer_norm", "batch_norm_train", "conv2d", "conv_transpose1d", "max_pool2d", "cumprod"),
    *("gather", "index_select", "embedding", "scatter_add", "sort", "topk", "reflection_pad1d", "replication_pad2d"),
    *("upsample_bilinear2d", "cross_entropy", "masked_attention", "moe_expert", "moe_combine", "prelu", "dropout"),
)
"""One of each form of statement, half of them in a run. `make soak` takes every operator."""


def elements(workload: Workload) -> int:
    return math.prod(workload.flat_dims.values())


def representative(name: str) -> Workload:
    """The largest case of at most two thousand points, so that no dim is 1 for want of room."""
    cases = sorted((w for w in workloads_of(name) if elements(w)), key=elements)
    return [w for w in cases if elements(w) <= 2000 or w is cases[0]][-1]


def check_differences(name: str) -> None:
    op = library().get(name)
    assert op is not None
    workload = representative(name)
    at = setting(op, workload)
    arrays = make_inputs(at.program(op, library()), "random", seed=3)
    near = 0.3 if name == "tan" else 1.0  # away from the poles, where no difference is near the derivative
    tensors = [torch.from_numpy(arrays[p.name] * near if p.type == "T" else arrays[p.name]) for p in op.params]
    tensors = [t.requires_grad_() if t.is_floating_point() else t for t in tensors]
    options = {"dtype": torch.float64} if name == "cast" else {}

    def run(*inputs: Tensor) -> tuple[Tensor, ...]:
        found = getattr(uol.ops.text, name)(*inputs, **workload.attrs, **options)
        return tuple(y for y in (found if isinstance(found, tuple) else (found,)) if y.is_floating_point())

    assert gradcheck(run, tensors, fast_mode=True)
    assert gradgradcheck(run, tensors, fast_mode=True)


@pytest.mark.parametrize("name", by_turns(4, [n for n in differentiable() if n in FORMS]))
def test_a_gradient_of_each_form_is_the_limit_of_differences_twice(name: str) -> None:
    check_differences(name)


@pytest.mark.soak
@pytest.mark.parametrize("name", [n for n in differentiable() if n not in FORMS])
def test_every_gradient_is_the_limit_of_differences_twice(name: str) -> None:
    check_differences(name)


def test_every_form_is_there() -> None:
    assert set(FORMS) <= set(differentiable())
