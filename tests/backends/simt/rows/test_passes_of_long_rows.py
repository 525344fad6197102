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


NORMS = [("batch_norm_mixed", PICTURES, "x gamma beta running_mean running_var"), ("layer_norm", ROWS, "x gamma beta")]
SHAPES = {"batch_norm_mixed": (4, 6, 96, 96), "layer_norm": (3, 40000)}


def of_rows(op: str, x: np.ndarray, target: str) -> dict[str, np.ndarray]:
    """The norm of such rows, scaled by 1 and not shifted."""
    _, dims, names = next(each for each in NORMS if each[0] == op)
    count = (x.shape[1],)
    values = {name: np.zeros(count, np.float32) for name in names.split()}
    return results(op, dims, target, {**values, "x": x.astype(np.float32), "gamma": np.ones(count, np.float32)})


@pytest.mark.parametrize("target", ["cuda", "hip"])
@pytest.mark.parametrize("op", SHAPES)
def test_a_mean_of_a_thousand_deviations(op: str, target: str) -> None:
    """Squares less the square of a sum would have no digit left; about a part's mean, or its first element, they have most."""
    x = (1000 + np.random.default_rng(4).standard_normal(SHAPES[op])).astype(np.float32)
    found = of_rows(op, x, target)
    over = (0, 2, 3) if op == "batch_norm_mixed" else (1,)
    wide = torch.from_numpy(x.astype(np.float64))
    variance, mean = torch.var_mean(wide, over, correction=0, keepdim=True)
    assert np.allclose(found["y"], ((wide - mean) / torch.sqrt(variance + EPS)).numpy(), rtol=1e-6, atol=2e-3)
    deviation = found["y"].std(over)  # of its mean, in which all of a row's elements share an error, nothing
    assert np.allclose(deviation, (variance / (variance + EPS)).sqrt().numpy().reshape(deviation.shape), rtol=2e-6, atol=0)


@pytest.mark.parametrize("target", ["cuda", "hip"])
@pytest.mark.parametrize("op", SHAPES)
def test_squares_that_are_too_large_are_infinite(op: str, target: str) -> None:
    """As where the mean is known first: nothing is infinite less infinite."""
    x = np.where(np.arange(np.prod(SHAPES[op])).reshape(SHAPES[op]) % 3 == 0, -1e25, 1e25).astype(np.float32)
    assert (of_rows(op, x, target)["y"] == 0).all()


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
