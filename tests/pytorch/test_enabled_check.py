"""`uol.enabled(check=True)` names the first operator whose kernel, result or gradient is beyond its bound, and its place."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from test_enabled import MODELS, results
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint
from turns import by_turns

import uol
from uol.ir.errors import ContractError
from uol.pytorch import bridge, call
from uol.pytorch.eager.faces import faces


def plant(monkeypatch: pytest.MonkeyPatch, op: str, wrong: Callable[[Tensor], None], result: int = -1) -> None:
    """Every kernel of an operator that is prepared from here on spoils one of its results."""
    launch_of = call.launch_of

    def spoilt(compiled: Any, device: torch.device) -> Callable[..., None]:
        launch = launch_of(compiled, device)
        if compiled.request.instance.op.name != op:
            return launch
        tensors = len(compiled.module.graph.args)

        def run(*values: Any) -> None:
            launch(*values)
            wrong(values[tensors + result])

        return run

    monkeypatch.setattr(call, "launch_of", spoilt)
    bridge.forget_sizes()


@pytest.fixture(autouse=True)
def _anew(monkeypatch: pytest.MonkeyPatch) -> Any:
    torch.manual_seed(0)
    yield
    monkeypatch.undo()
    bridge.forget_sizes()  # of the kernels that spoil


def by_ulps(count: int, place: int = 5) -> Callable[[Tensor], None]:
    """Moves one element by so many units in its last place."""

    def move(y: Tensor) -> None:
        y.view(-1)[place] *= 1 + count * torch.finfo(y.dtype).eps

    return move


@pytest.mark.parametrize("name", MODELS)
def test_a_right_model_raises_nothing(name: str) -> None:
    model, inputs = MODELS[name]()
    wanted = [x.clone() for x in results(model, inputs)]
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.reset_running_stats()
    with uol.enabled(check=True) as report:
        found = results(model, inputs)
    for x, y in zip(found, wanted, strict=True):
        torch.testing.assert_close(x, y)
    assert not report.unchecked, str(report)
    assert report.checks["results beside PyTorch"] >= report.taken.total()
    assert report.checks["gradients beside PyTorch"] >= report.taken.total()  # each call here has one that is asked for
    assert report.checks["kernels by contract"] > report.taken.total(), str(report)


def test_a_kernel_that_is_some_ulps_off_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.rand(4, 8) + 1
    plant(monkeypatch, "add", by_ulps(3))
    with uol.enabled():
        torch.testing.assert_close(x + x, 2 * x)  # nothing else would see it
    with uol.enabled(check=True) as report:
        y = x * x
        with pytest.raises(ContractError) as raised:
            x + y
        line = inspect.currentframe().f_lineno - 1  # type: ignore[union-attr]  # CPython has frames
    said = str(raised.value)
    assert said.startswith("add: add's kernel, result y at [0, 5]: got "), said
    assert f"called at {__file__}:{line}" in said and "with f32[4, 8], f32[4, 8]" in said and "1 of 32" in said
    assert "help: " in said
    assert report.checks["kernels by contract"] == 1  # that of the product


def test_a_gradient_kernel_that_is_off_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, "silu_grad", by_ulps(64))
    x = (torch.rand(4, 8) + 1).requires_grad_()
    with uol.enabled(check=True):
        y = F.silu(x).sum()
        with pytest.raises(ContractError, match=r"silu: silu_grad's kernel, result \w+ at \[0, 5\]"):
            y.backward()


def test_a_function_that_means_something_else_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its kernels are right: what is computed is not what PyTorch's function says."""
    face = faces()[F.silu]
    monkeypatch.setitem(face.__dict__, "function", lambda x, inplace: uol.ops.relu(x))
    with uol.enabled(check=True), pytest.raises(ContractError, match=r"silu: the result at .* PyTorch's in float64 is"):
        F.silu(torch.linspace(-1, 1, 9))
    monkeypatch.setitem(face.__dict__, "function", lambda x, inplace: uol.ops.silu(x).double())
    with uol.enabled(check=True), pytest.raises(ContractError, match=r"silu: the result is f64\[9\].*PyTorch's is f32\[9\]"):
        F.silu(torch.linspace(-1, 1, 9))


