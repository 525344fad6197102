"""The last axes of a spec as one, where accesses of 16 bytes go over the end of the last: of 16-bit elements, rows of 28 are no
multiples of 16 bytes, pictures of 28 x 28 are."""

from __future__ import annotations

from functools import lru_cache
from typing import TypeVar, cast

from uol.backends.simt.elements.vectors import width_along
from uol.codegen.specs.collapse_axes import are_joinable, joined
from uol.codegen.specs.drop_unit_axes import without_unit_axes
from uol.codegen.specs.nodes import KernelSpec, Map, Pack, Reduce
from uol.codegen.specs.steps import stored_directly
from uol.codegen.specs.traverse import with_steps
from uol.ir.program.nodes import Axis

Spread = Map | Pack | Reduce
Prepared = TypeVar("Prepared", bound=KernelSpec)
KEPT = 256
"""Every schedule of a spec asks, and the kernel."""


@lru_cache(KEPT)
def with_wide_axis(spec: Spread) -> Spread:
    """The spec without axes of extent 1, and with its last axes as one, where a thread may have more elements along that."""
    plain = without_unit_axes(spec)
    wide = with_last_axes_joined(plain)
    return wide if wide is not plain and _width(wide) > _width(plain) else plain


def prepared(spec: Prepared, each: int = 1) -> Prepared:
    """The spec as a kernel is written from it: with the axes that `each` elements of a thread go by; values
    that are only stored have no names."""
    found = with_wide_axis(spec) if each > 1 and isinstance(spec, Spread) else without_unit_axes(spec)
    return cast(Prepared, with_steps(found, stored_directly))


def with_last_axes_joined(spec: Spread) -> Spread:
    """The spec with as many of its last axes as one as every access steps over so."""
    while len(axes := last_axes(spec)) > 1 and are_joinable(spec, axes[-2], axes[-1]):
        spec = joined(spec, axes[-2], axes[-1])
    return spec


def elements_side_by_side(spec: Spread) -> int:
    """Elements, or columns, that one access may have."""
    return _width(with_wide_axis(spec))


def last_axes(spec: Spread) -> tuple[Axis, ...]:
    """The axes along the last of which a thread may have several elements."""
    return spec.cols if isinstance(spec, Reduce) else spec.axes


def _width(spec: Spread) -> int:
    axes = last_axes(spec)
    return width_along(spec, axes[-1], near=not isinstance(spec, Reduce)) if axes else 1
