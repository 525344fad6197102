"""A row that is ResNet-50, whole, on a photograph at batch 1: our kernels in a row beside torchvision's network."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from uol.conformance.bench.rows import Call, Contenders, Pass

if TYPE_CHECKING:
    from uol.conformance.paths.resnet50.cpu_network import CpuNetwork
    from uol.conformance.paths.resnet50.inference import Subject


@dataclass(frozen=True, slots=True)
class NetworkRow:
    """`channels_last`: how PyTorch's side has weights and picture. Ours always lies channels-last."""

    channels_last: bool

    @property
    def name(self) -> str:
        return f"resnet50 N=1, PyTorch {'channels-last' if self.channels_last else 'row-major'}"

    @property
    def passes(self) -> tuple[Pass, ...]:
        return ("forward",)

    def work(self, passed: Pass) -> None:
        return None

    def quick(self) -> NetworkRow:
        return self  # it has one size

    def contenders(self, passed: Pass) -> Contenders:
        import torch

        _, network = _built()
        return Contenders(lambda: (torch.from_numpy(network.run()),), self._pytorch(), lambda: self._pytorch(compiled=True))

    def _pytorch(self, *, compiled: bool = False) -> Call:
        import torch

        from uol.conformance.paths.resnet50.reference_network import eager_network

        subject, _ = _built()
        theirs = eager_network(subject.network, subject.image, channels_last=self.channels_last, compiled=compiled)
        return lambda: (torch.as_tensor(theirs()),)


@cache
def _built() -> tuple[Subject, CpuNetwork]:
    from uol.conformance.paths.record import PathOptions
    from uol.conformance.paths.resnet50.cpu_network import build_network
    from uol.conformance.paths.resnet50.inference import Subject, local_target

    subject = Subject.of(PathOptions())
    return subject, build_network(subject.placed, subject.state, subject.image, local_target())
