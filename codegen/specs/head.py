"""The head of a spec, for another that is made from it."""

from __future__ import annotations

from typing import TypedDict

from uol.codegen.specs.nodes import Arg, KernelSpec
from uol.ir.program.nodes import Expr, Scalar


class SpecHead(TypedDict):
    """What every kind of spec begins with, by name: `Map(**head, ...)`."""

    name: str
    args: tuple[Arg, ...]
    scalars: tuple[Scalar, ...]
    dims: tuple[str, ...]
    facts: tuple[Expr, ...]
    source: str
    where: tuple[Expr, ...]


def head_of(spec: KernelSpec) -> SpecHead:
    """The head of a spec, for one that is made from it."""
    return SpecHead(
        name=spec.name,
        args=spec.args,
        scalars=spec.scalars,
        dims=spec.dims,
        facts=spec.facts,
        source=spec.source,
        where=spec.where,
    )
