"""A step of a model: what it calls, its kernels on another target one by one, and all of it in a target's twin."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import pytest
import torch

import uol
from uol.conformance.cases.verdict import Case, Verdict
from uol.conformance.paths.draw import Values
from uol.conformance.paths.emulation import Emulation
from uol.conformance.paths.kernels import KernelCase, check_calls, distinct_calls
from uol.conformance.paths.record import PathOptions
from uol.conformance.paths.recorded import recorded
from uol.conformance.paths.step_checks import check_steps
from uol.ir.errors import UolError
from uol.ops import text as ops
from uol.ops.workloads import Workload


@pytest.fixture
def network() -> torch.nn.Sequential:
    torch.manual_seed(0)
    layers = [torch.nn.Linear(5, 7), torch.nn.GELU(), torch.nn.Linear(7, 7), torch.nn.GELU(), torch.nn.Linear(7, 3)]
    return torch.nn.Sequential(*layers)


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(4, 5, generator=torch.Generator().manual_seed(1)), torch.tensor([0, 2, 1, 0])


def step(network: torch.nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> Callable[[], None]:
    return lambda: ops.cross_entropy(network(batch[0]), batch[1]).backward()


def cases_of(network: torch.nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> tuple[KernelCase, ...]:
    uol.replace(network)
    return distinct_calls(recorded(step(network, batch)).calls)


def test_what_is_not_uol_s_is_named(network: torch.nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    assert {"aten.addmm.default", "aten.gelu.default", "aten.mm.default"} <= recorded(step(network, batch)).foreign
    uol.replace(network)
    network.zero_grad()
    run = recorded(step(network, batch))
    assert run.foreign == set()
    assert [call.op for call in run.calls][:2] == ["linear", "gelu"]
    assert sum(call.op == "gelu" for call in run.calls) == 2


def test_calls_of_one_form_are_one_kernel_and_gradients_find_their_forward(
    network: torch.nn.Module, batch: tuple[torch.Tensor, torch.Tensor]
) -> None:
    cases = cases_of(network, batch)
    assert [case.places for case in cases if case.call.op == "gelu"] == [("call 2", "call 4")]
    gradients = [case for case in cases if "_grad" in case.call.op]
    assert len(gradients) == 5  # of the loss, of gelu, and of three sizes of linear
    for case in gradients:
        assert case.forward is not None
        assert case.call.op.startswith(case.forward.op)


def test_each_kernel_is_held_against_pytorch_on_the_step_s_values(
    network: torch.nn.Module, batch: tuple[torch.Tensor, torch.Tensor]
) -> None:
    cases = cases_of(network, batch)
    verdicts = check_calls(cases, "hip", lambda done, count: None)
    assert [v.reason for v in verdicts if not v.ok] == []
    assert all(v.golden is not None and v.reference is not None for v in verdicts)
    wrong = next(case for case in cases if case.call.op == "linear")
    wrong.truth.independent = {"y": wrong.call.results[0].detach().double().numpy() * 1.001}
    assert not check_calls([wrong], "hip", lambda done, count: None)[0].ok


@pytest.mark.parametrize("target", ["cuda", "ascendc"])
def test_a_step_in_the_twin_gives_pytorch_s_gradients(
    target: str, network: torch.nn.Module, batch: tuple[torch.Tensor, torch.Tensor]
) -> None:
    twin = torch.nn.Sequential(*network).double()
    torch.nn.functional.cross_entropy(twin(batch[0].double()), batch[1]).backward()
    expected = [p.grad.clone() for p in twin.parameters() if p.grad is not None]
    network.float().zero_grad()
    uol.replace(network)
    with Emulation(target) as emulation:
        step(network, batch)()
    assert emulation.findings == []
    assert emulation.kernels >= 12
    for parameter, owed in zip(network.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, owed.float(), rtol=2e-5, atol=1e-6)


class LinesDraw:
    """The network as a drawn path has it. `factor`: of our values, a fault where it is not 1."""

    def __init__(self, network: torch.nn.Module, batch: tuple[torch.Tensor, torch.Tensor], factor: float) -> None:
        self.network, self.batch, self.factor = network, batch, factor

    @property
    def parameters(self) -> Values:
        return dict(self.network.named_parameters())

    def ours(self) -> Values:
        network = copy.deepcopy(self.network)
        uol.replace(network)
        found = self._values(network, self.batch[0], ops.cross_entropy)
        return found if self.factor == 1 else {name: value * self.factor for name, value in found.items()}

    def theirs(self) -> Values:
        return self._values(self.network, self.batch[0], torch.nn.functional.cross_entropy)

    def golden(self) -> Values:
        exact = copy.deepcopy(self.network).double()
        return self._values(exact, self.batch[0].double(), torch.nn.functional.cross_entropy)

    def _values(self, network: torch.nn.Module, x: torch.Tensor, loss: Callable[..., torch.Tensor]) -> dict[str, torch.Tensor]:
        found = loss(network(x), self.batch[1])
        names, parameters = zip(*network.named_parameters(), strict=True)
        return {"loss": found.detach(), **dict(zip(names, torch.autograd.grad(found, parameters), strict=True))}


class LinesPath:
    LEVEL = "L0"  # the loss is one number
    DRAWS = {"f32": 1}

    def __init__(self, draw: LinesDraw) -> None:
        self.drawn = draw

    def draw(self, size: str, dtype: str, seed: int) -> LinesDraw:
        return self.drawn


@pytest.mark.parametrize(("factor", "ok"), [(1.0, True), (1.001, False)])
def test_a_path_s_step_is_checked_on_every_target(
    factor: float, ok: bool, network: torch.nn.Sequential, batch: tuple[torch.Tensor, torch.Tensor]
) -> None:
    path = LinesPath(LinesDraw(network, batch, factor))
    report = check_steps("lines", path, PathOptions(("cpu", "cuda"), quick=True), lambda what, done, count: None)
    assert [check.name.split(",")[0] for check in report.checks] == [
        "results and gradients at the size 'narrow'",
        "uol's operators alone",
        "a whole step in the twin of cuda:a100",
    ]
    assert report.targets == ("cpu:host", "cuda:a100") and all(layer.ok for layer in report.layers)
    assert [check.ok for check in report.checks] == [ok, ok, ok]  # the factor is an operator of PyTorch's, too


def test_what_fails_names_the_command_that_checks_it_alone(
    network: torch.nn.Sequential, batch: tuple[torch.Tensor, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    def all_breach(cases: Sequence[KernelCase], target: str, progress: object) -> list[Verdict]:
        subjects = [Case(case.name, target, "f16", Workload(case.call.op, {})) for case in cases]
        return [Verdict(subject, "breach", "beyond the contract", seconds=2.0) for subject in subjects]

    monkeypatch.setattr("uol.conformance.paths.step_checks.check_calls", all_breach)
    path, options = LinesPath(LinesDraw(network, batch, 1.0)), PathOptions(("hip",), dtypes=("f16",), seed=5, kernel=4)
    report = check_steps("lines", path, options, lambda what, done, count: None)
    (layer,) = report.layers
    assert (layer.op, layer.layers) == ("gelu", ("f16 call 2", "f16 call 4"))
    again = "uol conform --path lines --target hip:mi250x --dtype f16 --kernel 2 --seed 5"
    assert layer.reason == f"beyond the contract\n  again: {again}"
    assert report.facts["twin runs of the step"].startswith("2 s of processes")
    assert [check.name for check in report.checks] == ["uol's operators alone, f16"]


def test_a_kernel_that_is_no_call_of_the_step_is_an_error(
    network: torch.nn.Sequential, batch: tuple[torch.Tensor, torch.Tensor]
) -> None:
    path = LinesPath(LinesDraw(network, batch, 1.0))
    with pytest.raises(UolError, match="lines has no call 99") as caught:
        check_steps("lines", path, PathOptions(("cpu",), kernel=99), lambda what, done, count: None)
    assert caught.value.hint == "its step has 12"
