"""C text for the interface of one operator: its header, and the tables and checks that every launcher starts with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from uol.backends.abi.sizes import DimRow, c_text, conditions, dim_rows
from uol.backends.abi.workspace import symbolic_layout
from uol.backends.c_text.template_folder import template_of
from uol.codegen.backend import SourceFile
from uol.codegen.specs.expression_text import expr_text
from uol.codegen.specs.nodes import Arg, KernelGraph
from uol.ir.types import DTYPES, is_float

HERE = Path(__file__).parent
TEMPLATES = HERE / "templates"
ABI_HEADER = "uol_abi.h"


@dataclass(frozen=True, slots=True)
class TensorRow:
    """What the launcher expects of one tensor. Sizes and strides as people read them, and in C over `dims`."""

    name: str
    dtype: str
    code: str
    element_bytes: int
    shape: tuple[str, ...]
    strides: tuple[str, ...]
    c_shape: tuple[str, ...]
    c_strides: tuple[str, ...]
    role: str


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


def interface_of(graph: KernelGraph) -> Interface:
    """The interface of an operator: tensors in the order of its text (inputs, then results), then run-time attributes."""
    places = {name: f"dims[{i}]" for i, name in enumerate(graph.dims)}
    _, workspace = symbolic_layout(graph.workspaces)
    return Interface(
        op=graph.name,
        source=tuple(graph.source.splitlines()),
        tensors=tuple(_tensor(a, places) for a in graph.args),
        attrs=tuple(
            AttrRow(s.name, "a float", "UOL_ATTR_FLOAT") if is_float(s.dtype) else AttrRow(s.name, "an integer", "UOL_ATTR_INT")
            for s in graph.scalars
        ),
        dims=dim_rows(graph),
        conditions=tuple(Condition(expr_text(c), c_text(c, places)) for c in conditions(graph)),
        workspace=expr_text(workspace),
        c_workspace=c_text(workspace, places),
    )


def abi_header() -> SourceFile:
    """`uol_abi.h` as it goes into a bundle."""
    return SourceFile(ABI_HEADER, (HERE / ABI_HEADER).read_text())


def op_header(graph: KernelGraph) -> SourceFile:
    """`uol_<op>.h`: the three functions of an operator, for callers in C and C++."""
    return SourceFile(f"uol_{graph.name}.h", template_of(TEMPLATES, "op_header.h.j2").render(interface=interface_of(graph)))


def call_checks(graph: KernelGraph) -> str:
    """The part of a launcher that is the same on every target: expected shapes, `check_call`,
    the workspace and message functions."""
    return template_of(TEMPLATES, "call_checks.j2").render(interface=interface_of(graph))


def _tensor(arg: Arg, places: Mapping[str, str]) -> TensorRow:
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
    )
