"""Devices of PyTorch and the backends whose kernels run there.

Each backend names the types of PyTorch's devices that are its own. A loader for another device type is named in `RUNNING`, and
its tensors run.
"""

from __future__ import annotations

import torch
from torch._subclasses.fake_tensor import FakeTensor

from uol.backends import registry
from uol.compilation.request import Target, resolve_target
from uol.ir.errors import UolError

RUNNING = frozenset({"cpu"})
"""The device types whose tensors are run on. Tensors without data (meta, fake) never come to a kernel."""


def backend_for(device_type: str) -> str | None:
    """The name of the backend for a type of PyTorch's devices; None where there is none."""
    # the likely one first: a backend that is not asked is not imported
    likely = sorted(registry.names(), key=lambda name: name != device_type)
    return next((name for name in likely if device_type in registry.get(name).torch_devices()), None)


def target_of(op: str, device: torch.device) -> Target:
    """The target whose kernels run on tensors of this device. Raises UolError where there is none."""
    backend = backend_for(device.type)
    if backend is None:
        known = ", ".join(sorted(frozenset().union(*(registry.get(name).torch_devices() for name in registry.names()))))
        raise UolError(f"{op}: no backend is for tensors on {device}", hint=f"the device types are {known}; write x.cpu()")
    if device.type not in RUNNING:
        hint = f"write x.cpu(), or ship the kernel: `uol compile {op} --target {backend} -o DIR`"
        raise UolError(f"{op}: tensors on {device} are not run on yet, though there are kernels for {backend}", hint=hint)
    return resolve_target(backend)


def require_running(op: str, x: torch.Tensor) -> None:
    """Raises UolError for a tensor with data on a device that is not run on. (Autograd would take it to a device's guard
    that PyTorch may not have, and end the process.)"""
    if x.device.type not in RUNNING and not x.is_meta and not isinstance(x, FakeTensor):
        target_of(op, x.device)
