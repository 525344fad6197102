"""From kernel specs to the files of an operator."""

from __future__ import annotations

from uol.codegen.backend import Backend, Device, Module
from uol.codegen.choice import choose
from uol.codegen.specs.nodes import KernelGraph


def compile_graph(graph: KernelGraph, backend: Backend, device: Device) -> Module:
    """Schedule, check, render and assemble every kernel of a graph. Raises ResourceError where a kernel does not fit."""
    kernels = tuple(backend.render(spec, choose(spec, backend, device)) for spec in graph.specs)
    return backend.assemble(graph, kernels, device)
