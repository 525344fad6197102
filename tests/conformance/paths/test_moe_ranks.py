"""Experts over 1, 2 and 4 ranks: what the one-rank layer gives of all tokens, whatever their number on a rank; a lost rank."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, distributed, multiprocessing

from uol.conformance.paths.moe import layer
from uol.conformance.paths.moe.exchange import RankError, exchange
from uol.conformance.paths.moe.expert_parallel import ExpertParallel
from uol.conformance.paths.moe.sizes import SIZES
from uol.ir.errors import UolError

NARROW = SIZES["narrow"]
SHAPE = (NARROW.width, NARROW.hidden, NARROW.experts, NARROW.top)
RANKS = 4
SHORT = 3.0
"""Seconds: of a group whose rank does not answer."""
PATIENCE = 300.0
"""Seconds for processes that may have to share the machine."""
LOSSES = (0.3, 0.2)

# What the ranks run, in processes that are forked from one that has imported this module


def started(body: Callable[..., None], folder: Path, ranks: int, *args: object) -> None:
    """`body(rank, folder, *args)` on each rank; raises where one of them does."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, "uol.conformance.paths.moe.expert_parallel"])
    processes: Any = multiprocessing  # PyTorch gives it no types
    processes.start_processes(body, (folder, *args), nprocs=ranks, start_method="forkserver")


def join(rank: int, folder: Path, ranks: int, timeout: float = PATIENCE) -> None:
    torch.set_num_threads(1)
    store = f"file://{folder}/store"
    distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=ranks, timeout=timedelta(seconds=timeout))
    distributed.barrier()  # a rank that has left is one that others cannot connect to


def inputs() -> tuple[Tensor, Tensor]:
    """Tokens, and what their results' gradients are."""
    generator = torch.Generator().manual_seed(1)
    x, dy = (torch.randn(NARROW.tokens, NARROW.width, dtype=torch.float64, generator=generator) for _ in range(2))
    x[:, 0] = x[:, 0].abs() + 3  # which the routers favour that are changed
    return x, dy


def favour(router: Tensor, experts: int) -> None:
    """The first experts are all tokens' choice, unless there are fewer than a token chooses."""
    with torch.no_grad():
        router.mul_(0.001)
        router[:experts, 0] = 1.0


Whole = dict[str, Tensor]


def step(module: torch.nn.Module, x: Tensor, dy: Tensor) -> Whole:
    """Results, and gradients of <y, dy> and the losses."""
    x = x.clone().requires_grad_()
    mixed = module(x)
    weights = [torch.tensor(each, dtype=mixed.balance.dtype) for each in LOSSES]
    names, parameters = zip(*module.named_parameters(), strict=True)
    found = torch.autograd.grad([mixed.y, mixed.balance, mixed.z], [x, *parameters], [dy, *weights])
    return {**{n: t.detach() for n, t in mixed._asdict().items()}, **dict(zip(("dx", *names), found, strict=True))}


CASES: dict[str, tuple[int, int | None, bool]] = {
    # experts that are favoured (0: none), capacity, has the first of several ranks any tokens
    "even": (0, 5, True),
    "one for all": (1, None, True),
    "empty experts": (3, 7, True),
    "none on a rank": (0, 5, False),
}


def one_rank(case: str) -> Whole:
    favoured, capacity, _ = CASES[case]
    torch.manual_seed(0)
    module = layer.MixtureOfExperts(*SHAPE, capacity).double()
    if favoured:
        favour(module.router, favoured)
    return step(module, *inputs())


def share(whole: Tensor, group: distributed.ProcessGroup, of_the_first: bool) -> Tensor:
    """This rank's part: equal ones, but for a first rank that has none."""
    without = 0 if of_the_first or group.size() == 1 else 1
    empty = [whole[:0]] * without
    return [*empty, *whole.tensor_split(group.size() - without)][group.rank()]


def on_group(case: str, group: distributed.ProcessGroup) -> Whole:
    """This rank's share of a step, the router's gradient summed over the ranks."""
    favoured, capacity, has_tokens = CASES[case]
    torch.manual_seed(0)
    module = ExpertParallel(*SHAPE, capacity, group).double()
    if favoured:
        favour(module.router, favoured)
    own = [share(part, group, has_tokens) for part in inputs()]
    found = step(module, *own)
    distributed.all_reduce(found["router"], group=group)
    return found


EVERY = tuple((case, ranks) for case in CASES for ranks in (1, 2, RANKS))
SAMPLE = (("none on a rank", 2),)
"""Each rank compiles kernels for its own numbers of rows: all cases take minutes."""


