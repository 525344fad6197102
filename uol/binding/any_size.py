"""Kernels with dims as arguments: what an operator gets, once, in place of a kernel a size."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field, replace

from uol.binding.instance import Instance
from uol.binding.open_instance import opened
from uol.codegen.indexing.dim_values import over_dims, value_at
from uol.compilation.compile_key import Request
from uol.compilation.pipeline import module_of
from uol.compilation.recompile import are_few
from uol.compiler import Compiled
from uol.ir.errors import UolError

Key = tuple[frozenset[str], Hashable]
"""The dims that are arguments, and everything but their sizes."""


@dataclass(slots=True)
class KernelsOfAnySize:
    """Those of one operator; None where there can be none."""

    known: dict[Key, Compiled | None] = field(default_factory=dict)

    def fitting(self, request: Request) -> Compiled | None:
        """The oldest of those that are there already that serves these sizes: the same one for the same call."""
        dims = request.instance.flat_dims
        for varying in dict.fromkeys(varying for varying, _ in tuple(self.known)):
            if not varying <= dims.keys() or are_few(dims, varying):
                continue
            found = self.known.get(_key(request, varying))
            if found is not None and _holds(found, request):
                return found
        return None

    def find(self, request: Request, varying: frozenset[str]) -> Compiled | None:
        """The kernel with the dims `varying` as arguments, made if need be. None where not all is proven for all sizes, a
        kernel needs to know one, or something holds of these sizes alone."""
        key = _key(request, varying)
        if key not in self.known:
            self.known[key] = _compiled(request, varying)
        found = self.known[key]
        return found if found is not None and _holds(found, request) else None


def takes_any_size(request: Request) -> bool:
    """May dims be arguments at all? Not on every target, nor where tensors lie in another way than row-major: strides would be
    arguments, too."""
    return request.target.backend.capability.symbolic_dims and not request.layouts


def _key(request: Request, varying: frozenset[str]) -> Key:
    instance = request.instance
    dims = {name: size for name, size in instance.flat_dims.items() if name not in varying}
    parts = (instance.types, instance.ranks, dims, request.compile_time_attributes)
    return varying, (request.target.name, *(tuple(sorted(part.items())) for part in parts))


def _holds(kernel: Compiled, request: Request) -> bool:
    """Do the conditions under which the accesses of a kernel are proven hold of these sizes?"""
    graph = kernel.module.graph
    return all(value_at(check, request.instance.flat_dims) for check in over_dims(graph.checks, graph.dims))


def _compiled(request: Request, varying: frozenset[str]) -> Compiled | None:
    assert isinstance(request.instance, Instance)
    open_request = replace(request, instance=opened(request.instance, varying))
    try:
        return Compiled(open_request, module_of(open_request))
    except UolError:
        return None
