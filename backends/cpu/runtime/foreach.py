"""One C function that runs an operator at many positions: what a `foreach` launch calls.

    int32 uol_<op>_foreach(int64 positions, addresses, dims, run-time attributes)

`addresses` has a row a position, the pointers to its inputs and results, and `dims` a row of its sizes. Positions are the
tasks of one parallel loop, in which a kernel's own parallel loops are serial ones; they may share nothing that one of them
writes. An operator with buffers between its kernels has no such function: tasks would share them.
"""

from __future__ import annotations

from tvm import tirx

from uol.backends.cpu.expressions.builder import PARALLEL, Builder, function, index, pointer
from uol.backends.cpu.expressions.dtypes import INDEX_TYPE, Term, representation
from uol.backends.cpu.runtime.entry import foreach_symbol, outside_name
from uol.codegen.backend import Kernel
from uol.codegen.specs.graph import KernelGraph


def foreach_functions(graph: KernelGraph, kernels: tuple[Kernel, ...]) -> list[Term]:
    """The function as a PrimFunc that calls the kernels by their outside names; none where the operator has none."""
    if not graph.dims or graph.workspaces:
        return []
    code = Builder()
    positions = tirx.Var("positions", INDEX_TYPE)
    tables = {"addresses": [a.name for a in graph.args], "dims": list(graph.dims)}
    pointers = {name: pointer(name, INDEX_TYPE) for name in tables}
    buffers = {name: _table(code, name, pointers[name], positions, len(row)) for name, row in tables.items()}
    scalars = {s.name: tirx.Var(s.name, representation(s.dtype).compute) for s in graph.scalars}
    with code.loop("position", positions, PARALLEL) as position:
        row = {
            (table, name): tirx.BufferLoad(buffers[table], [position * index(len(names)) + index(place)])
            for table, names in tables.items()
            for place, name in enumerate(names)
        }
        addresses = {n: tirx.reinterpret("handle", row["addresses", n]) for n in tables["addresses"]}
        values = {**addresses, **scalars, **{n: row["dims", n] for n in tables["dims"]}}
        for kernel in kernels:
            code.add(tirx.Evaluate(tirx.call_extern("int32", outside_name(kernel), *(values[p.name] for p in kernel.params))))
    params = [positions, *pointers.values(), *scalars.values()]
    return [function(foreach_symbol(graph), params, code.body())]


def _table(code: Builder, name: str, data: Term, rows: Term, columns: int) -> Term:
    buffer = tirx.decl_buffer((rows * index(columns),), INDEX_TYPE, name, data=data, data_alignment=8)
    code.add(tirx.DeclBuffer(buffer, data=data))
    return buffer
