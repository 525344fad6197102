"""Norms of few long rows: passes of their own kernels, which read what earlier ones computed of folds, in the twin beside
float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from library_programs import program_of
from simt_cases import widened

from uol.backends import registry
from uol.backends.twin.record import Array, Job
from uol.backends.twin.run import execute_many
from uol.binding.layouts import channels_last
from uol.codegen.indexing.arithmetic import static
from uol.codegen.lowering import lower
from uol.conformance.cases.memory_order import all_laid_out
from uol.ops.workloads import Workload

EPS, MOMENTUM = 1e-5, 0.1
PICTURES = {"N": 4, "C": 6, "S": (96, 96)}
ROWS = {"S": (3,), "C": 40000}


def results(op: str, dims: dict[str, int | tuple[int, ...]], target: str, values: dict[str, Array]) -> dict[str, np.ndarray]:
    """What the kernels of a device compute, without a finding; several of them go over the rows."""
    backend = registry.get(target)
    device = backend.devices[backend.default_device]
    program = program_of(Workload(op, dims), "f32")
    shapes = {tensor.name: tuple(static(extent) or 0 for extent in tensor.shape) for tensor in program.tensors.values()}
    layouts = {name: channels_last(shape) for name, shape in shapes.items() if len(shape) == 4}
    graph = lower(program, backend, layouts)
    assert len(graph.specs) >= 3, graph.specs
    assert any(arg.name.endswith("_rows") for arg in graph.workspaces)
    kernels = [backend.render(spec, next(iter(backend.schedules(spec, device))), device) for spec in graph.specs]
    scalars = {"eps": EPS, "momentum": MOMENTUM}
    given = {scalar.name: scalars[scalar.name] for scalar in program.scalars}
    (run,) = execute_many([Job(backend.assemble(graph, kernels, device), all_laid_out(values, layouts), given)])
    assert not run.findings, run.findings
    return {name: widened(output, "f64") for name, output in run.outputs.items()}


def drawn(**shapes: tuple[int, ...]) -> dict[str, Array]:
    rng = np.random.default_rng(3)
    return {name: (rng.standard_normal(shape) + 0.5).astype(np.float32) for name, shape in shapes.items()}


def doubled(values: dict[str, Array]) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(np.asarray(array, np.float64)) for name, array in values.items()}


@pytest.mark.parametrize("target", ["cuda", "hip"])
def test_layer_norm(target: str) -> None:
    values = drawn(x=(3, 40000), gamma=(40000,), beta=(40000,))
    found = results("layer_norm", ROWS, target, values)["y"]
    given = doubled(values)
    wanted = torch.nn.functional.layer_norm(given["x"], (40000,), given["gamma"], given["beta"], EPS)
    assert np.allclose(found, wanted.numpy(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("target", ["cuda", "hip"])
def test_batch_norm_and_its_gradient(target: str) -> None:
    values = drawn(x=(4, 6, 96, 96), gamma=(6,), beta=(6,), running_mean=(6,), running_var=(6,))
    found = results("batch_norm_relu_mixed_saving", PICTURES, target, values)
    given = doubled(values)
    x, gamma, beta = (given[name].requires_grad_() for name in ("x", "gamma", "beta"))
    mean, variance = given["running_mean"].clone(), given["running_var"].clone()
    y = torch.relu(torch.nn.functional.batch_norm(x, mean, variance, gamma, beta, True, MOMENTUM, EPS))
    for name, wanted in {"y": y.detach(), "new_mean": mean, "new_var": variance}.items():
        assert np.allclose(found[name], wanted.numpy(), rtol=1e-5, atol=1e-5), name
    dy = drawn(dy=(4, 6, 96, 96))["dy"]
    zeros = np.zeros(6, np.float32)
    saved = {name: found[name].astype(np.float32) for name in ("mu", "r")}
    rest = {**saved, "dy": dy, "dnew_mean": zeros, "dnew_var": zeros}
    back = results("batch_norm_relu_mixed_grad", PICTURES, target, {**{n: values[n] for n in ("x", "gamma", "beta")}, **rest})
    y.backward(torch.from_numpy(dy.astype(np.float64)))
    for name, leaf in {"dx": x, "dgamma": gamma, "dbeta": beta}.items():
        assert leaf.grad is not None
        assert np.allclose(back[name], leaf.grad.numpy(), rtol=1e-4, atol=2e-4), name
