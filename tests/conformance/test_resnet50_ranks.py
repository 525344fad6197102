"""ResNet-50 under PyTorch's DistributedDataParallel, as it is: two processes on one machine, by gloo."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import distributed, multiprocessing
from torch.nn.parallel import DistributedDataParallel

import uol
from uol.conformance.paths.resnet50.module import ResNet, loss
from uol.conformance.paths.resnet50.sizes import SIZES

NARROW = SIZES["narrow"]
RANKS, STEPS = 2, 3


def halves(step: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """The pictures and labels of each rank."""
    generator = torch.Generator().manual_seed(step)
    size = (RANKS, NARROW.batch, 3, NARROW.image, NARROW.image)
    labels = torch.randint(NARROW.classes, size[:2], generator=generator)
    return list(zip(torch.randn(size, generator=generator), labels, strict=True))


def network() -> ResNet:
    torch.manual_seed(0)
    return ResNet(NARROW)


def rank(number: int, folder: Path) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=number, world_size=RANKS)
    module = DistributedDataParallel(network())
    optimiser = uol.SGD(module.parameters(), lr=0.05, momentum=0.9)
    for step in range(STEPS):
        images, labels = halves(step)[number]
        optimiser.zero_grad()
        loss(module(images), labels).backward()
        optimiser.step()
    torch.save(dict(module.module.named_parameters()), folder / f"{number}.pt")
    distributed.destroy_process_group()


def test_two_ranks_have_the_parameters_of_one_that_takes_both_batches(tmp_path: Path) -> None:
    """The one adds both gradients up; each half is normalised by its own statistics, as it is on its rank."""
    multiprocessing.spawn(rank, (tmp_path,), nprocs=RANKS)  # type: ignore[no-untyped-call]
    found = [torch.load(tmp_path / f"{number}.pt") for number in range(RANKS)]
    single = network()
    start = {name: p.detach().clone() for name, p in single.named_parameters()}
    optimiser = uol.SGD(single.parameters(), lr=0.05, momentum=0.9)
    for step in range(STEPS):
        optimiser.zero_grad()
        for images, labels in halves(step):
            (loss(single(images), labels) / RANKS).backward()
        optimiser.step()
    for name, parameter in single.named_parameters():
        assert torch.equal(found[0][name], found[1][name]), name
        torch.testing.assert_close(found[0][name], parameter, rtol=1e-4, atol=1e-6, msg=lambda m, n=name: f"{n}: {m}")
        assert not torch.equal(start[name], parameter), name
