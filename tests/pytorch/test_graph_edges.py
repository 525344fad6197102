"""`torch.compile(model, backend="uol")` at its edges: open sizes, halves, what is overwritten, threads, what is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Thread
from typing import Any

import pytest
import torch
from torch.nn import functional

import uol.pytorch.graph as graph
from uol.ir.errors import RefusalError
from uol.operators.registry import catalogue
from uol.pytorch.bridge import defined
from uol.pytorch.call import TorchOperator
from uol.pytorch.graph import program

Tensor = torch.Tensor


@pytest.fixture(autouse=True)
def _anew() -> Iterator[None]:
    torch._dynamo.reset()
    graph.reset()
    torch.manual_seed(0)
    yield
    torch._dynamo.reset()


def compiled(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    return torch.compile(function, backend="uol", fullgraph=True, **options)


def shifted(x: Tensor) -> Tensor:
    return torch.exp(x) * 3 - x.sum(-1, keepdim=True)


@pytest.mark.parametrize("dynamic", [None, True])
def test_open_sizes_have_a_program_each(dynamic: bool | None) -> None:
    run = compiled(shifted, dynamic=dynamic)
    for rows, columns in ((3, 4), (5, 4), (6, 7), (3, 4)):
        x = torch.randn(rows, columns, requires_grad=True)
        torch.testing.assert_close(run(x), shifted(x))
        (found,), (wanted,) = torch.autograd.grad(run(x).sum(), x), torch.autograd.grad(shifted(x).sum(), x)
        torch.testing.assert_close(found, wanted)
    assert graph.report().share == 1, str(graph.report())


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_other_types_round_as_pytorch_does(dtype: torch.dtype) -> None:
    x, w = torch.randn(40, 24, dtype=dtype), torch.randn(8, 24, dtype=dtype)

    def model(x: Tensor, w: Tensor) -> Tensor:
        y = functional.linear(x, w).softmax(-1)
        return y * 2 + y.mean(-1, keepdim=True)

    torch.testing.assert_close(compiled(model)(x, w), model(x, w))
    assert graph.report().share == 1, str(graph.report())


@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_gelu_has_its_limits(approximate: str) -> None:
    """What PyTorch's vectors make of infinity depends on the version; its scalars give infinity."""
    x = torch.tensor([torch.inf, torch.nan, 1e30, -1e30, 0]).repeat(7)
    found = compiled(lambda x: functional.gelu(x, approximate=approximate))(x)
    assert torch.equal(found[:5].nan_to_num(nan=-1), torch.tensor([torch.inf, -1, 1e30, 0, 0]).nan_to_num()), str(found)


def test_layouts_that_change_are_met_anew() -> None:
    run, x = compiled(shifted, dynamic=False), torch.randn(36, 36)
    torch.testing.assert_close(run(x), shifted(x))
    torch.testing.assert_close(run(x.t()), shifted(x.t()))
    torch.testing.assert_close(run(x), shifted(x))


def test_what_is_overwritten_is() -> None:
    def model(x: Tensor, total: Tensor) -> Tensor:
        total.add_(x.sum(0))
        y = x.clone()
        y[:, 1] = 5
        return y * total

    x = torch.randn(33, 4)
    found, wanted = torch.ones(4), torch.ones(4)
    run = compiled(model)
    for _ in range(3):
        torch.testing.assert_close(run(x, found), model(x, wanted))
    torch.testing.assert_close(found, wanted)


def test_results_that_are_inputs_views_or_numbers() -> None:
    def model(x: Tensor) -> tuple[Tensor, Tensor, Tensor, int]:
        y = x * 2
        return x, y, y[1:, ::2].t(), 3

    x = torch.randn(5, 6)
    first, second = compiled(model)(x), compiled(model)(x)
    for found in (first, second):
        assert found[0] is x and found[3] == 3
        torch.testing.assert_close(found[2], (x * 2)[1:, ::2].t())
    assert first[1].data_ptr() != second[1].data_ptr()


def test_what_has_no_text_stays_and_is_named() -> None:
    def model(x: Tensor) -> Tensor:
        return torch.linalg.inv(torch.exp(x)) * 2

    x = torch.randn(4, 4)
    torch.testing.assert_close(compiled(model)(x), model(x))
    said = graph.report()
    assert 0 < said.taken < said.computing
    assert "aten.linalg_inv_ex" in str(said) and "no text" in str(said)


