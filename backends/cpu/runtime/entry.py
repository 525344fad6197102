"""One C function that runs all kernels of an operator.

    int32 uol_<op>_run(pointers of inputs and results, workspace, run-time attributes, symbolic dims)

It returns 0. The workspace holds the buffers between kernels, each aligned as its graph says.

It calls a kernel by another name of it, which LLVM does not know and so does not take into the function: every kernel has an
alias class of its own for each buffer, and within one function a load of the next kernel could pass a store of the one
before it.
"""

from __future__ import annotations

from tvm import tirx

from uol.backends.abi.interface import symbolic_layout
from uol.backends.cpu.expressions.builder import Builder, function, pointer
from uol.backends.cpu.expressions.dtypes import INDEX_TYPE, Term, representation
from uol.backends.cpu.expressions.exact_functions import EXACT
from uol.backends.cpu.expressions.spec_expressions import Scope, evaluate
from uol.codegen.backend import Kernel
from uol.codegen.specs.graph import KernelGraph
from uol.ir.integers.facts import Facts


def entry_symbol(graph: KernelGraph) -> str:
    return f"uol_{graph.name}_run"


def foreach_symbol(graph: KernelGraph) -> str:
    return f"uol_{graph.name}_foreach"


def outside_name(kernel: Kernel) -> str:
    """The name by which the function calls a kernel."""
    return f"{kernel.name}_outside"


def outside_names(kernels: tuple[Kernel, ...]) -> str:
    """Assembler lines that say which kernel is meant."""
    return "".join(f"\t.set\t{outside_name(k)}, {k.name}\n" for k in kernels)


def entry_function(graph: KernelGraph, kernels: tuple[Kernel, ...]) -> Term:
    """The function as a PrimFunc that calls the kernels by their outside names."""
    code = Builder()
    buffers = {a.name: pointer(a.name, "uint8") for a in graph.args}
    workspace = pointer("workspace", "uint8")
    scalars = {s.name: tirx.Var(s.name, representation(s.dtype).compute) for s in graph.scalars}
    dims = {d: tirx.Var(d, INDEX_TYPE) for d in graph.dims}
    offsets, _ = symbolic_layout(graph)
    scope = Scope(dims, {}, EXACT, Facts(()), code.share)
    places = {name: tirx.handle_add_byte_offset(workspace, evaluate(offset, scope)) for name, offset in offsets.items()}
    values = {**buffers, **places, **scalars, **dims}
    for kernel in kernels:
        call = tirx.call_extern("int32", outside_name(kernel), *(values[p.name] for p in kernel.params))
        code.add(tirx.Evaluate(call))
    return function(entry_symbol(graph), [*buffers.values(), workspace, *scalars.values(), *dims.values()], code.body())
