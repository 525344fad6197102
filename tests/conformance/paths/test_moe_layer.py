"""A layer of experts, of operators alone: against its twin in plain PyTorch, at its edges, and what it reads."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from turns import by_turns

import uol
from uol.conformance.paths.draw import typical_errors
from uol.conformance.paths.judge import DTYPES
from uol.conformance.paths.moe import layer, twin
from uol.conformance.paths.moe.draw import LEVEL, draw
from uol.conformance.paths.moe.forms import FORMS
from uol.conformance.paths.moe.sizes import SIZES
from uol.conformance.paths.recorded import recorded

NARROW = SIZES["narrow"]


def pair(dtype: torch.dtype = torch.float64, **options: int) -> tuple[layer.MixtureOfExperts, twin.MixtureOfExperts]:
    """The layer and its twin, of the same parameters."""
    torch.manual_seed(0)
    ours = layer.MixtureOfExperts(NARROW.width, NARROW.hidden, NARROW.experts, NARROW.top, **options).to(dtype)
    theirs = twin.MixtureOfExperts(NARROW.width, NARROW.hidden, NARROW.experts, NARROW.top, **options).to(dtype)
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


def tokens(count: int = NARROW.tokens) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, NARROW.width, dtype=torch.float64, generator=generator).requires_grad_()


def everything(module: torch.nn.Module, x: Tensor) -> list[Tensor]:
    """Results, and gradients of a sum of them that weighs every element differently."""
    mixed = module(x)
    weights = torch.linspace(-1, 1, mixed.y.numel(), dtype=x.dtype).reshape(mixed.y.shape)
    total = (mixed.y * weights).sum() + 0.3 * mixed.balance + 0.2 * mixed.z
    inputs = [x, *module.parameters()]
    return [*mixed, *torch.autograd.grad(total, inputs, allow_unused=True, materialize_grads=True)]


def require_alike(found: list[Tensor], expected: list[Tensor]) -> None:
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-11)


Mixture = layer.MixtureOfExperts | twin.MixtureOfExperts


def no_change(_: Mixture) -> None:
    pass


def one_expert_for_all(module: Mixture) -> None:
    with torch.no_grad():
        module.router.mul_(0.001)
        module.router[5, 0] = 1.0


def three_experts_for_all(module: Mixture) -> None:
    """The others are empty."""
    with torch.no_grad():
        module.router.mul_(0.001)
        module.router[:3, 0] = 1.0


@pytest.mark.parametrize(
    ("change", "options"),
    by_turns(2, [no_change, one_expert_for_all, three_experts_for_all], [{}, {"capacity": 5}, {"capacity": 0}]),
)
def test_the_layer_is_its_twin(change: Callable[[Mixture], None], options: dict[str, int]) -> None:
    ours, theirs = pair(**options)
    x = tokens()
    with torch.no_grad():
        x[:, 0] = x[:, 0].abs() + 3  # which the routers favour that are changed
    for module in (ours, theirs):
        change(module)
    require_alike(everything(ours, x), everything(theirs, x))


@pytest.mark.parametrize("count", [0, 1])
def test_few_tokens_and_none(count: int) -> None:
    ours, theirs = pair()
    require_alike(everything(ours, tokens(count)), everything(theirs, tokens(count)))


def test_capacity_drops_the_later_tokens_of_an_expert() -> None:
    ours, _ = pair(capacity=2)
    three_experts_for_all(ours)
    x = tokens().detach()
    x[:, 0] = x[:, 0].abs() + 3
    mixed = ours(x)
    assert (mixed.expert < 3).all()
    assert mixed.y[:2].abs().sum() > 0
    assert mixed.y[2:].abs().sum() == 0


def test_its_gradient_is_that_of_its_function() -> None:
    ours, _ = pair(capacity=10)
    parameters = [p.detach().requires_grad_() for p in ours.parameters()]
    names = [name for name, _ in ours.named_parameters()]

    def results(x: Tensor, *values: Tensor) -> tuple[Tensor, ...]:
        mixed = torch.func.functional_call(ours, dict(zip(names, values, strict=True)), (x,))
        return mixed.y, mixed.balance, mixed.z

    assert torch.autograd.gradcheck(results, (tokens(6), *parameters), fast_mode=True)


@pytest.mark.parametrize("dtype", [d if d == "bf16" else pytest.param(d, marks=pytest.mark.soak) for d in DTYPES])
def test_its_errors_are_within_the_ratios_of_the_dual_benchmark(dtype: str) -> None:
    duals = typical_errors([draw("narrow", dtype, seed) for seed in range(24)], dtype, LEVEL)
    assert len(duals) == 8
    assert not {name: dual.detail for name, dual in duals.items() if not dual.ok}


def test_the_same_call_gives_the_same_bits() -> None:
    ours, _ = pair(torch.float32)
    x = tokens().detach().float().requires_grad_()
    for first, second in zip(everything(ours, x), everything(ours, x), strict=True):
        assert torch.equal(first, second)


def test_it_is_of_uols_operators_alone_and_reads_nothing_back() -> None:
    """What the host reads, `.item()` or a branch on data, would show as `_local_scalar_dense`."""
    ours, _ = pair(torch.float32, capacity=5)
    x = tokens().detach().float().requires_grad_()

    def step() -> None:
        mixed = ours(x)
        torch.autograd.backward([mixed.y, mixed.balance, mixed.z], [torch.ones_like(mixed.y), *[torch.ones(())] * 2])

    run = recorded(step)
    assert not run.foreign
    called = {call.op for call in run.calls}
    assert {"moe_gate_saving", "moe_dispatch", "moe_gate_grad", "moe_swiglu_grad", "moe_capacity_grad"} <= called
    assert "moe_scores_grad" in called


@pytest.mark.parametrize("form", FORMS)
def test_pytorchs_forms_are_one_function(form: str) -> None:
    _, theirs = pair(torch.float32)
    x = tokens().detach().float()
    expected = theirs(x).y
    theirs.products = FORMS[form]
    torch.testing.assert_close(theirs(x).y, expected)


def test_in_half_precision_the_router_computes_in_f32() -> None:
    ours, _ = pair(torch.bfloat16)
    x = tokens().detach().bfloat16()
    mixed = ours(x)
    assert (mixed.y.dtype, mixed.balance.dtype, mixed.z.dtype) == (torch.bfloat16, torch.float32, torch.float32)
    score = x.float() @ ours.router.float().T
    assert torch.equal(mixed.expert, score.topk(NARROW.top).indices)
    torch.testing.assert_close(mixed.z, (score.logsumexp(-1) ** 2).mean())


@pytest.mark.parametrize("index", [-1, 4])
def test_an_expert_out_of_range_is_an_error_in_checked_mode(index: int) -> None:
    expert = torch.tensor(sorted([0, index, 2]))
    w, x = torch.ones(4, 2, 3), torch.ones(3, 3)
    assert uol.ops.grouped_matmul(x, expert, w).isfinite().all()
    with uol.checked(), pytest.raises(uol.DataError, match="lies outside"):
        uol.ops.grouped_matmul(x, expert, w)
    with uol.checked(), pytest.raises(uol.DataError, match="lies outside"):
        uol.ops.moe_dispatch(expert, experts=4, top=1)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_scores_that_are_not_finite_are_an_error_in_checked_mode(value: float) -> None:
    ours, _ = pair()
    x = tokens().detach()
    x[3, 1] = value
    ours(x)
    with uol.checked(), pytest.raises(uol.DataError, match=r"needs `finite\(score\)`, but score\[3, 0\] = "):
        ours(x)
