"""Which product PyTorch's index stands for, and the stream that its tensors are on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from simt_cases import Case, kernel_graph

from uol.backends import registry
from uol.backends.simt.running import torch_side
from uol.codegen.choice import compile_graph
from uol.codegen.extensions import TorchBackend
from uol.ir.errors import UolError

GIB = 2**30


@dataclass
class Card:
    """As `torch.cuda.get_device_properties` describes one."""

    name: str
    major: int
    minor: int
    multi_processor_count: int
    memory_gib: float
    gcnArchName: str = ""

    @property
    def total_memory(self) -> int:
        return int(self.memory_gib * GIB)


def there(monkeypatch: pytest.MonkeyPatch, *cards: Card) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: cards[index])


@pytest.mark.parametrize(
    ("card", "device"),
    [
        (Card("NVIDIA A100-SXM4-80GB", 8, 0, 108, 79.25), "a100"),
        (Card("NVIDIA A100-SXM4-40GB", 8, 0, 108, 39.56), "a100-40"),
        (Card("NVIDIA A10", 8, 6, 72, 22.1), "a10"),
        (Card("NVIDIA L4", 8, 9, 58, 22.03), "l4"),
        (Card("NVIDIA H100 80GB HBM3", 9, 0, 132, 79.18), "h100"),
        (Card("NVIDIA H200", 9, 0, 132, 139.8), "h200"),
    ],
)
def test_a_known_card_is_a_device_of_the_backend(card: Card, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    there(monkeypatch, card)
    backend: Any = registry.get("cuda")
    assert backend.torch_device(0) is backend.devices[device]


@pytest.mark.parametrize(
    ("card", "device"),
    [
        (Card("AMD Instinct MI250X", 9, 0, 110, 63.98, "gfx90a:sramecc+:xnack-"), "mi250x"),
        (Card("AMD Instinct MI210", 9, 0, 104, 63.98, "gfx90a:sramecc+:xnack-"), "mi210"),
        (Card("AMD Instinct MI300X", 9, 4, 304, 191.98, "gfx942:sramecc+:xnack-"), "mi300x"),
    ],
)
def test_amds_cards_are_told_by_the_name_of_their_architecture(
    card: Card, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    there(monkeypatch, card)
    backend: Any = registry.get("hip")
    assert backend.torch_device(0) is backend.devices[device]


@pytest.mark.parametrize(
    ("target", "card", "name", "architecture", "rates_of"),
    [
        ("cuda", Card("NVIDIA L40S", 8, 9, 142, 44.39), "nvidia-l40s-142", "sm_89", "l4"),
        ("cuda", Card("NVIDIA RTX 3090", 8, 6, 82, 23.7), "nvidia-rtx-3090-82", "sm_86", "a10"),
        ("cuda", Card("NVIDIA B200", 10, 0, 148, 178.0), "nvidia-b200-148", "sm_100", "h100"),
        ("cuda", Card("Orin", 8, 7, 16, 29.0), "orin-16", "sm_87", "a10"),
        ("hip", Card("AMD Instinct MI300X", 9, 4, 38, 24.0, "gfx942"), "amd-instinct-mi300x-38", "gfx942", "mi300x"),
        ("hip", Card("AMD Instinct MI325X", 9, 4, 304, 256.0, "gfx942"), "amd-instinct-mi325x-304", "gfx942", "mi300x"),
        ("hip", Card("AMD Instinct MI355X", 9, 5, 256, 288.0, "gfx950"), "amd-instinct-mi355x-256", "gfx950", "mi300x"),
    ],
)
def test_another_card_is_a_device_of_its_own(
    target: str, card: Card, name: str, architecture: str, rates_of: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    there(monkeypatch, card)
    backend: Any = registry.get(target)
    found = backend.torch_device(0)
    assert (found.name, found.architecture) == (name, architecture)
    assert (found.cores, found.memory_bytes) == (card.multi_processor_count, card.total_memory)
    assert found.rates is backend.devices[rates_of].rates
    assert name not in backend.devices  # no target is called so: it is not listed


@pytest.mark.parametrize(
    ("target", "card", "oldest"),
    [
        ("cuda", Card("Tesla V100", 7, 0, 80, 31.7), "sm_80"),
        ("hip", Card("AMD Instinct MI100", 9, 0, 120, 32.0, "gfx908:sramecc+"), "gfx90a"),
        ("hip", Card("AMD Radeon RX 7900 XTX", 11, 0, 48, 24.0, "gfx1100"), "gfx90a"),
    ],
)
def test_a_card_that_no_kernel_is_for_is_refused(
    target: str, card: Card, oldest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    there(monkeypatch, card)
    backend: Any = registry.get(target)
    with pytest.raises(UolError, match=f"no kernel is for {card.name}") as caught:
        backend.torch_device(0)
    assert f"they are for {oldest} and what follows it" in str(caught.value)


def test_a_device_of_its_own_is_built_for(monkeypatch: pytest.MonkeyPatch) -> None:
    there(monkeypatch, Card("NVIDIA L40S", 8, 9, 142, 44.39))
    backend: Any = registry.get("cuda")
    device = backend.torch_device(0)
    module = compile_graph(kernel_graph(Case("relu", {"S": 8}, rank=1), backend), backend, device)
    assert "relu for nvidia-l40s-142 (sm_89)" in module.device.text
    built: list[object] = []
    monkeypatch.setattr(backend, "toolchain", type("T", (), {"build": staticmethod(lambda m, d: built.append(d))}))
    backend.build(module)
    assert built == [device]


def test_pytorch_without_devices_has_none_under_an_index(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(index: int) -> object:
        raise AssertionError("Torch not compiled with CUDA enabled")

    monkeypatch.setattr(torch.cuda, "get_device_properties", absent)
    backend: Any = registry.get("cuda")
    with pytest.raises(UolError, match="PyTorch has no device 1: Torch not compiled with CUDA enabled"):
        backend.torch_device(1)


@pytest.mark.parametrize("target", ["cuda", "hip"])
def test_the_stream_is_pytorchs_current_one(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    backend: Any = registry.get(target)
    assert isinstance(backend, TorchBackend)
    torch_side.current_raw_stream.cache_clear()
    monkeypatch.setattr(torch._C, "_cuda_getCurrentRawStream", lambda index: 0x1000 + index, raising=False)
    assert [backend.torch_stream(index) for index in (0, 1)] == [0x1000, 0x1001]
    torch_side.current_raw_stream.cache_clear()
    monkeypatch.delattr(torch._C, "_cuda_getCurrentRawStream")
    with pytest.raises(UolError, match="this PyTorch is built for the CPU alone"):
        backend.torch_stream(0)
    torch_side.current_raw_stream.cache_clear()
