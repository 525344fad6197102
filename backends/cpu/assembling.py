"""The files of one operator: its kernels as TensorIR and as assembler text, the launcher, the thread pool, headers.

The TensorIR is what one reads; the assembler text is what is built, here and by whoever gets the bundle. It needs no
compiler but the system's: neither TVM nor LLVM.
"""

from __future__ import annotations

from pathlib import Path

from uol.backends.abi.example import Memory, example_file
from uol.backends.abi.interface import abi_header, call_checks, op_header, untold_dims
from uol.backends.c_text.template_folder import template_of
from uol.backends.cpu.dots.units import takes_tiles
from uol.backends.cpu.host import host
from uol.backends.cpu.runtime.thread_pool import SOURCE as THREADS_SOURCE
from uol.codegen.backend import Device, Kernel, Module, SourceFile
from uol.codegen.specs.graph import KernelGraph
from uol.ir.errors import UolError
from uol.ir.types import is_float

TEMPLATES = Path(__file__).parent / "templates"
C_SCALARS = {"f64": "double", "f32": "float", "i64": "int64_t"}


def assemble(name: str, graph: KernelGraph, kernels: tuple[Kernel, ...], device: Device) -> Module:
    """The module of an operator. TensorIR first; the assembler text is the file that ends in `.s`."""
    from uol.backends.cpu.dots.instructions import functions_of
    from uol.backends.cpu.runtime.entry import entry_function, entry_symbol, outside_names
    from uol.backends.cpu.runtime.foreach import foreach_functions
    from uol.backends.cpu.runtime.objectcode import assembly
    from uol.backends.cpu.scheduling import primfunc

    symbols = [k.name for k in kernels]
    if len(set(symbols)) != len(symbols):
        raise UolError(f"two kernels of {graph.name} have the same name: {', '.join(sorted(symbols))}")
    functions = [primfunc(k.spec, k.schedule).with_attr("global_symbol", k.name) for k in kernels]  # type: ignore[arg-type]  # our own
    functions += [entry_function(graph, kernels), *foreach_functions(graph, kernels)]
    text = assembly(functions, host(device.architecture), llvm_text=functions_of(kernels)) + outside_names(kernels)
    kernels_file, tensor_ir_file = f"{graph.name}.s", f"{graph.name}.tir.py"
    build = (
        f"cc -O2 -shared -fPIC -pthread -o libuol_{graph.name}.so {kernels_file} {graph.name}_host.cpp {THREADS_SOURCE.name}"
    )
    tensor_ir = SourceFile(tensor_ir_file, _tensor_ir(graph, kernels))
    if untold_dims(graph):  # then there is no launcher; within this process dims are arguments
        return Module(name, device.name, graph, kernels, tensor_ir, (SourceFile(kernels_file, text),), build)
    launcher = template_of(TEMPLATES, "host_file.j2").render(
        op=graph.name,
        build=build,
        kernels_file=kernels_file,
        tensor_ir_file=tensor_ir_file,
        checks=call_checks(graph),
        entry=entry_symbol(graph),
        tiles=any(takes_tiles(kernel) for kernel in kernels),
        parallel="__TVMBackendParallelLaunch" in text,
        signature=", ".join(_signature(graph)),
        arguments=", ".join(_arguments(graph)),
        dims=len(graph.dims),
    )
    files = (
        SourceFile(kernels_file, text),
        SourceFile(f"{graph.name}_host.cpp", launcher),
        op_header(graph),
        abi_header(),
        example_file(graph, Memory(template_of(TEMPLATES, "example_memory.j2").render(), "c++")),
        SourceFile(THREADS_SOURCE.name, THREADS_SOURCE.read_text()),
    )
    return Module(name, device.name, graph, kernels, tensor_ir, files, build)


def kernels_file(module: Module) -> SourceFile:
    """The assembler text of a module."""
    return next(f for f in module.host if f.name.endswith(".s"))


def kernels_text(module: Module) -> str:
    return kernels_file(module).text


def _tensor_ir(graph: KernelGraph, kernels: tuple[Kernel, ...]) -> str:
    """Every kernel in launch order, under the printed op."""
    head = [*(f"# {line}" for line in graph.source.splitlines()), "from tvm.script import tirx as T", ""]
    return "\n".join([*head, *(f"\n{k.text}" for k in kernels)])


def _signature(graph: KernelGraph) -> list[str]:
    return [*["void*"] * (len(graph.args) + 1), *(C_SCALARS[s.dtype] for s in graph.scalars), *["int64_t"] * len(graph.dims)]


def _arguments(graph: KernelGraph) -> list[str]:
    pointers = [f"tensors[{i}].data" for i in range(len(graph.args))]
    fields = ["f" if is_float(s.dtype) else "i" for s in graph.scalars]
    values = [f"({C_SCALARS[s.dtype]})attrs[{i}].value.{fields[i]}" for i, s in enumerate(graph.scalars)]
    return [*pointers, "workspace", *values, *(f"dims[{i}]" for i in range(len(graph.dims)))]
