"""The files of one operator: device text, host launcher with the C interface, headers, build line."""

from __future__ import annotations

from dataclasses import dataclass

from uol.backends.abi.interface import abi_header, call_checks, op_header, workspace_layout
from uol.backends.ascendc.helpers import HELPERS
from uol.backends.ascendc.kernel_text import AscendKernel, template
from uol.backends.ascendc.machine import C_TYPE
from uol.codegen.backend import Device, Kernel, Module, Param, SourceFile
from uol.codegen.specs.graph import KernelGraph
from uol.ir.errors import UolError

BUILD = (
    "bisheng --npu-arch={architecture} -O2 -std=c++17 -xasc -fPIC -shared "
    '"-I${{ASCEND_HOME_PATH:?set it to the CANN toolkit, e.g. by sourcing set_env.sh}}/include" "-L$ASCEND_HOME_PATH/lib64" '
    "{op}_host.cpp -o libuol_{op}.so -lascendcl -lruntime -lplatform -ltiling_api -lc_sec -ldl -lm"
)
"""The line that works with CANN 8.3 and later (bisheng's -xasc; tile-ai/tilelang-ascend, tilelang/jit/adapter/libgen.py)."""


@dataclass(frozen=True, slots=True)
class LaunchText:
    """One launch of the host file."""

    symbol: str
    blocks: int
    arguments: str


def assemble(graph: KernelGraph, kernels: tuple[Kernel, ...], device: Device) -> Module:
    """The device file is what the vendor's compiler and the twin take; the host file includes it."""
    symbols = [k.name for k in kernels]
    if len(set(symbols)) != len(symbols):
        listed = ", ".join(sorted(symbols))
        raise UolError(f"two kernels of {graph.name} have the same name: {listed}", hint="give one of the tensors another name")
    source = tuple(enumerate(graph.source.splitlines(), 1))
    helpers = _helpers(kernels)
    device_file = SourceFile(
        f"{graph.name}.cpp",
        template("module.cpp.j2").render(op=graph.name, device=device, source=source, helpers=helpers, kernels=kernels),
    )
    build = BUILD.format(op=graph.name, architecture=device.architecture)
    host = template("host.cpp.j2").render(
        op=graph.name,
        build=build,
        device_file=device_file.name,
        checks=call_checks(graph),
        launches=[_launch(graph, k) for k in kernels],
    )
    files = (SourceFile(f"{graph.name}_host.cpp", host), op_header(graph), abi_header())
    return Module("ascendc", device.name, graph, kernels, device_file, files, build)


def _launch(graph: KernelGraph, kernel: Kernel) -> LaunchText:
    return LaunchText(kernel.name, kernel.launch.blocks({})[0], ", ".join(_argument(graph, p) for p in kernel.params))
def _helpers(kernels: tuple[Kernel, ...]) -> list[str]:
    """The helpers that the kernels call, in 64 bits where a kernel's indices are."""
    own = [k for k in kernels if isinstance(k, AscendKernel)]
    assert len(own) == len(kernels), "a kernel of another backend"
    called, is_wide = {name for k in own for name in k.helpers}, any(k.index == "int64_t" for k in own)
    return [text.replace("int ", "int64_t ") if is_wide else text for name, text in HELPERS.items() if name in called]


def _argument(graph: KernelGraph, param: Param) -> str:
    if param.kind == "scalar":
        place = [s.name for s in graph.scalars].index(param.name)
        field = "f" if param.dtype.startswith("f") else "i"
        return f"static_cast<{C_TYPE[param.dtype]}>(attrs[{place}].value.{field})"
    names = [a.name for a in graph.args]
    if param.name in names:
        return f"static_cast<uint8_t*>(tensors[{names.index(param.name)}].data)"
    return f"static_cast<uint8_t*>(workspace) + {workspace_layout(graph).offsets[param.name]}"
