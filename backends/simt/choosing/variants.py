"""Kernels of one spec for parts of the sizes that its dims may have: what depends on sizes is chosen at the launch, and a size
has one kernel. A kind of schedule says which parts pay, in `parts.py` of its room."""

from __future__ import annotations

from dataclasses import replace

from uol.backends.simt.choosing.kinds import first_that_says
from uol.backends.simt.machine.target import Machine
from uol.codegen.specs.drop_unit_axes import without_unit_axes
from uol.codegen.specs.nodes import KernelSpec


def variants(spec: KernelSpec, machine: Machine) -> tuple[KernelSpec, ...]:
    """The spec for each part of the sizes, the last for what is left; itself where none is open."""
    parts_of = first_that_says(spec, lambda kind: kind.parts)
    parts = () if parts_of is None else tuple(parts_of(without_unit_axes(spec), machine))
    named = ((part, "_".join(filter(None, (spec.name, part.name)))) for part in parts)
    return tuple(replace(spec, name=name, where=tuple(dict.fromkeys((*spec.where, *p.where)))) for p, name in named) or (spec,)