class _WrongSlope(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Tensor:  # type: ignore[override]  # of one cotangent
        return dy * (1 + 2**-10)


def test_a_gradient_that_is_another_functions_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(faces()[torch.relu].__dict__, "function", _WrongSlope.apply)
    x = (torch.rand(3, 4) + 1).requires_grad_()
    with uol.enabled(check=True), pytest.raises(ContractError, match="relu: the gradient of tensor 0 of its arguments at"):
        (torch.relu(x) * x).sum().backward()  # x has another gradient besides, which is right
    monkeypatch.setitem(faces()[torch.relu].__dict__, "function", lambda x: x.detach().clamp(min=0))
    with uol.enabled(check=True), pytest.raises(ContractError, match="without a gradient; PyTorch's is .* with a gradient"):
        torch.relu(x)


def test_a_buffer_that_is_written_wrongly_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    face = faces()[F.batch_norm]
    function = face.function

    def spoils(x: Tensor, mean: Tensor, *more: Any, **named: Any) -> Any:
        found = function(x, mean, *more, **named)
        mean[0] += 1e-2
        return found

    monkeypatch.setitem(face.__dict__, "function", spoils)
    said = r"batch_norm: what is written over tensor 1 of its arguments at \[0\]"
    with uol.enabled(check=True), pytest.raises(ContractError, match=said):
        nn.BatchNorm1d(3)(torch.randn(8, 3))


def test_a_sum_may_be_less_exact_than_pytorchs_as_far_as_its_contract_goes() -> None:
    """PyTorch adds in pairs; the bias of a layer has a gradient of as many terms as there are rows."""
    x, w, b = torch.randn(4096, 8), torch.randn(512, 8), torch.zeros(512, requires_grad=True)
    with uol.enabled(check=True) as report:
        F.linear(x, w, b).backward(torch.randn(4096, 512))
    assert report.checks["gradients beside PyTorch"] == 1


CALLS: dict[str, Callable[[Tensor], Any]] = {
    "a write over what has a gradient": lambda x: (x * 2).add_(x).mul_(x).sigmoid_() * F.silu(x * 3, inplace=True),
    "a write over a view": lambda x: (x * 2)[1:].mul_(3),
    "an input twice": lambda x: x * x + torch.cat([x, x]).sum(),
    "a gradient of a part": lambda x: x[..., :2].exp() + x.t()[:2].t(),
    "sorts, and whole numbers": lambda x: x.sort(-1)[0] + x.argmax(-1) + (x > 0.5) * x.max(-1)[0].floor(),
    "ties": lambda x: (x * 0).sort(-1)[0] + (x * 0).topk(2)[1].sum() + (x * 0).argmax(-1),
    "infinities and NaN": lambda x: torch.cat([(x - 0.5).log(), (x * 0).reciprocal(), (x * 0) / (x * 0)]).clamp(max=9),
    "values beyond the type": lambda x: (x * 1e38 * 1e38).softmax(-1) + (x * 1e30).square().mean() - torch.exp(x * 1e3),
    "nothing": lambda x: x[:0].exp().sum() + x.sum(),
    "a type that is asked for": lambda x: x.softmax(-1, torch.float64).sum(),
}


@pytest.mark.parametrize(("name", "dtype"), by_turns(2, list(CALLS), [torch.float32, torch.bfloat16, torch.float16]))
def test_calls_of_all_kinds_are_right(name: str, dtype: torch.dtype) -> None:
    x = torch.rand(4, 4).to(dtype).requires_grad_()
    with uol.enabled(check=True) as report:
        CALLS[name](x).sum().backward()
    assert report.checks["gradients beside PyTorch"], str(report)
    assert {why for _, why in report.unchecked} <= {
        "inputs overflow: beside PyTorch alone",
        "the gradient of what is a view, and written over",
    }, str(report)


def test_an_input_that_is_written_over_has_its_gradient_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(faces()[torch.Tensor.mul_].__dict__, "function", lambda x, y: x * (y.detach() + 0 * y))
    x = torch.rand(3, requires_grad=True)
    with uol.enabled(check=True), pytest.raises(ContractError, match="mul: the gradient of tensor 1"):
        (x * 2).mul_(x).sum().backward()
    monkeypatch.setitem(faces()[torch.Tensor.mul_].__dict__, "function", lambda x, y: x * y.detach())
    with uol.enabled(check=True), pytest.raises(ContractError, match="mul: tensor 1 of its arguments has no gradient"):
        (x * 2).mul_(x)


def test_autocast_and_checkpoints() -> None:
    model, x = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 8)), torch.randn(4, 8, requires_grad=True)
    with uol.enabled(check=True) as report, torch.autocast("cpu", torch.bfloat16):
        y = checkpoint(model, x, use_reentrant=False)
        y.sum().backward()
    assert report.taken["linear"] > 2 and not report.unchecked, str(report)
    assert report.checks["gradients beside PyTorch"] > 4


def test_gradients_of_gradients_and_graphs_that_are_kept() -> None:
    x = torch.rand(3, 4, requires_grad=True)
    with uol.enabled(check=True) as report:
        y = torch.tanh(x).sum()
        (slope,) = torch.autograd.grad(y, x, create_graph=True)
        slope.square().sum().backward(retain_graph=True)
        y.backward()
    assert report.checks["gradients beside PyTorch"] > 4, str(report)
    with uol.enabled(check=True) as report:
        torch.func.grad(lambda z: z.tanh().sum())(x.detach())
    assert report.unchecked.total() == report.taken.total() > 0


def test_what_draws_numbers_has_no_shadow_and_blocks_nest() -> None:
    with uol.enabled() as outer, uol.enabled(check=True) as inner:
        torch.ones(3).exp()
        F.dropout(torch.ones(9))
    assert (outer.taken["exp"], inner.taken["exp"], outer.checks.total(), inner.checks.total()) == (1, 1, 0, 2)
    assert inner.left["dropout", "draws from PyTorch's random numbers"] == 1
    assert "checked: 1 kernels by contract, 1 results beside PyTorch" in str(inner)


def test_what_is_checked_is_given_up_with_its_graph() -> None:
    """In place, too, where the result is the input."""
    import gc
    import weakref

    with uol.enabled(check=True):
        y = torch.rand(3, requires_grad=True) * 2
        gone = weakref.ref(y.relu_())
        del y
        gc.collect()
    assert gone() is None


def test_the_judge_is_loaded_where_it_is_asked_for() -> None:
    code = "import sys, torch, uol\nwith uol.enabled(): torch.ones(3).exp()\nprint([m for m in sys.modules if 'uol.conf' in m])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
