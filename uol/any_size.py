"""Kernels with dims as arguments: what an operator gets, once, in place of a kernel a size."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field, replace

from uol.codegen.dim_values import over_dims, value_at
from uol.compiler import Compiled
from uol.ir.errors import UolError
from uol.open_instance import OpenInstance, opened
from uol.pipeline import module_of
from uol.request import Request


@dataclass(slots=True)
class KernelsOfAnySize:
    """Those of one operator, by everything but the sizes that are arguments; None where there can be none."""

    known: dict[Hashable, Compiled | None] = field(default_factory=dict)

    def find(self, request: Request, varying: frozenset[str]) -> Compiled | None:
        """The kernel with the dims `varying` as arguments. None where the target has no such kernels, tensors lie in another
        way than row-major (strides would be arguments, too), or something holds of these sizes alone."""
        instance = request.instance
        if isinstance(instance, OpenInstance) or not varying or request.layouts:
            return None
        if not request.target.backend.capability.symbolic_dims:
            return None
        open_request = replace(request, instance=opened(instance, varying))
        fixed = (instance.types, instance.ranks, open_request.dims, instance.attrs)
        key = (request.target.name, varying, *(tuple(sorted(part.items())) for part in fixed))
        if key not in self.known:
            self.known[key] = _compiled(open_request)
        found = self.known[key]
        if found is None:
            return None
        graph = found.module.graph
        return found if all(value_at(c, instance.flat_dims) for c in over_dims(graph.checks, graph.dims)) else None


def _compiled(request: Request) -> Compiled | None:
    try:
        return Compiled(request, module_of(request))
    except UolError:  # not every access is proven for all sizes, or a kernel needs to know one
        return None
