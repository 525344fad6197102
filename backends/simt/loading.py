"""The kernels of a built module, launched through a driver, where a device is present.

No device was at hand when this was written: the loader is tested against a driver that records its calls, and has not
run on hardware.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from uol.backends.abi.interface import workspace_layout
from uol.backends.loading.arguments import number
from uol.backends.loading.loaded import DeviceOperator
from uol.backends.simt.driver_api import Driver, Value
from uol.codegen.backend import Artifact, Module, Param

SCALARS: dict[str, Callable[[float], Value]] = {
    "f64": ctypes.c_double,
    "f32": ctypes.c_float,
    "i64": lambda value: ctypes.c_longlong(int(value)),
}


def load(artifact: Artifact, driver: Driver) -> DeviceOperator:
    """The operator on the driver's device."""
    module = artifact.module
    functions = driver.functions(artifact.binary, [k.name for k in module.kernels])
    launches = Launches(module, driver, functions, workspace_layout(module.graph.workspaces).offsets)
    return DeviceOperator(module.graph, driver, launches)


@dataclass(frozen=True, slots=True)
class Launches:
    """All kernels of a module, in order. `offsets`: where each buffer between them lies in the workspace, in bytes."""

    module: Module
    driver: Driver
    functions: Mapping[str, ctypes.c_void_p]
    offsets: Mapping[str, int]

    def __call__(self, addresses: Sequence[int], scalars: Sequence[object], workspace: int, stream: int) -> None:
        graph = self.module.graph
        buffers = dict(zip((a.name for a in graph.args), addresses, strict=True))
        buffers |= {name: workspace + offset for name, offset in self.offsets.items()}
        numbers = {s.name: number(s.name, value) for s, value in zip(graph.scalars, scalars, strict=True)}
        for kernel in self.module.kernels:
            grid = kernel.launch.blocks(numbers)
            if 0 not in grid:
                values = [_value(p, buffers, numbers) for p in kernel.params]
                self.driver.launch(self.functions[kernel.name], kernel.launch, grid, stream, values)


def _value(param: Param, buffers: Mapping[str, int], numbers: Mapping[str, float]) -> Value:
    if param.kind == "scalar":
        return SCALARS[param.dtype](numbers[param.name])
    return ctypes.c_void_p(buffers[param.name])
