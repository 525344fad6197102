"""One kernel over many runs of an elementwise operator: what a launch of `foreach` is on a machine with threads.

    sgd_foreach_kernel(p_base, g_base, new_p_base, uol_places, uol_lengths, lr, ...)

A block has a run, which is as long as `uol_lengths` says of it. Where its elements lie, a row of `uol_places` tells, in
elements from the base of each tensor: the tensors of one launch are anywhere in memory, and a base is the first of them. What
is computed of an element is the text of the operator's own kernel, of elements side by side as there: in accesses of 16 bytes
where all tensors of the run lie on such addresses. The last elements of a run, which fill no such group, are single ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from uol.backends.c_text.names import Names, kernel_symbol, legalise
from uol.backends.simt.c_text.counters import Counter
from uol.backends.simt.c_text.printer import Printer
from uol.backends.simt.c_text.proofs import NARROW, Index, Proofs
from uol.backends.simt.c_text.signatures import Signature, signature, stored_tensors
from uol.backends.simt.c_text.types import STORAGE
from uol.backends.simt.elements.map_plan import one_element, side_by_side
from uol.backends.simt.elements.vectors import VECTOR
from uol.backends.simt.elements.wide_axes import elements_side_by_side, prepared
from uol.backends.simt.kernel.templates import template
from uol.codegen.backend import Footprint, Kernel, Launch, Module
from uol.codegen.specs.graph import KernelGraph
from uol.codegen.specs.nodes import Arg, Map, Read
from uol.codegen.specs.traverse import accesses
from uol.ir.program.nodes import Call, Const, Expr, Var
from uol.ir.types import INDEX

THREADS = 256
ROWS, SPAN = "uol_rows", "uol_span"
PLACES, LENGTHS = "uol_places", "uol_lengths"


@dataclass(frozen=True, slots=True)
class ForeachPlan:
    """What `foreach.j2` reads. `pointers` are the tensors of a block's run, `counter` the number of an element of it. `several`
    are the statements of `width` elements side by side, counted by `vector`; none where the width is 1."""

    title: str
    signature: Signature
    threads: int
    lengths: str
    pointers: tuple[str, ...]
    count: str
    counter: str
    body: tuple[str, ...]
    vector: str
    width: int
    several: tuple[str, ...]


def flat_map(module: Module) -> Map | None:
    """The kernel of an operator over one run of `RUN` elements, where that is all of it: a Map along one axis, of which every
    element is computed alike, wherever it stands."""
    if len(module.kernels) != 1 or module.graph.workspaces:
        return None
    spec = module.kernels[0].spec
    if not isinstance(spec, Map) or len(spec.axes) != 1 or not _is_alike_everywhere(spec):
        return None
    return spec if {a.name for a in spec.args} == {a.name for a in module.graph.args} else None


def _is_alike_everywhere(spec: Map) -> bool:
    """Is the number of an element nothing but where it is read and stored? In a run, elements are numbered from 0 on."""
    own = Var(spec.axes[0].name)
    if any(access.offset != own or (isinstance(access, Read) and access.guard) for access in accesses(spec)):
        return False
    return not any(_uses(step.value, own) for step in spec.steps)


def _uses(expr: Expr, own: Var) -> bool:
    """Is the number a part of a value?"""
    if isinstance(expr, Read):
        return False
    return (isinstance(expr, Var) and expr.name == own.name) or any(_uses(child, own) for child in expr.children)


def plan_foreach(whole: Map, graph: KernelGraph) -> ForeachPlan:
    """The operator's kernel with a run a block."""
    width = elements_side_by_side(whole)
    spec = prepared(whole, width)
    tables = (Arg(PLACES, "i64", (), (), "in"), Arg(LENGTHS, "i64", (), (), "in"))
    given = replace(spec, args=(*graph.args, *tables))
    names = legalise(given, [VECTOR]).with_locals(["$count", *(f"${a.name}_base" for a in graph.args)])
    counter = Counter.over(spec.axes, spec.axes[0].name)
    printer = counter.known(Printer(names, Proofs.of(spec), NARROW))  # a run is short: RUN elements
    bases = {a.name: names.variable(f"${a.name}_base") for a in graph.args}
    named = replace(names, tensors={**names.tensors, **bases})
    together = "" if width == 1 else f", {width} elements side by side"
    return ForeachPlan(
        title=f"runs of many tensors, one a block: {THREADS} threads{together}",
        signature=signature(given, foreach_symbol(spec), named, THREADS, Index(NARROW)),
        threads=THREADS,
        lengths=names.tensor(LENGTHS),
        pointers=tuple(_pointer(spec, graph, column, names, bases) for column in range(len(graph.args))),
        count=names.variable("$count"),
        counter=names.variable(counter.name),
        body=tuple(one_element(spec, counter, printer)),
        vector=VECTOR,
        width=width,
        several=tuple(side_by_side(spec, counter, printer, width)) if width > 1 else (),
    )


def _pointer(spec: Map, graph: KernelGraph, column: int, names: Names, bases: Mapping[str, str]) -> str:
    """`const float* __restrict__ x = x_base + places[...];`"""
    arg = graph.args[column]
    const = "" if arg.name in stored_tensors(spec) else "const "
    place = f"{names.tensor(PLACES)}[(long long)blockIdx.x * {len(graph.args)} + {column}]"
    return f"{const}{STORAGE[arg.dtype]}* __restrict__ {names.tensor(arg.name)} = {bases[arg.name]} + {place};"


def foreach_symbol(spec: Map) -> str:
    return kernel_symbol(replace(spec, name=f"{spec.name}_foreach"))


def foreach_kernel(module: Module) -> Kernel | None:
    """The kernel with its launch, a block a run; None where the operator has none such."""
    spec = flat_map(module)
    if spec is None:
        return None
    plan = plan_foreach(spec, module.graph)
    launch = Launch((Var(ROWS), 1, 1), (THREADS, 1, 1))
    footprint = Footprint(grid=launch.grid, threads=THREADS)
    text = template("foreach.j2").render(plan=plan)
    return Kernel(foreach_symbol(spec), text, plan.signature.params, launch, footprint, module.kernels[0].schedule, spec)


def foreach_graph(graph: KernelGraph) -> KernelGraph:
    """The operator's signature with the tables behind its tensors, each of which spans all runs."""
    one, columns = Const(1), Const(len(graph.args))
    spans = tuple(replace(a, shape=(Var(SPAN),), strides=(one,)) for a in graph.args)
    places = Arg(PLACES, "i64", (Call("*", (Var(ROWS), columns), INDEX),), (one,), "in")
    lengths = Arg(LENGTHS, "i64", (Var(ROWS),), (one,), "in")
    return replace(graph, name=f"{graph.name}_foreach", args=(*spans, places, lengths), dims=(SPAN, ROWS))
