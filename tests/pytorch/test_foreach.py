"""`uol.ops.foreach`: the steps of torch.optim over lists of tensors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

import uol
from uol.compilation.foreach_launch import CHUNK, ForeachKernel, are_apart, in_chunks

SIZES = ((33, 7), (5,), (), (7, 33), (0, 3), (2, 3, 4, 5))


def seeded(number: int, *size: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(size, generator=torch.Generator().manual_seed(number), dtype=torch.float64).to(dtype)


def parameters(dtype: torch.dtype = torch.float32) -> list[torch.Tensor]:
    made = [seeded(n, *size, dtype=dtype) for n, size in enumerate(SIZES)]
    return [*made[:-1], made[-1].to(memory_format=torch.channels_last), seeded(9, 8, 6, dtype=dtype).t()]


def gradients(step: int, params: list[torch.Tensor]) -> list[torch.Tensor]:
    """Of the parameters' shapes; most lie as they do, the last one does not."""
    return [torch.empty_like(p).copy_(seeded(n + 100 * step, *p.shape)) for n, p in enumerate(params[:-1])] + [
        seeded(step, *params[-1].shape, dtype=params[-1].dtype)
    ]


def zeros(params: list[torch.Tensor]) -> list[torch.Tensor]:
    return [torch.zeros_like(p) for p in params]


def three_steps(
    make: Callable[[list[torch.Tensor]], torch.optim.Optimizer], step: Callable[..., None], states: int, dtype: torch.dtype
) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """The parameters after three steps of ours, and of PyTorch's optimiser."""
    params, theirs = parameters(dtype), parameters(dtype)
    state = [zeros(params) for _ in range(states)]
    optimiser = make(theirs)
    for number in (1, 2, 3):
        step(number, params, gradients(number, params), *state)
        for p, g in zip(theirs, gradients(number, theirs), strict=True):
            p.grad = g
        optimiser.step()
    return params, theirs


@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("nesterov", [False, True])
def test_sgd_with_momentum_is_pytorchs(nesterov: bool, dtype: torch.dtype) -> None:
    options = {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01, "nesterov": nesterov}
    ours, theirs = three_steps(
        lambda params: torch.optim.SGD(params, **options),  # type: ignore[arg-type]
        lambda number, *lists: uol.ops.foreach.sgd_momentum_(*lists, **options),
        1,
        dtype,
    )
    torch.testing.assert_close(ours, theirs)


@torch.no_grad()
def test_plain_sgd_is_pytorchs() -> None:
    ours, theirs = three_steps(
        lambda params: torch.optim.SGD(params, lr=0.1, weight_decay=0.01),
        lambda number, *lists: uol.ops.foreach.sgd_(*lists, lr=0.1, weight_decay=0.01),
        0,
        torch.float32,
    )
    torch.testing.assert_close(ours, theirs)


@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_adamw_is_pytorchs(dtype: torch.dtype) -> None:
    ours, theirs = three_steps(
        lambda params: torch.optim.AdamW(params, lr=0.01, betas=(0.8, 0.99), weight_decay=0.1),
        lambda number, *lists: uol.ops.foreach.adamw_(*lists, step=number, lr=0.01, betas=(0.8, 0.99), weight_decay=0.1),
        2,
        dtype,
    )
    torch.testing.assert_close(ours, theirs)


@torch.no_grad()
@pytest.mark.parametrize("max_norm", [0.5, 1000.0])
def test_clipping_is_pytorchs(max_norm: float) -> None:
    grads, theirs = gradients(1, parameters()), parameters()
    for p, g in zip(theirs, gradients(1, theirs), strict=True):
        p.grad = g
    want = torch.nn.utils.clip_grad_norm_(theirs, max_norm)
    torch.testing.assert_close(uol.ops.foreach.clip_([*grads, None], max_norm=max_norm), want)
    torch.testing.assert_close(grads, [p.grad for p in theirs])


@torch.no_grad()
def test_a_norm_that_is_not_finite_shows_in_every_gradient() -> None:
    grads = [torch.tensor([1.0, torch.nan]), torch.ones(3)]
    assert uol.ops.foreach.clip_(grads, max_norm=1.0).isnan()
    assert all(g.isnan().all() for g in grads)
    assert uol.ops.foreach.clip_([None], max_norm=1.0) == 0


