"""The gradient of a gradient: a text again, and PyTorch's double backward."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gradient_runs import differentiable, is_float, setting
from test_library_gradients import comparable
from torch.nn.attention import SDPBackend, sdpa_kernel
from turns import by_turns

from uol.ir import Op, check, parse, print_op
from uol.ir.gradients.derivation import derive
from uol.ops.inputs import make_inputs
from uol.ops.references import differentiable_reference
from uol.ops.texts import library
from uol.ops.workloads import Workload, workloads_of

SMOOTH = (
    *("tanh", "exp", "sigmoid", "silu", "gelu", "sin", "log", "sqrt", "rsqrt", "mul", "div", "softplus"),
    *("softmax", "log_softmax", "logsumexp", "mean", "var", "layer_norm", "rms_norm", "batch_norm", "group_norm"),
    *("linear", "matmul", "conv1d", "conv2d", "avg_pool2d", "cumsum", "mse_loss"),
)


def by_double_backward(name: str, op: Op, workload: Workload, inputs: dict, seeds: list, second: dict) -> dict:
    """d<second, dx>/dx by name of x, and d<second, dx>/ddy under the name of y."""
    tensors = {n: torch.from_numpy(np.array(a)) for n, a in inputs.items()}
    floats = {n: t.requires_grad_() for n, t in tensors.items() if t.is_floating_point()}
    with sdpa_kernel(SDPBackend.MATH):  # attention has a second derivative here alone
        given = differentiable_reference(name)(*tensors.values(), **workload.attrs)
    results = given if isinstance(given, tuple | list) else (given,)
    cotangents = [torch.from_numpy(s).requires_grad_() for s in seeds]
    moving = [(y, c) for y, c in zip(results, cotangents, strict=True) if y.requires_grad]
    first = through(moving, list(floats.values()), create_graph=True)
    kept = [(g, torch.from_numpy(second[n])) for n, g in zip(floats, first, strict=True) if g.requires_grad]
    names = [*floats, *(r.name for r in op.results)]
    found = through(kept, [*floats.values(), *cotangents])
    return {n: g.detach().numpy(force=True) for n, g in zip(names, found, strict=True)}


def through(pairs: list, tensors: list[torch.Tensor], **options: bool) -> list[torch.Tensor]:
    """The gradients of tensors for pairs of a result and its cotangent; 0 where nothing depends on one."""
    if not pairs:
        return [torch.zeros_like(t) for t in tensors]
    results, cotangents = zip(*pairs, strict=True)
    found = torch.autograd.grad(results, tensors, cotangents, allow_unused=True, **options)
    return [torch.zeros_like(t) if g is None else g for t, g in zip(tensors, found, strict=True)]


def derived_twice(op: Op, workload: Workload, inputs: dict, seeds: list, second: dict) -> dict:
    """The same from the derived texts; what goes through a saved result goes back through the forward."""
    ops, at = library(), setting(op, workload)
    once = derive(op, ops)
    twice = derive(once.op, ops)
    known = {**inputs, **at.run(op, ops, inputs)}
    floats = [r for r in op.results if r.name in once.roles.cotangents]
    known |= {once.roles.cotangents[r.name]: s for r, s in zip(op.results, seeds, strict=True) if r in floats}
    known |= at.run(once.op, ops, known)
    known |= {twice.roles.cotangents[once.roles.gradients[n]]: second[n] for n in once.roles.gradients}
    found = at.run(twice.op, ops, known)
    by_input = {name: found[out] for name, out in twice.roles.gradients.items()}
    passed_on = [by_input.get(r.name, np.zeros_like(known[r.name])) for r in floats]
    back = at.run(once.op, ops, {**known, **dict(zip(once.roles.cotangents.values(), passed_on, strict=True))})
    out = {n: by_input.get(n, 0) + back[once.roles.gradients[n]] for n in once.roles.gradients}
    return out | {r.name: by_input.get(once.roles.cotangents[r.name], np.zeros_like(known[r.name])) for r in floats}


def compare(name: str, workload: Workload) -> None:
    op = library().get(name)
    assert op is not None
    inputs = make_inputs(setting(op, workload).program(op, library()), "random", seed=3)
    rng = np.random.default_rng(7)
    results = setting(op, workload).run(op, library(), inputs)
    seeds = [rng.standard_normal(r.shape) for r in results.values()]
    second = {p.name: rng.standard_normal(inputs[p.name].shape) for p in op.params if is_float(op, p.type)}
    expected = by_double_backward(name, op, workload, inputs, seeds, second)
    for tensor, value in derived_twice(op, workload, inputs, seeds, second).items():
        np.testing.assert_allclose(value, expected[tensor], 1e-8, 1e-8, err_msg=f"{tensor} of {workload}")


@pytest.mark.parametrize("name", by_turns(4, SMOOTH))
def test_the_gradient_of_a_gradient_is_double_backward(name: str) -> None:
    every = [w for w in workloads_of(name) if comparable(w) and 0 not in w.flat_dims.values()]
    for workload in (every[0], every[-1]):
        compare(name, workload)


@pytest.mark.parametrize("name", ["tanh", "softmax", "layer_norm", "linear", "cumsum", "conv1d", "amax"])
def test_the_gradient_of_a_gradient_is_a_text_that_passes_the_checker(name: str) -> None:
    op = library().get(name)
    assert op is not None
    text = derive(derive(op, library()).op, library()).op
    assert parse(print_op(text))[0] == text
    check(text, library())


@pytest.mark.soak
@pytest.mark.parametrize("name", differentiable())
def test_every_gradient_can_be_differentiated(name: str) -> None:
    for workload in workloads_of(name):
        if comparable(workload) and 0 not in workload.flat_dims.values():
            compare(name, workload)
