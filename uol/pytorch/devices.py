"""Devices of PyTorch: whose kernels run there, and how a call comes to them.

Each backend names the types of PyTorch's devices that are its own. One that runs on an accelerator (`TorchBackend`) says which
product is there, and which stream PyTorch is on. A kernel is launched on PyTorch's current stream of the device of its tensors,
which what is loaded makes current meanwhile; its workspace comes from PyTorch's allocator. Nothing is waited for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensor

from uol.backends import registry
from uol.codegen.extensions import TorchBackend
from uol.codegen.loaded import LoadedAtSizes, LoadedOnStreams
from uol.compilation.foreach_launch import ForeachKernel, Types, foreach_kernel
from uol.compilation.request import Target, resolve_target
from uol.compiler import Compiled
from uol.ir.errors import RefusalError, ToolchainError, TypeCheckError, UolError
from uol.ir.syntax.surface import Op
from uol.pytorch.fallback import NO_KERNEL, advised

Launch = Callable[..., None]
"""A kernel as a function of inputs, results, run-time attributes and symbolic dims."""

KNOWN_SIZES = 512
"""Sizes of calls, for which a kernel of any size is prepared at a time."""

HOST = "cpu"
"""The device type whose memory is the process's own: without streams, and with workspaces of the backend's."""


def backend_for(device_type: str) -> str | None:
    """The name of the backend for a type of PyTorch's devices; None where there is none."""
    # the likely one first: a backend that is not asked is not imported
    likely = sorted(registry.names(), key=lambda name: name != device_type)
    return next((name for name in likely if device_type in registry.get(name).torch_devices()), None)


def target_of(op: str, device: torch.device) -> Target:
    """The target whose kernels run on tensors of this device: its backend, and the product that is there.

    Raises RefusalError where no backend runs there, and what the backend raises where it finds no driver, or a product that it
    cannot build for.
    """
    name = backend_for(device.type)
    if name is None:
        known = ", ".join(sorted(frozenset().union(*(registry.get(name).torch_devices() for name in registry.names()))))
        raise RefusalError(f"{op}: no backend is for tensors on {device}", hint=f"the device types are {known}; write x.cpu()")
    if device.type == HOST:
        return resolve_target(name)
    backend = registry.get(name)
    if not isinstance(backend, TorchBackend):
        hint = f"write x.cpu(), or ship the kernel: `uol compile {op} --target {name} -o DIR`"
        raise RefusalError(f"{op}: {name} has kernels for tensors on {device}, but nothing that runs them here", hint=hint)
    try:
        return Target(backend, backend.torch_device(device.index or 0))
    except UolError as error:
        kind = type(error) if isinstance(error, ToolchainError) else RefusalError
        raise kind(f"{op}: nothing runs on {device}: {error.message}", hint=error.hint) from error


def require_running(op: Op, x: torch.Tensor) -> None:
    """Raises UolError for a tensor with data on a device that is not run on. (Autograd would take it to a device's guard
    that PyTorch may not have, and end the process.)"""
    if x.is_cpu or x.is_meta or isinstance(x, FakeTensor):
        return
    try:
        target_of(op.name, x.device)
    except NO_KERNEL as error:
        raise advised(op, error) from error.__cause__


def require_one_device(op: str, tensors: Mapping[str, torch.Tensor]) -> None:
    """Raises TypeCheckError where tensors lie on several: PyTorch lets one without data ("meta") pass, and computes nothing."""
    first, *others = tensors
    where = tensors[first].device
    for name in others:
        if tensors[name].device != where:
            is_number = HOST in (where.type, tensors[name].device.type) and 0 in (tensors[first].dim(), tensors[name].dim())
            hint = "move them to one device" + (", or give the number itself: `x.item()`" if is_number else "")
            raise TypeCheckError(f"{op}: {first} is on {where}, but {name} is on {tensors[name].device}", hint=hint)


def launch_of(compiled: Compiled, device: torch.device) -> Launch:
    """The kernel of an operator, on tensors that lie on this device; no value is checked. Raises what its target's compiler and
    loader raise."""
    kernel, backend = compiled.loaded_on(device.index or 0), compiled.request.target.backend
    if device.type == HOST:
        return kernel
    assert isinstance(backend, TorchBackend)
    if isinstance(kernel, LoadedAtSizes):
        return _of_any_size(kernel, backend, device, len(compiled.module.graph.dims))
    assert isinstance(kernel, LoadedOnStreams)
    return _launch(kernel, backend, device)


def _of_any_size(kernel: LoadedAtSizes, backend: TorchBackend, device: torch.device, dims: int) -> Launch:
    """A kernel whose last arguments are the sizes of so many dims."""

    @lru_cache(KNOWN_SIZES)
    def of(*sizes: int) -> Launch:
        stream = backend.torch_stream(device.index or 0)
        return _launch(kernel.at(*sizes, stream=stream), backend, device)

    def launch(*arguments: Any) -> None:
        of(*arguments[-dims:])(*arguments[:-dims])

    return launch


def _launch(kernel: LoadedOnStreams, backend: TorchBackend, device: torch.device) -> Launch:
    """A kernel on PyTorch's current stream of a device, its workspace from PyTorch's allocator."""
    index = device.index or 0
    if kernel.workspace_bytes == 0:
        return kernel.on_current(backend.torch_stream)
    size_bytes, stream_of = kernel.workspace_bytes, backend.torch_stream

    def launch(*arguments: Any) -> None:
        # It is given back as the call returns, and not before: what PyTorch's allocator hands out next on this stream is
        # written to after the kernels have run. On another stream it hands out other memory.
        workspace = torch.empty(size_bytes, dtype=torch.uint8, device=device)
        kernel(*arguments, stream=stream_of(index), workspace=workspace)

    return launch


def foreach_kernel_on(device: torch.device, name: str, dtype: Types, attributes: Mapping[str, float]) -> ForeachKernel | None:
    """The kernel of an operator over flat tensors on this device, many of them in one launch; None where there is none such."""
    target = target_of(name, device)
    kernel = foreach_kernel(name, target, dtype, attributes, device.index or 0)
    if kernel is None or device.type == HOST:
        return kernel
    assert isinstance(target.backend, TorchBackend)
    enqueue, stream_of, index = kernel.call, target.backend.torch_stream, device.index or 0

    def launch(*arguments: Any) -> None:
        enqueue(*arguments, stream=stream_of(index))

    return replace(kernel, call=launch)