def test_what_has_no_text_goes_to_inductor_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    # Headers that are compiled beforehand pay where many kernels follow.
    monkeypatch.setattr("torch._inductor.config.cpp_cache_precompile_headers", False, raising=False)

    def model(x: Tensor) -> Tensor:
        y = torch.exp(x)
        values, places = torch.sort(torch.linalg.inv_ex(y)[0].erfinv().abs() * 2, -1)  # two results
        return values.sum(-1) * y + places

    x = torch.randn(6, 6, requires_grad=True)
    wanted = model(x)
    run = compiled(model, options={"rest": "inductor"})
    for _ in range(2):
        found = run(x)
        torch.testing.assert_close(found, wanted, equal_nan=True)
    (mine,), (theirs,) = torch.autograd.grad(found.nansum(), x), torch.autograd.grad(wanted.nansum(), x)
    torch.testing.assert_close(mine, theirs, equal_nan=True)
    said = graph.report()
    assert all(not g.by_pytorch and g.by_inductor for g in said.graphs), str(said)
    assert said.share < 1 and "aten.linalg_inv_ex.default by Inductor: no text" in str(said), str(said)


def test_what_inductor_refuses_is_pytorchs(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise NotImplementedError("not this one")

    def model(x: Tensor) -> Tensor:
        values, places = torch.sort(x.exp().erfinv() * 2, -1)
        return values + places

    monkeypatch.setattr(program, "compiled_by_inductor", refuse)
    run, x = compiled(model, options={"rest": "inductor"}), torch.randn(4, 5)
    for _ in range(2):
        torch.testing.assert_close(run(x), model(x), equal_nan=True)
    assert "aten.sort.default: Inductor: NotImplementedError: not this one" in str(graph.report())


def test_an_option_that_there_is_not_is_named() -> None:
    with pytest.raises(Exception, match="no option 'reast' of the backend uol"):
        compiled(shifted, options={"reast": "inductor"})(torch.randn(3, 4))


def test_dropout_draws_as_pytorch_does() -> None:
    def model(x: Tensor) -> Tensor:
        return functional.dropout(x, 0.5) * 2

    x = torch.randn(64, 64)
    torch.manual_seed(3)
    kept = (compiled(model)(x) != 0).float().mean()
    assert 0.4 < kept < 0.6


def test_threads_share_no_memory() -> None:
    """The arena is one call's at a time."""
    run = compiled(lambda x: torch.softmax(torch.softmax(x @ x, -1) @ x, 0) @ x)
    inputs = [torch.randn(64, 64) * k for k in range(1, 5)]
    wanted = [run(x) for x in inputs]
    wrong: list[int] = []

    def call(k: int) -> None:
        for _ in range(20):
            if not torch.equal(run(inputs[k]), wanted[k]):
                wrong.append(k)

    threads = [Thread(target=call, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_texts_have_no_name_in_the_library() -> None:
    compiled(shifted)(torch.randn(3, 5))
    assert graph.report().graphs[0].texts
    assert not [op.name for op in catalogue() if op.name.startswith("graph_")]
    assert not [name for name in defined() if name.startswith("graph_")]


@pytest.mark.parametrize("keeps_ties", [False, True])
def test_softmax_that_is_written_out_has_the_librarys_gradient(keeps_ties: bool) -> None:
    def model(x: Tensor) -> Tensor:
        e = torch.exp(x - x.max(-1, keepdim=True)[0])
        return e / e.sum(-1, keepdim=True)

    x = torch.zeros(40, 8) if keeps_ties else torch.randn(40, 8)
    x.requires_grad_()
    dy = torch.randn(40, 8)
    (found,), (wanted,) = torch.autograd.grad(compiled(model)(x), x, dy), torch.autograd.grad(torch.softmax(x, -1), x, dy)
    torch.testing.assert_close(found, wanted)
    (backward,) = [g for g in graph.report().graphs if g.role == "backward"]
    assert len(backward.texts) == 1 and backward.texts[0].count("sum[") == 1, str(backward.texts)


def test_norms_that_are_written_out_have_two_reductions_a_row_at_most() -> None:
    def model(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
        centred = x - x.mean(-1, keepdim=True)
        return centred / torch.sqrt(centred.square().mean(-1, keepdim=True) + 1e-3) * w + b

    x, w, b = torch.randn(40, 8, requires_grad=True), torch.randn(8, requires_grad=True), torch.randn(8, requires_grad=True)
    dy = torch.randn(40, 8)
    wanted = functional.layer_norm(x, (8,), w, b, 1e-3)
    found = compiled(model)(x, w, b)
    torch.testing.assert_close(found, wanted)
    pairs = zip(torch.autograd.grad(found, (x, w, b), dy), torch.autograd.grad(wanted, (x, w, b), dy), strict=True)
    for mine, theirs in pairs:
        torch.testing.assert_close(mine, theirs)
    (backward,) = [g for g in graph.report().graphs if g.role == "backward"]
    assert max(text.count("sum[") for text in backward.texts) == 2, str(backward.texts)


MOVED: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "padded": lambda x, at: functional.pad(x.exp(), (1, 2, -1, 1), value=3.0) * 2,
    "flipped": lambda x, at: x.flip(0, -1) + x,
    "indexed": lambda x, at: x.exp()[at] * 2,
    "indexed behind": lambda x, at: x[:, at - 4] + 1,
    "selected": lambda x, at: x.index_select(1, at) * x.index_select(1, at.flip(0)),
    "row written": lambda x, at: torch.select_scatter(x, x[0] * 2, 0, 3) + 1,
    "rows written": lambda x, at: torch.slice_scatter(x, x[:2] * 2, 0, 1, 3) + 1,
    "rows written with steps": lambda x, at: torch.slice_scatter(x, x[:2] * 2, 0, 1, 4, 2) + 1,
    "rolled": lambda x, at: x.roll(2, 1) - x,
    "stacked": lambda x, at: torch.stack([x, x.sin()], 1).flatten(0, 1) * 2,
    "signs": lambda x, at: x.sign() * torch.tan(x) + torch.isnan(x / 0 * 0),
    "largest place": lambda x, at: x.argmax(-1) + x.argmin(-1),
    "powers": lambda x, at: 2.0**x + x**1.5 * 0.5 + x.prod(1, keepdim=True),
    "any": lambda x, at: (x > 1).any(1),
    "running": lambda x, at: torch.cumsum(x * 2, 1) + 1,
    "triangle": lambda x, at: torch.where(torch.ones(5, 5, dtype=torch.bool).tril(), x[:5, :5], -1.0),
    "lerp": lambda x, at: torch.lerp(x, x.cos(), 0.3) + torch.addcmul(x, x, x, value=2) + torch.addcdiv(x, x, x.exp()),
    "whole numbers": lambda x, at: (at * 3 - at.max()).to(torch.int32) + torch.arange(4),
}


@pytest.mark.parametrize("name", MOVED)
def test_moves_and_rarer_maps(name: str) -> None:
    model, x, at = MOVED[name], torch.rand(6, 7) + 0.5, torch.tensor([3, 0, 2, 3])
    torch.testing.assert_close(compiled(model)(x, at), model(x, at))
    assert graph.report().share == 1, str(graph.report())


@pytest.mark.parametrize("kind", ["SGD", "AdamW"])
def test_a_step_of_an_optimiser(kind: str) -> None:
    options = {"momentum": 0.9} if kind == "SGD" else {"weight_decay": 0.1}
    mine = [torch.randn(40, 30, requires_grad=True), torch.randn(30, requires_grad=True)]
    theirs = [p.detach().clone().requires_grad_() for p in mine]
    first, second = (getattr(torch.optim, kind)(each, lr=0.1, **options) for each in (mine, theirs))
    step = torch.compile(first.step, backend="uol")
    for _ in range(3):
        for p, q in zip(mine, theirs, strict=True):
            p.grad = torch.randn_like(p)
            q.grad = p.grad.clone()
        step()
        second.step()
    for p, q in zip(mine, theirs, strict=True):
        torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-5)
    assert graph.report().share == 1, str(graph.report())


def test_a_text_without_a_kernel_is_pytorchs(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise RefusalError("no kernel of this shape")

    def model(x: Tensor) -> Tensor:
        y = torch.exp(x.t()[:, None]) + 1
        return (y / y.sum(-1, keepdim=True)).reshape(-1, 6) * torch.ones(6)

    x = torch.randn(36, 4)
    with monkeypatch.context() as patched:
        patched.setattr(TorchOperator, "_prepare", refuse)
        run = compiled(model)
        for _ in range(2):
            torch.testing.assert_close(run(x), model(x))
    assert graph.report().taken == 0 and "no kernel of this shape" in str(graph.report())