@torch.no_grad()
def test_one_launch_of_one_kernel_serves_every_shape_and_layout(monkeypatch: pytest.MonkeyPatch) -> None:
    launches = []
    launch = ForeachKernel.launch
    monkeypatch.setattr(ForeachKernel, "launch", lambda *given: launches.append(given[0]) or launch(*given))
    params = [
        torch.ones(6, 4),
        torch.ones(24),
        torch.ones(2, 3, 2, 2).to(memory_format=torch.channels_last),
        torch.ones(4, 6).t(),
        torch.ones(100_003),
        torch.ones(0),
        torch.ones(()),
    ]
    where, versions = [p.data_ptr() for p in params], [p._version for p in params]
    uol.ops.foreach.sgd_(params, [torch.full_like(p, 2.0) for p in params], lr=0.25)
    assert len(launches) == 1
    assert all(torch.equal(p, torch.full_like(p, 0.5)) for p in params)
    assert [p.data_ptr() for p in params] == where
    assert all(p._version > v for p, v in zip(params, versions, strict=True))


def copies_of(params: list[torch.Tensor], dtype: torch.dtype) -> list[torch.Tensor | None]:
    """A copy of every parameter but the second one; that of the fourth lies otherwise than the parameter."""
    made: list[torch.Tensor | None] = [torch.empty_like(p, dtype=dtype) for p in params]
    return [made[0], None, made[2], torch.empty(*reversed(params[3].shape), dtype=dtype).t(), *made[4:]]


COPYING: dict[str, Callable[..., None]] = {
    "sgd": lambda params, grads, _, **copies: uol.ops.foreach.sgd_(params, grads, lr=0.1, **copies),
    "momentum": lambda params, grads, state, **copies: uol.ops.foreach.sgd_momentum_(
        params, grads, state[0], lr=0.1, nesterov=True, **copies
    ),
    "adamw": lambda params, grads, state, **copies: uol.ops.foreach.adamw_(params, grads, *state, step=3, lr=0.1, **copies),
}


