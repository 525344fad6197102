"""The kernels of a built module, launched through a driver, where a device is present.

No device was at hand when this was written: it runs against a stub of the drivers (`uol.backends.stub_driver`), and has not run
on hardware.

What a call has to say to the driver is prepared when the operator is loaded: one block of memory holds a place of 8 bytes for
every address and number, and each kernel has a table of those that it takes. A call fills the block, once, and launches.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from struct import Struct
from struct import error as StructError
from typing import NamedTuple

from uol.backends.abi.interface import workspace_layout
from uol.backends.loading.arguments import number
from uol.backends.loading.loaded import DeviceOperator, OpenOperator
from uol.backends.loading.memory import current
from uol.backends.loading.ranges import with_ranges
from uol.backends.simt.running.driver_device import DriverDevice
from uol.codegen.backend import Artifact, Kernel, Module
from uol.codegen.specs.graph import at_sizes
from uol.ir.errors import DeviceError
from uol.ir.program.nodes import Scalar

PLACE_BYTES = 8
ADDRESS = "Q"
NUMBERS = {"f64": "d", "f32": "f4x", "i64": "q"}
"""A number by value, as `struct` writes it to a place."""


def load(artifact: Artifact, device: DriverDevice) -> DeviceOperator | OpenOperator:
    """The operator on a device: its binary, or, where the device takes that not, what else was built (PTX). Raises
    ToolchainError, with the driver's text, where none is for the device, DeviceError where the device fails, ResourceError for
    more shared memory than there is."""
    module, functions = artifact.module, _functions(artifact, device)
    if not module.graph.dims:
        return _operator(module, device, functions, {})
    return OpenOperator(module.graph, lambda dims, _: _operator(module, device, functions, dims))


def load_on_demand(module: Module, device: DriverDevice, built: Callable[[Kernel], Artifact]) -> OpenOperator:
    """An operator of any size on a device, whose kernels are built, by `built`, and loaded when the first call comes that takes
    them. The operator raises at that call what `load` raises, and DeviceError where its stream is captured."""
    loaded: dict[str, ctypes.c_void_p] = {}

    def function_of(kernel: Kernel) -> ctypes.c_void_p:
        if kernel.name not in loaded:  # what two threads load at once is the same
            (loaded[kernel.name],) = _functions(built(kernel), device)
        return loaded[kernel.name]

    def made_for(dims: Mapping[str, int], stream: int) -> DeviceOperator:
        taken = tuple(kernel for kernel in module.kernels if 0 not in kernel.launch.blocks(dims))
        if absent := [kernel.name for kernel in taken if kernel.name not in loaded]:
            _require_no_capture(device, module.graph.name, absent, dims, stream)
        return _operator(replace(module, kernels=taken), device, [function_of(kernel) for kernel in taken], dims)

    return OpenOperator(module.graph, made_for)


def _require_no_capture(device: DriverDevice, op: str, absent: Sequence[str], dims: Mapping[str, int], stream: int) -> None:
    """Raises DeviceError where a stream is captured that kernels would have to be built and loaded for."""
    with current(device):
        is_capturing = device.is_capturing(stream)
    if is_capturing:
        sizes = ", ".join(f"{name} = {size}" for name, size in dims.items())
        message = f"{op}: {', '.join(absent)} for {sizes} would be built while the stream is captured, which the driver refuses"
        raise DeviceError(message, hint="call it once with these sizes before the capture")


def _operator(
    module: Module, device: DriverDevice, functions: Sequence[ctypes.c_void_p], dims: Mapping[str, int]
) -> DeviceOperator:
    """The operator at these sizes; `functions` are its kernels, in order."""
    sized = replace(module, graph=at_sizes(module.graph, dims))
    enqueue = with_ranges(sized.graph.name, launches(sized, device, functions, dims), device.driver.source.ranges)
    return DeviceOperator(sized.graph, device, enqueue)


def loaded_launches(artifact: Artifact, device: DriverDevice, dims: Mapping[str, int]) -> Launches:
    """Its launches there, with the grids that they have at these dims. Raises as `load` does."""
    return launches(artifact.module, device, _functions(artifact, device), dims)


def _functions(artifact: Artifact, device: DriverDevice) -> Sequence[ctypes.c_void_p]:
    with current(device):
        return device.functions(artifact)


class Prepared(NamedTuple):
    """A kernel with all that is the same at each call; `table` holds the places of its arguments."""

    function: ctypes.c_void_p
    shape: tuple[int, int, int, int, int, int, int]
    table: ctypes.Array[ctypes.c_void_p]
    name: str


@dataclass(frozen=True, slots=True)
class Launches:
    """All kernels of a module that have something to do, in order.

    block      the places: addresses of the operator's buffers and of those in the workspace, then run-time attributes; behind
               them what is the same at each call, the sizes of dims
    offsets    where each buffer between kernels lies in the workspace, in bytes
    stream     the place of the stream's handle
    """

    device: DriverDevice
    scalars: tuple[Scalar, ...]
    block: ctypes.Array[ctypes.c_char]
    form: Struct
    offsets: tuple[int, ...]
    kernels: tuple[Prepared, ...]
    stream: ctypes.c_void_p = field(default_factory=ctypes.c_void_p)

    def __call__(self, addresses: Sequence[int], scalars: Sequence[object], workspace: int, stream: int) -> None:
        between = [workspace + offset for offset in self.offsets] if self.offsets else ()
        try:
            self.form.pack_into(self.block, 0, *addresses, *between, *scalars)
        except (StructError, OverflowError):
            self.form.pack_into(self.block, 0, *addresses, *between, *map(_fitting, self.scalars, scalars))
        handle, launch = self.stream, self.device.launch
        handle.value = stream
        for function, shape, table, name in self.kernels:
            if status := launch(function, *shape, handle, table, None):
                raise self.device.driver.failure(f"the launch of {name} on {self.device.where}", status)


def launches(
    module: Module, device: DriverDevice, functions: Sequence[ctypes.c_void_p], dims: Mapping[str, int]
) -> Launches:
    """The kernels of a module, with a block of their own."""
    graph = module.graph
    offsets = workspace_layout(graph).offsets
    names = [*(a.name for a in graph.args), *offsets, *(s.name for s in graph.scalars), *dims]
    codes = [ADDRESS] * (len(graph.args) + len(offsets)) + [NUMBERS[s.dtype] for s in graph.scalars]
    block = ctypes.create_string_buffer(PLACE_BYTES * len(names))
    Struct(f"={len(dims)}q").pack_into(block, PLACE_BYTES * len(codes), *dims.values())
    places = {name: ctypes.addressof(block) + PLACE_BYTES * n for n, name in enumerate(names)}
    prepared = [_prepared(k, f, places, dims) for k, f in zip(module.kernels, functions, strict=True)]
    there = tuple(each for each in prepared if 0 not in each.shape[:3])
    return Launches(device, graph.scalars, block, Struct("=" + "".join(codes)), tuple(offsets.values()), there)


def _prepared(
    kernel: Kernel, function: ctypes.c_void_p, places: Mapping[str, int], dims: Mapping[str, int]
) -> Prepared:
    launch = kernel.launch
    table = (ctypes.c_void_p * len(kernel.params))(*(places[p.name] for p in kernel.params))
    return Prepared(function, (*launch.blocks(dims), *launch.block, launch.shared_bytes), table, kernel.name)


def _fitting(scalar: Scalar, value: object) -> float | int:
    """A number as a place of its type holds it: infinite beyond f32, the whole part of a float. Raises ShapeError for what is
    none."""
    found = number(scalar.name, value)
    if scalar.dtype == "i64":
        return ctypes.c_longlong(int(found)).value
    return ctypes.c_float(found).value if scalar.dtype == "f32" else float(found)
