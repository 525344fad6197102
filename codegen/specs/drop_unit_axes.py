"""Specs without axes of extent 1: such an axis is 0 wherever it occurs, and needs no variable in a kernel."""

from __future__ import annotations

from typing import TypeVar

from uol.codegen.indexing.arithmetic import ONE, ZERO, substituted
from uol.codegen.specs.nodes import KernelSpec
from uol.codegen.specs.traverse import axis_groups, mapped
from uol.codegen.specs.verify import verified

S = TypeVar("S", bound=KernelSpec)


@verified
def without_unit_axes(spec: S, kept: frozenset[str] = frozenset()) -> S:
    """The same kernel with every axis of extent 1 replaced by 0; an axis with a part of its own stays (the depth of a
    product, the width of a sum: they say which steps are over it), and so do those of the names `kept`."""
    unit = frozenset(a.name for group in axis_groups(spec).values() for a in group if a.extent == ONE) - kept
    if not unit:
        return spec
    zeros = dict.fromkeys(unit, ZERO)
    return mapped(
        spec,
        expr=lambda expr: substituted(expr, zeros),
        axes=lambda axes: tuple(a for a in axes if a.name not in unit),
        name=lambda name: None if name in unit else name,
    )