def most_ranks(cases: tuple[tuple[str, int], ...]) -> int:
    return max(ranks for _, ranks in cases)


def run_cases(rank: int, folder: Path, cases: tuple[tuple[str, int], ...]) -> None:
    """What this rank finds of each case, by the number of ranks."""
    join(rank, folder, most_ranks(cases))
    groups = {ranks: distributed.new_group(list(range(ranks))) for ranks in sorted({ranks for _, ranks in cases})}
    for case, ranks in cases:
        if rank < ranks:
            torch.save(on_group(case, groups[ranks]), folder / f"{case}, {rank} of {ranks}.pt")
    distributed.barrier()
    distributed.destroy_process_group()


WHOLE = {"router", "balance", "z"}
"""What every rank has whole; of all else it has a share, in the order of the ranks."""


@pytest.mark.parametrize("cases", [SAMPLE, pytest.param(EVERY, marks=pytest.mark.soak)], ids=["sample", "every"])
def test_ranks_compute_what_one_does(cases: tuple[tuple[str, int], ...], tmp_path: Path) -> None:
    started(run_cases, tmp_path, most_ranks(cases), cases)
    for case, ranks in cases:
        require_one_ranks(case, [torch.load(tmp_path / f"{case}, {rank} of {ranks}.pt") for rank in range(ranks)])


def require_one_ranks(case: str, found: list[Whole]) -> None:
    """The ranks' results of a case are those of the layer on one rank."""
    expected = one_rank(case)
    assert torch.equal(torch.cat([each["expert"] for each in found]), expected["expert"])
    for name in expected.keys() - {"expert"}:
        if name in WHOLE:
            assert all(torch.equal(each[name], found[0][name]) for each in found), name
        ours = found[0][name] if name in WHOLE else torch.cat([each[name] for each in found])
        torch.testing.assert_close(ours, expected[name], rtol=1e-9, atol=1e-11, msg=lambda m, n=name: f"{n}: {m}")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_scores_do_not_depend_on_how_many_tokens_there_are(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    router = layer.drawn_router(24, 40).detach().to(dtype)
    x = torch.randn(200, 40).to(dtype)
    whole = layer.scores(x, router)
    for first, end in ((0, 1), (7, 10), (100, 113), (0, 100)):
        assert torch.equal(layer.scores(x[first:end].clone(), router), whole[first:end])


def test_experts_that_the_ranks_do_not_divide_are_an_error(tmp_path: Path) -> None:
    started(_indivisible, tmp_path, 3)


def _indivisible(rank: int, folder: Path) -> None:
    join(rank, folder, 3)
    with pytest.raises(UolError, match=re.escape("8 experts cannot be divided among 3 ranks")):
        ExpertParallel(*SHAPE)
    distributed.destroy_process_group()


def test_without_ranks_the_layer_is_an_error() -> None:
    with pytest.raises(UolError, match="there are no ranks yet"):
        ExpertParallel(*SHAPE)


@pytest.mark.parametrize("last_act", [signal.SIGKILL, signal.SIGSTOP])
def test_a_rank_that_is_lost_is_an_error_on_the_others(tmp_path: Path, last_act: signal.Signals) -> None:
    """One that is killed is noticed at once, one that hangs after the time-out: here in a gradient."""
    context = multiprocessing.get_context("forkserver")
    processes = [context.Process(target=_with_a_loss, args=(rank, tmp_path, last_act)) for rank in range(3)]
    for process in processes:
        process.start()
    for process in processes[:2]:
        process.join(PATIENCE)
    processes[2].kill()
    assert [process.exitcode for process in processes[:2]] == [0, 0]
    for rank in range(2):
        text = (tmp_path / f"{rank}.txt").read_text()
        assert f"rank {rank} of 3 waited for another that has ended or does not answer" in text
        assert "start all of them again" in text
        assert ("3000ms" in text) == (last_act == signal.SIGSTOP)


def _with_a_loss(rank: int, folder: Path, last_act: signal.Signals) -> None:
    join(rank, folder, 3, SHORT)
    rows = exchange(torch.ones(3, 2, requires_grad=True), [1, 1, 1], [1, 1, 1], distributed.group.WORLD)
    if rank == 2:
        os.kill(os.getpid(), last_act)
    with pytest.raises(RankError) as caught:
        rows.sum().backward()
    (folder / f"{rank}.txt").write_text(str(caught.value))
