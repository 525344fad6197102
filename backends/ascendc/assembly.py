"""The files of one operator: device text, host launcher with the C interface, headers, build line."""

from __future__ import annotations

from dataclasses import dataclass

from uol.backends.abi.interface import abi_header, call_checks, op_header, workspace_layout
from uol.backends.ascendc.machine import C_TYPE
from uol.backends.ascendc.rendering import template
from uol.codegen.backend import Device, Kernel, Module, Param, SourceFile
from uol.codegen.specs.nodes import KernelGraph
from uol.ir.errors import UolError

BUILD = (
    "bisheng --npu-arch={architecture} -O2 -std=c++17 -xasc -fPIC -shared "
    '"-I${{ASCEND_HOME_PATH:?set it to the CANN toolkit, e.g. by sourcing set_env.sh}}/include" "-L$ASCEND_HOME_PATH/lib64" '
    "{op}_host.cpp -o libuol_{op}.so -lascendcl -lruntime -lplatform -ltiling_api -lc_sec -ldl -lm"
)
"""The line that works with CANN 8.3 and later (bisheng's -xasc; tile-ai/tilelang-ascend, tilelang/jit/adapter/libgen.py)."""

HELPERS = {
    "INFINITE": "constexpr float INFINITE = __builtin_inff();",
    "NOT_A_NUMBER": 'constexpr float NOT_A_NUMBER = __builtin_nanf("");',
    "lesser": "__aicore__ inline int lesser(int a, int b) { return a < b ? a : b; }",
    "greater": "__aicore__ inline int greater(int a, int b) { return a > b ? a : b; }",
    "floor_div": "__aicore__ inline int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }",
    "floor_mod": "__aicore__ inline int64_t floor_mod(int64_t a, int64_t b) { return a % b < 0 ? a % b + b : a % b; }",
    "threefry_key": """\
__aicore__ inline int32_t threefry_key(int64_t seed, int word, int added) {
  const uint32_t low = static_cast<uint32_t>(seed), high = static_cast<uint32_t>(seed >> 32);
  const uint32_t key = word == 0 ? low : word == 1 ? high : low ^ high ^ 0x1bd11bdau;
  return static_cast<int32_t>(key + static_cast<uint32_t>(added));
}""",
    "two_over_pi": """\
__aicore__ inline int32_t two_over_pi(int place) {
  const uint32_t words[] = {0x00000000u, 0x0145f306u, 0xdc9c882au, 0x53f84eafu,
                            0xa3ea69bbu, 0x81b6c52bu, 0x32788720u, 0x83fca2c7u};
  const uint64_t pair = static_cast<uint64_t>(words[place / 32]) << 32 | words[place / 32 + 1];
  return static_cast<int32_t>(pair >> (52 - place % 32) & 0xfff);
}""",
    "ceil_div": "__aicore__ inline int ceil_div(int a, int b) { return (a + b - 1) / b; }",
}
"""What kernels may use beside Ascend C, by name; a module has those that its kernels name. threefry_key is a word of the key
schedule of `random_bits` (the third is the xor of both and a constant of Threefry), plus what its round adds. two_over_pi is
twelve bits of 2/pi, behind 39 zeros. ceil_div rounds a negative quotient towards zero: its users clamp at
zero."""


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
    text = "\n".join(k.text for k in kernels)
    wide = "int64_t task" in text
    helpers = [line.replace("int ", "int64_t ") if wide else line for name, line in HELPERS.items() if name in text]
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
        launches=[LaunchText(k.name, k.launch.grid[0], ", ".join(_argument(graph, p) for p in k.params)) for k in kernels],
    )
    files = (SourceFile(f"{graph.name}_host.cpp", host), op_header(graph), abi_header())
    return Module("ascendc", device.name, graph, kernels, device_file, files, build)


def _argument(graph: KernelGraph, param: Param) -> str:
    if param.kind == "scalar":
        place = [s.name for s in graph.scalars].index(param.name)
        field = "f" if param.dtype.startswith("f") else "i"
        return f"static_cast<{C_TYPE[param.dtype]}>(attrs[{place}].value.{field})"
    names = [a.name for a in graph.args]
    if param.name in names:
        return f"static_cast<uint8_t*>(tensors[{names.index(param.name)}].data)"
    return f"static_cast<uint8_t*>(workspace) + {workspace_layout(graph.workspaces).offsets[param.name]}"
