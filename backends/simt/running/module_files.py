"""From kernels to the files of an operator: device text, host launcher, headers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from uol.backends.abi.example import Memory, example_file
from uol.backends.abi.interface import abi_header, c_text, call_checks, op_header, symbolic_layout
from uol.backends.simt.c_text.types import COMPUTE
from uol.backends.simt.kernel.templates import template
from uol.backends.simt.machine import matrix_primitives
from uol.backends.simt.machine.target import Target
from uol.codegen.backend import Device, Kernel, Module, Param, SourceFile
from uol.codegen.specs.graph import KernelGraph
from uol.ir.errors import UolError
from uol.ir.program.nodes import Var

DEVICE_HEADER = "uol_device.h"
INCLUDE = Path(__file__).parent.parent / "include"
"""The folder of what the device headers share."""
LAUNCHER = Path(__file__).parent.parent / "launcher"
"""The folder of what launchers share; the targets' own lies beside their device headers."""
LAUNCH_HEADER, DRIVER_HEADER = "uol_launch.h", "uol_driver.h"
SHARED_HEADERS = ("uol_device_common.h", "uol_device_storage.h", "uol_device_random.h", "uol_device_trigonometry.h")


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a launch as a variable of the launcher."""

    ctype: str
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class LaunchText:
    """One launch in the host file; `empty` where there is nothing to compute, `condition` on the sizes of the call that
    there is (no text where it does not depend on them)."""

    symbol: str
    grid: str
    block: str
    shared_bytes: int
    arguments: tuple[Argument, ...]
    empty: bool
    condition: str

    @property
    def addresses(self) -> str:
        """Where the driver reads the arguments."""
        return ", ".join(f"&{each.name}" for each in self.arguments)


def assemble(graph: KernelGraph, kernels: tuple[Kernel, ...], device: Device, target: Target, include: Path) -> Module:
    """Device file first: what the vendor's compiler and the twin take. `include` holds the target's device header."""
    symbols = [k.name for k in kernels]
    if len(set(symbols)) != len(symbols):
        raise UolError(f"two kernels of {graph.name} have the same name: {', '.join(sorted(symbols))}")
    device_file = SourceFile(f"{graph.name}{target.suffix}", _device_text(graph, kernels, device))
    build = target.build(graph.name, device.architecture)
    products = tuple(graph.name + suffix for suffix in target.products)
    host = template("host_file.j2").render(
        op=graph.name,
        build=build,
        images=products,
        device_file=device_file.name,
        checks=call_checks(graph, "uol_why"),
        dims=graph.dims,
        launches=[_launch(graph, k) for k in kernels],
    )
    files = (
        SourceFile(f"{graph.name}_host.cpp", host),
        op_header(graph),
        abi_header(),
        *(SourceFile(name, (include / name).read_text()) for name in _device_headers(kernels)),
        *(SourceFile(name, (INCLUDE / name).read_text()) for name in _shared_headers(kernels)),
        example_file(graph, Memory(template("example_memory.j2").render(runtime=target.runtime), target.runtime.compiler)),
        SourceFile(LAUNCH_HEADER, (LAUNCHER / LAUNCH_HEADER).read_text()),
        SourceFile(DRIVER_HEADER, (include.parent / LAUNCHER.name / DRIVER_HEADER).read_text()),
    )
    return Module(target.name, device.name, graph, kernels, device_file, files, build, products)


def of_kernel(module: Module, kernel: Kernel, device: Device) -> Module:
    """The module with one of its kernels alone, in the file that the vendor's compiler takes."""
    text = _device_text(module.graph, (kernel,), device)
    return replace(module, kernels=(kernel,), device=SourceFile(module.device.name, text))


def _device_text(graph: KernelGraph, kernels: tuple[Kernel, ...], device: Device) -> str:
    source = tuple(enumerate(graph.source.splitlines(), 1))
    file = template("device_file.j2")
    return file.render(op=graph.name, device=device, source=source, includes=_device_headers(kernels), kernels=kernels)


def _shared_headers(kernels: Iterable[Kernel]) -> tuple[str, ...]:
    """What the device headers include."""
    is_on_matrix_units = matrix_primitives.HEADER in _device_headers(kernels)
    return (*SHARED_HEADERS, matrix_primitives.WORDS_HEADER) if is_on_matrix_units else SHARED_HEADERS


def _device_headers(kernels: Iterable[Kernel]) -> tuple[str, ...]:
    """What a device file includes: of matrix units where one of its kernels is on them."""
    is_on_matrix_units = any(matrix_primitives.needs_header(kernel.text) for kernel in kernels)
    return (DEVICE_HEADER, matrix_primitives.HEADER) if is_on_matrix_units else (DEVICE_HEADER,)


def _launch(graph: KernelGraph, kernel: Kernel) -> LaunchText:
    launch, places = kernel.launch, _places(graph)
    counts = {each: c_text(each, places) for each in launch.grid if not isinstance(each, int)}
    conditions = [*(c_text(each, places) for each in launch.where), *(f"{count} > 0" for count in counts.values())]
    return LaunchText(
        symbol=kernel.name,
        grid=", ".join(str(each) if isinstance(each, int) else f"(unsigned){counts[each]}" for each in launch.grid),
        block=", ".join(map(str, launch.block)),
        shared_bytes=launch.shared_bytes,
        arguments=tuple(_argument(graph, n, p) for n, p in enumerate(kernel.params)),
        empty=0 in launch.grid,
        condition=" && ".join(conditions),
    )


def _places(graph: KernelGraph) -> dict[str, str]:
    """Where the launcher has the dims that are arguments."""
    return {name: f"dims[{number}]" for number, name in enumerate(graph.dims)}


def _argument(graph: KernelGraph, number: int, param: Param) -> Argument:
    name = f"argument{number}"
    if param.kind in ("dim", "count"):
        value = Var(param.name) if param.count is None else param.count
        return Argument(COMPUTE[param.dtype], name, f"({COMPUTE[param.dtype]}){c_text(value, _places(graph))}")
    if param.kind == "scalar":
        place = [s.name for s in graph.scalars].index(param.name)
        field = "f" if param.dtype.startswith("f") else "i"
        return Argument(COMPUTE[param.dtype], name, f"({COMPUTE[param.dtype]})attrs[{place}].value.{field}")
    names = [a.name for a in graph.args]
    if param.name in names:
        return Argument("void*", name, f"tensors[{names.index(param.name)}].data")
    offset = symbolic_layout(graph)[0][param.name]
    return Argument("void*", name, f"(char*)workspace + {c_text(offset, _places(graph))}")
