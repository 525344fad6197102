"""The C interface of one operator: its header, the tables and checks that every launcher starts with, the sizes that the
tensors of a call tell, and the workspace for the buffers between its kernels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from uol.backends.c_text.template_folder import template_of
from uol.codegen.backend import SourceFile
from uol.codegen.indexing.arithmetic import ZERO, add, ceil_div, mul, over_dims, product, static
from uol.codegen.specs.expression_text import expr_text
from uol.codegen.specs.graph import KernelGraph
from uol.codegen.specs.in_place import writes_in_place
from uol.codegen.specs.nodes import Arg
from uol.ir.errors import ResourceError, UolError
from uol.ir.program.nodes import Call, Const, Expr, Var
from uol.ir.types import DTYPES, is_float

HERE = Path(__file__).parent
TEMPLATES = HERE / "templates"
ABI_HEADER = "uol_abi.h"
TORCH_EXTENSION = HERE / "torch_extension.py"
"""What makes an operator of PyTorch of a bundle. It is read, not imported: it needs PyTorch, and nothing of uol."""
ALIGNMENT_BYTES = 512
"""UOL_WORKSPACE_ALIGNMENT of `uol_abi.h`: a multiple of what every target asks of a workspace."""
_INFIX = {"and": "&&", "or": "||", **{op: op for op in ("+", "-", "*", "<", "<=", ">", ">=", "==", "!=")}}
_FUNCTIONS = {"/": "uol_floor_div", "%": "uol_floor_mod", "min": "uol_min", "max": "uol_max"}


@dataclass(frozen=True, slots=True)
class TensorRow:
    """What the launcher expects of one tensor. Sizes and strides as people read them, and in C over `dims`. A result may lie
    where one of `may_be` lies."""

    name: str
    dtype: str
    code: str
    element_bytes: int
    shape: tuple[str, ...]
    strides: tuple[str, ...]
    c_shape: tuple[str, ...]
    c_strides: tuple[str, ...]
    role: str
    may_be: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AttrRow:
    name: str
    kind: str
    code: str


@dataclass(frozen=True, slots=True)
class Condition:
    """What must hold of the sizes of a call."""

    text: str
    c_text: str


@dataclass(frozen=True, slots=True)
class Interface:
    """The C interface of an operator: what its templates read. `dims` are symbolic: sizes that the tensors of a call tell."""

    op: str
    source: tuple[str, ...]
    tensors: tuple[TensorRow, ...]
    attrs: tuple[AttrRow, ...]
    dims: tuple[DimRow, ...]
    conditions: tuple[Condition, ...]
    workspace: str
    c_workspace: str
    alignment_bytes: int


def interface_of(graph: KernelGraph) -> Interface:
    """The interface of an operator: tensors in the order of its text (inputs, then results), then run-time attributes."""
    places = {name: f"dims[{i}]" for i, name in enumerate(graph.dims)}
    _, workspace = symbolic_layout(graph)
    return Interface(
        op=graph.name,
        source=tuple(graph.source.splitlines()),
        tensors=tuple(_tensor(graph, a, places) for a in graph.args),
        attrs=tuple(
            AttrRow(s.name, "a float", "UOL_ATTR_FLOAT") if is_float(s.dtype) else AttrRow(s.name, "an integer", "UOL_ATTR_INT")
            for s in graph.scalars
        ),
        dims=dim_rows(graph),
        conditions=tuple(Condition(expr_text(c), c_text(c, places)) for c in conditions(graph)),
        workspace=expr_text(workspace),
        c_workspace=c_text(workspace, places),
        alignment_bytes=graph.alignment_bytes,
    )


def abi_header() -> SourceFile:
    """`uol_abi.h` as it goes into a bundle."""
    return SourceFile(ABI_HEADER, (HERE / ABI_HEADER).read_text())


def op_header(graph: KernelGraph) -> SourceFile:
    """`uol_<op>.h`: the three functions of an operator, for callers in C and C++."""
    return SourceFile(f"uol_{graph.name}.h", template_of(TEMPLATES, "op_header.h.j2").render(interface=interface_of(graph)))


REFUSED = '"the device refused the launch"'


def call_checks(graph: KernelGraph, why: str = REFUSED) -> str:
    """The part of a launcher that is the same on every target: expected shapes, `check_call`, the workspace and message
    functions. `why` is an expression in C: what is said of the last launch that failed."""
    return template_of(TEMPLATES, "call_checks.j2").render(interface=interface_of(graph), why=why)


def _tensor(graph: KernelGraph, arg: Arg, places: Mapping[str, str]) -> TensorRow:
    return TensorRow(
        name=arg.name,
        dtype=arg.dtype,
        code=f"UOL_{arg.dtype.upper()}",
        element_bytes=DTYPES[arg.dtype].bytes,
        shape=tuple(map(expr_text, arg.shape)),
        strides=tuple(map(expr_text, arg.strides)),
        c_shape=tuple(c_text(d, places) for d in arg.shape),
        c_strides=tuple(c_text(s, places) for s in arg.strides),
        role="in" if arg.role == "in" else "out",
        may_be=tuple(a.name for a in graph.args if arg.role == "out" and _may_be(graph, arg, a)),
    )


def _may_be(graph: KernelGraph, result: Arg, tensor: Arg) -> bool:
    """May the result's memory be the input's?"""
    alike = (tensor.dtype, tensor.shape, tensor.strides) == (result.dtype, result.shape, result.strides)
    return tensor.role == "in" and alike and writes_in_place(graph, tensor.name, result.name)


@dataclass(frozen=True, slots=True)
class DimRow:
    """A symbolic dim: the size of tensor number `tensor` (called `name_of_tensor`) along `axis`."""

    name: str
    tensor: int
    axis: int
    name_of_tensor: str


def dim_rows(graph: KernelGraph) -> tuple[DimRow, ...]:
    """Where each of the graph's dims is read off, in order. Those that are no tensor's size by themselves are left out."""
    places: dict[str, DimRow] = {}
    for number, arg in enumerate(graph.args):
        for axis, extent in enumerate(arg.shape):
            if isinstance(extent, Var):
                places.setdefault(extent.name, DimRow(extent.name, number, axis, arg.name))
    return tuple(places[name] for name in graph.dims if name in places)


def untold_dims(graph: KernelGraph) -> tuple[str, ...]:
    """The dims that a caller in C cannot tell by the shapes of tensors."""
    told = {row.name for row in dim_rows(graph)}
    return tuple(name for name in graph.dims if name not in told)


def conditions(graph: KernelGraph) -> tuple[Expr, ...]:
    """What must hold of the sizes of a call, beyond that none is negative: the `where` clause and what the proofs left over."""
    natural = {Call(">=", (Var(name), Const(0)), "bool") for name in graph.dims}
    return tuple(c for c in over_dims((*graph.facts, *graph.checks), graph.dims) if c not in natural)


def c_text(expr: Expr, dims: Mapping[str, str]) -> str:
    """An expression over dims in C, in parentheses where it has parts; `/` and `%` floor, and by 0 give 0.

    >>> c_text(Call("/", (Var("N"), Const(2)), "idx"), {"N": "dims[0]"})
    'uol_floor_div(dims[0], 2)'
    """
    match expr:
        case Const(value=value):
            return str(int(value))
        case Var(name=name):
            return dims[name]
        case Call(fn="neg" | "not" as fn, args=(arg,)):
            return f"({'-' if fn == 'neg' else '!'}{c_text(arg, dims)})"
        case Call(fn=fn, args=(left, right)) if fn in _INFIX:
            return f"({c_text(left, dims)} {_INFIX[fn]} {c_text(right, dims)})"
        case Call(fn=fn, args=(left, right)) if fn in _FUNCTIONS:
            return f"{_FUNCTIONS[fn]}({c_text(left, dims)}, {c_text(right, dims)})"
    raise UolError(f"{expr_text(expr)} is no expression over sizes")


@dataclass(frozen=True, slots=True)
class WorkspaceLayout:
    """Where each buffer starts in the workspace, in bytes, and how large the whole is."""

    bytes: int = 0
    offsets: Mapping[str, int] = field(default_factory=dict)


def workspace_layout(graph: KernelGraph) -> WorkspaceLayout:
    """The buffers between kernels one after another, each aligned as the graph says. Raises ResourceError where a size is
    symbolic."""
    for arg in graph.workspaces:
        for extent in arg.shape:
            static_extent(extent)
    offsets, total = symbolic_layout(graph)
    return WorkspaceLayout(static_extent(total), {name: static_extent(offset) for name, offset in offsets.items()})


def symbolic_layout(graph: KernelGraph) -> tuple[Mapping[str, Expr], Expr]:
    """The same over symbolic dims: where each buffer starts, and how large the whole is, as expressions."""
    total: Expr = ZERO
    offsets: dict[str, Expr] = {}
    for arg in graph.workspaces:
        offsets[arg.name] = total
        size_bytes = mul(product(arg.shape), Const(DTYPES[arg.dtype].bytes))
        blocks = ceil_div(size_bytes, graph.alignment_bytes)
        total = add(total, mul(blocks, Const(graph.alignment_bytes)))
    return offsets, total


def static_extent(expr: Expr) -> int:
    """The value of an extent or a stride. Raises ResourceError where it is symbolic."""
    value = static(expr)
    if value is None:
        what = f" (here {expr.name})" if isinstance(expr, Var) else ""
        raise ResourceError(f"a launch needs every dim as a number{what}", hint="give the dims: --dims S=4096,C=1024")
    return value
