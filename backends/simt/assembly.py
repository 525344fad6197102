"""The files of one operator: device text, host launcher, headers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from uol.backends.abi.interface import abi_header, c_text, call_checks, op_header, workspace_layout
from uol.backends.simt.c_text.types import COMPUTE, STORAGE
from uol.backends.simt.rendering import template
from uol.backends.simt.target import Target
from uol.codegen.backend import Device, Kernel, Module, Param, SourceFile
from uol.codegen.specs.nodes import KernelGraph
from uol.ir.errors import UolError
from uol.ir.program.nodes import Var

DEVICE_HEADER = "uol_device.h"
INCLUDE = Path(__file__).parent / "include"
"""The folder of what the device headers share."""
SHARED_HEADERS = ("uol_device_common.h", "uol_device_storage.h", "uol_device_random.h")


@dataclass(frozen=True, slots=True)
class LaunchText:
    """One launch in the host file; `empty` where there is nothing to compute, `condition` on the sizes of the call that
    there is (no text where it does not depend on them)."""

    symbol: str
    grid: str
    block: str
    shared_bytes: int
    arguments: str
    empty: bool
    condition: str


def assemble(graph: KernelGraph, kernels: tuple[Kernel, ...], device: Device, target: Target, include: Path) -> Module:
    """Device file first: what the vendor's compiler and the twin take. `include` holds the target's device header."""
    symbols = [k.name for k in kernels]
    if len(set(symbols)) != len(symbols):
        raise UolError(f"two kernels of {graph.name} have the same name: {', '.join(sorted(symbols))}")
    source = tuple(enumerate(graph.source.splitlines(), 1))
    device_file = SourceFile(
        f"{graph.name}{target.suffix}",
        template("device_file.j2").render(op=graph.name, device=device, source=source, include=DEVICE_HEADER, kernels=kernels),
    )
    build = target.host.build.format(op=graph.name, architecture=device.architecture)
    host = template("host_file.j2").render(
        op=graph.name,
        build=build,
        host=target.host,
        device_file=device_file.name,
        checks=call_checks(graph),
        dims=graph.dims,
        launches=[_launch(graph, k) for k in kernels],
    )
    files = (
        SourceFile(f"{graph.name}_host{target.suffix}", host),
        op_header(graph),
        abi_header(),
        SourceFile(DEVICE_HEADER, (include / DEVICE_HEADER).read_text()),
        *(SourceFile(name, (INCLUDE / name).read_text()) for name in SHARED_HEADERS),
    )
    products = tuple(graph.name + suffix for suffix in target.products)
    return Module(target.name, device.name, graph, kernels, device_file, files, build, products)


def _launch(graph: KernelGraph, kernel: Kernel) -> LaunchText:
    launch, places = kernel.launch, _places(graph)
    counts = {each: c_text(each, places) for each in launch.grid if not isinstance(each, int)}
    return LaunchText(
        symbol=kernel.name,
        grid=", ".join(str(each) if isinstance(each, int) else f"(unsigned){counts[each]}" for each in launch.grid),
        block=", ".join(map(str, launch.block)),
        shared_bytes=launch.shared_bytes,
        arguments=", ".join(_argument(graph, p) for p in kernel.params),
        empty=0 in launch.grid,
        condition=" && ".join(f"{count} > 0" for count in counts.values()),
    )


def _places(graph: KernelGraph) -> dict[str, str]:
    """Where the launcher has the dims that are arguments."""
    return {name: f"dims[{number}]" for number, name in enumerate(graph.dims)}


def _argument(graph: KernelGraph, param: Param) -> str:
    if param.kind in ("dim", "count"):
        value = Var(param.name) if param.count is None else param.count
        return f"({COMPUTE[param.dtype]}){c_text(value, _places(graph))}"
    if param.kind == "scalar":
        place = [s.name for s in graph.scalars].index(param.name)
        field = "f" if param.dtype.startswith("f") else "i"
        return f"({COMPUTE[param.dtype]})attrs[{place}].value.{field}"
    pointer = f"({'' if param.writes else 'const '}{STORAGE[param.dtype]}*)"
    names = [a.name for a in graph.args]
    if param.name in names:
        return f"{pointer}tensors[{names.index(param.name)}].data"
    offset = workspace_layout(graph.workspaces).offsets[param.name]
    return f"{pointer}((char*)workspace + {offset})"
