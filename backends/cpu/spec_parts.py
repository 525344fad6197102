"""How the accesses of a spec step along its axes, and what else tells the axes apart."""

from __future__ import annotations

from collections.abc import Iterator

from uol.codegen.indexing.arithmetic import affine
from uol.codegen.specs.nodes import KernelSpec, Store
from uol.codegen.specs.traverse import steps_of, values
from uol.ir.program.nodes import Expr


def coefficient(offset: Expr, axis: str) -> int:
    """The constant stride of an affine offset along an axis."""
    form = affine(offset)
    assert form is not None
    return form.coefficient(axis)


def expressions(spec: KernelSpec) -> Iterator[Expr]:
    """Every value and condition of a spec, and the offsets of stores that are not affine."""
    yield from values(spec)
    yield from (s.offset for s in steps_of(spec) if isinstance(s, Store) and affine(s.offset) is None)
