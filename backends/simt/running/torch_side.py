"""PyTorch's view of a vendor's devices: their types, the product under an index, the current stream."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Protocol

from uol.codegen.backend import Device
from uol.ir.errors import UolError

ALIKE = 0.1
"""A driver keeps up to a tenth of the memory that a data sheet names: 79.2 GiB of an A100 of 80."""


class Properties(Protocol):
    """What `torch.cuda.get_device_properties` tells of a device, on either vendor's."""

    name: str
    total_memory: int
    multi_processor_count: int


@dataclass(frozen=True, slots=True)
class TorchSide:
    """types        the types of PyTorch's devices that are the vendor's, in the PyTorch that is installed
    architecture    the architecture of a product, as compilers name it
    generation      where an architecture stands in the order in which they came; None for one that no kernel is for
    """

    types: Callable[[], frozenset[str]]
    architecture: Callable[[Properties], str]
    generation: Callable[[str], int | None]

    def device(self, known: Mapping[str, Device], properties: Properties) -> Device:
        """The product: one of those that are known, or else a device of its own, whose rates are those of the nearest known one
        that came before it. Its number of cores is in its name: parts of one card may be devices, too. Raises UolError for one
        that no kernel is for."""
        architecture = self.architecture(properties)
        own = self.generation(architecture)
        before = [d for d in known.values() if own is not None and self._place(d) <= own]
        if not before:
            oldest = min(known.values(), key=self._place).architecture
            hint = f"they are for {oldest} and what follows it"
            raise UolError(f"no kernel is for {properties.name} ({architecture})", hint=hint)
        for device in before:
            if device.architecture == architecture and _is(device, properties):
                return device
        cores, rates = properties.multi_processor_count, max(before, key=self._place).rates
        name = re.sub(r"[^a-z0-9]+", "-", f"{properties.name} {cores}".lower()).strip("-")
        return Device(name, architecture, cores, properties.total_memory, rates)

    def _place(self, device: Device) -> int:
        return self.generation(device.architecture) or 0


def _is(device: Device, properties: Properties) -> bool:
    apart = abs(device.memory_bytes - properties.total_memory)
    return device.cores == properties.multi_processor_count and apart <= ALIKE * device.memory_bytes


def properties_of(index: int) -> Properties:
    """What PyTorch tells of the device of an index. Raises UolError where it has no such device."""
    import torch

    try:
        found: Properties = torch.cuda.get_device_properties(index)
    except (AssertionError, RuntimeError) as error:
        hint = "torch.cuda.is_available() says whether it has any"
        raise UolError(f"PyTorch has no device {index}: {error}", hint=hint) from error
    return found


@cache
def current_raw_stream() -> Callable[[int], int]:
    """PyTorch's function from an index to the handle of the current stream, the same for both vendors."""
    import torch

    found: Callable[[int], int] | None = getattr(torch._C, "_cuda_getCurrentRawStream", None)
    if found is None:
        raise UolError("this PyTorch is built for the CPU alone: it has no streams", hint="install one for the device")
    return found