@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", COPYING)
def test_copies_are_the_new_values_in_their_type(name: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    params, plain = parameters(), parameters()
    state, plain_state = ([zeros(params) for _ in range(2)] for _ in range(2))
    copies = copies_of(params, dtype)
    launches = []
    launch = ForeachKernel.launch
    monkeypatch.setattr(ForeachKernel, "launch", lambda *given: launches.append(given[3]) or launch(*given))
    COPYING[name](params, gradients(1, params), state, copies=copies)
    assert [sizes.count(2) for sizes in launches] == [0, 1], "one launch without copies, one with them"
    COPYING[name](plain, gradients(1, plain), plain_state)
    assert all(torch.equal(p, q) for p, q in zip(params, plain, strict=True))
    assert all(torch.equal(p, q) for of, other in zip(state, plain_state, strict=True) for p, q in zip(of, other, strict=True))
    assert all(c is None or torch.equal(c, p.to(dtype)) for c, p in zip(copies, params, strict=True))
    assert all(c is None or c._version for c in copies)


@torch.no_grad()
def test_awkward_positions_are_stepped_alike() -> None:
    shared = torch.arange(8.0)
    params = [shared[:4], torch.ones(3), torch.ones(2, 4)[:, ::2], torch.ones(2, dtype=torch.float16)]
    grads = [shared[2:6].clone(), None, torch.ones(2, 2), torch.ones(2, dtype=torch.float16)]
    overlapping = torch.arange(8.0)
    want = [p if g is None else p - 0.5 * g for p, g in zip(params, grads, strict=True)]
    uol.ops.foreach.sgd_(params, grads, lr=0.5)
    assert all(torch.equal(p, w) for p, w in zip(params, want, strict=True))
    uol.ops.foreach.sgd_([overlapping[:4]], [overlapping[2:6]], lr=0.5)
    assert overlapping.tolist() == [-1.0, -0.5, 0.0, 0.5, 4.0, 5.0, 6.0, 7.0]


@torch.no_grad()
def test_types_are_launched_apart() -> None:
    params = [torch.ones(5), torch.ones(5, dtype=torch.float64), torch.ones(5, dtype=torch.bfloat16), torch.ones(7)]
    uol.ops.foreach.sgd_(params, [torch.full_like(p, 2.0) for p in params], lr=0.25)
    assert all(torch.equal(p, torch.full_like(p, 0.5)) for p in params)


@torch.no_grad()
def test_a_parameter_that_stands_twice_is_stepped_twice() -> None:
    weight, grad = torch.ones(40_000), torch.ones(40_000)
    uol.ops.foreach.sgd_([weight, weight, weight[1:]], [grad, grad.clone(), grad[:-1].clone()], lr=0.25)
    assert weight[0] == 0.5
    assert torch.equal(weight[1:], torch.full((39_999,), 0.25))


@pytest.mark.parametrize("lengths", [[0], [1], [CHUNK - 1], [CHUNK], [CHUNK + 1], [3, 0, 5 * CHUNK + 7, 2 * CHUNK]])
def test_chunks_cover_every_element_once(lengths: list[int]) -> None:
    starts = np.cumsum([0, *lengths[:-1]]) * 4
    addresses, sizes = in_chunks(np.stack([starts, starts + 1_000_000], 1), tuple(lengths), (4, 4))
    pieces = zip(addresses[:, 0], sizes[:, 0], strict=True)
    covered = [place for first, size in pieces for place in range(first, first + 4 * size, 4)]
    assert covered == list(range(0, 4 * sum(lengths), 4))
    assert (addresses[:, 1] - addresses[:, 0] == 1_000_000).all()


def test_runs_that_share_a_byte_are_found() -> None:
    assert are_apart(np.array([[0, 40], [80, 120]]), (10, 10), (4, 4))
    assert not are_apart(np.array([[0, 40], [79, 120]]), (10, 10), (4, 4))
    assert not are_apart(np.array([[0, 0]]), (1,), (4, 4))


REFUSED = {
    "sgd_: there are 2 params, but 1 grads": lambda: uol.ops.foreach.sgd_([torch.ones(1)] * 2, [torch.ones(1)], lr=0.1),
    "item 0 of params is None, not a tensor": lambda: uol.ops.foreach.sgd_([None], [torch.ones(1)], lr=0.1),
    "item 0 of grads is 2.0, not a tensor": lambda: uol.ops.foreach.sgd_([torch.ones(1)], [2.0], lr=0.1),
    "p needs a gradient and cannot be overwritten": lambda: uol.ops.foreach.sgd_(
        [torch.ones(1, requires_grad=True)], [torch.ones(1)], lr=0.1
    ),
    "p is f32, but g is f64": lambda: uol.ops.foreach.sgd_([torch.ones(1)], [torch.ones(1).double()], lr=0.1),
    "a copy is \\[3\\], and its parameter \\[2, 3\\]": lambda: uol.ops.foreach.sgd_(
        [torch.ones(2, 3)], [torch.ones(2, 3)], lr=0.1, copies=[torch.ones(3).half()]
    ),
    "sgd_: there are 1 params, but 2 copies": lambda: uol.ops.foreach.sgd_(
        [torch.ones(1)], [torch.ones(1)], lr=0.1, copies=[None, None]
    ),
    "sgd_mixed does not admit f32 for U": lambda: uol.ops.foreach.sgd_(
        [torch.ones(1)], [torch.ones(1)], lr=0.1, copies=[torch.ones(1)]
    ),
    "adamw_: step is 0": lambda: uol.ops.foreach.adamw_([], [], [], [], step=0),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_does_not_fit_is_refused(message: str) -> None:
    with pytest.raises(uol.UolError, match=message):
        REFUSED[message]()


@torch.no_grad()
def test_tensors_without_memory_of_their_own_go_through_the_dispatcher() -> None:
    from torch._subclasses import FakeTensorMode
    from torch.testing._internal.two_tensor import TwoTensor

    params = [TwoTensor(torch.ones(4), torch.full((4,), 2.0)), torch.ones(3)]
    uol.ops.foreach.sgd_(params, [torch.ones(4), torch.ones(3)], lr=0.5)
    assert torch.equal(params[0].a, torch.full((4,), 0.5))
    assert torch.equal(params[0].b, torch.full((4,), 1.5))
    assert torch.equal(params[1], torch.full((3,), 0.5))
    with FakeTensorMode() as fake:
        uol.ops.foreach.sgd_([fake.from_tensor(torch.ones(4))], [torch.ones(4)], lr=0.5)


def test_a_step_that_is_traced_is_in_the_graph() -> None:
    from torch.fx.experimental.proxy_tensor import make_fx

    @torch.no_grad()
    def step(p: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
        uol.ops.foreach.sgd_([p], [g], lr=0.5)
        return p * 1

    example = torch.ones(3)
    graph = make_fx(step)(example, torch.ones(3))
    assert torch.equal(graph(torch.full((3,), 5.0), torch.ones(3)), torch.full((3,), 4.5))


@torch.no_grad()
@pytest.mark.parametrize(
    "call",
    [
        lambda f, p: f.clip_([1.0], max_norm=1.0),
        lambda f, p: f.clip_(None, max_norm=1.0),
        lambda f, p: f.clip_(p[0], max_norm=1.0),
        lambda f, p: f.clip_(p, max_norm="a"),
        lambda f, p: f.sgd_(p, p, lr=10**400),
        lambda f, p: f.sgd_momentum_(p, p, p, lr=0.1, nesterov="no"),
        lambda f, p: f.adamw_(p, p, p, p, step=1, betas=0.9),
        lambda f, p: f.adamw_(p, p, p, p, step=1, betas=(0.9, 0.9, 0.9)),
        lambda f, p: f.adamw_(p, p, p, p, step="1"),
        lambda f, p: f.adamw_(p, p, p, p, step=1.5),
    ],
)
def test_what_is_no_list_or_number_is_refused(call: Callable[..., object]) -> None:
    with pytest.raises(uol.UolError):
        call(uol.ops.foreach, [torch.ones(3)])
