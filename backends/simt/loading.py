"""A built module as a function of buffers, where a device is present.

No device was at hand when this was written: the loader is tested against a driver that records its calls, and has not
run on hardware.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from uol.backends.abi.arguments import device_address, host_address, number, span_bytes
from uol.backends.abi.interface import WorkspaceLayout, workspace_layout
from uol.backends.simt.driver_api import Driver, Value
from uol.codegen.backend import Artifact, Kernel, Param
from uol.codegen.specs.nodes import Arg, KernelGraph
from uol.ir.errors import ShapeError

SCALARS: dict[str, Callable[[float], Value]] = {
    "f64": ctypes.c_double,
    "f32": ctypes.c_float,
    "i64": lambda value: ctypes.c_longlong(int(value)),
}


class Loaded:
    """Call it with the operator's inputs, results and run-time attributes, in order.

    A buffer is device memory (an address, or anything with `data_ptr()`, as torch tensors have), which is enqueued on
    `stream` and not waited for; or a numpy array, which is copied to the device and back. The workspace is allocated
    once, at loading.
    """

    def __init__(self, artifact: Artifact, driver: Driver) -> None:
        self.graph: KernelGraph = artifact.module.graph
        self.kernels: tuple[Kernel, ...] = artifact.module.kernels
        self.driver = driver
        self.functions = driver.functions(artifact.binary, [k.name for k in self.kernels])
        self.layout: WorkspaceLayout = workspace_layout(self.graph.workspaces)
        self.workspace = driver.allocate(self.layout.bytes)

    def __call__(self, *arguments: object, stream: int = 0) -> None:
        count = len(self.graph.args)
        if len(arguments) != count + len(self.graph.scalars):
            names = [a.name for a in self.graph.args] + [s.name for s in self.graph.scalars]
            raise ShapeError(f"{self.graph.name} takes {len(names)} arguments: {', '.join(names)}")
        self.driver.activate()
        scalars = dict(zip((s.name for s in self.graph.scalars), arguments[count:], strict=True))
        with self._on_device(arguments[:count], stream) as buffers:
            for kernel in self.kernels:
                if 0 not in kernel.launch.grid:
                    values = [self._argument(p, buffers, scalars) for p in kernel.params]
                    self.driver.launch(self.functions[kernel.name], kernel.launch, stream, values)

    def _argument(self, param: Param, buffers: dict[str, int], scalars: dict[str, object]) -> Value:
        if param.kind == "scalar":
            return SCALARS[param.dtype](number(param.name, scalars[param.name]))
        address = buffers.get(param.name)
        if address is None:
            address = self.workspace + self.layout.offsets[param.name]
        return ctypes.c_void_p(address)

    @contextmanager
    def _on_device(self, arguments: Sequence[object], stream: int) -> Iterator[dict[str, int]]:
        """Addresses by name. Host arrays are copied in before and, where they are results, out after."""
        buffers: dict[str, int] = {}
        staged: list[tuple[Arg, int, int]] = []
        try:
            for arg, argument in zip(self.graph.args, arguments, strict=True):
                address = device_address(argument)
                if address is None:
                    host = host_address(arg.name, argument)
                    address = self.driver.allocate(span_bytes(arg))
                    staged.append((arg, host, address))
                    self.driver.to_device(address, host, span_bytes(arg))
                buffers[arg.name] = address
            yield buffers
            if staged:
                self.driver.synchronise(stream)
            for arg, host, address in staged:
                if arg.role != "in":
                    self.driver.to_host(host, address, span_bytes(arg))
        finally:
            for _, _, address in staged:
                self.driver.free(address)
