"""Does a spec keep what it promises? A pass that breaks a promise is found where it did, not in a kernel's text.

With `UOL_VERIFY=1` in the environment, every pass on specs and graphs is followed by a check; the tests set it.

    @verified
    def as_reduce(contract: Contract) -> Reduce: ...
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from functools import wraps
from typing import ParamSpec, TypeVar

from uol.codegen.specs.graph import KernelGraph
from uol.codegen.specs.nodes import KernelSpec, Read, Store
from uol.codegen.specs.printer import arg_lines, graph_text, spec_lines
from uol.codegen.specs.promises import broken
from uol.codegen.specs.traverse import accesses, searched

P = ParamSpec("P")
R = TypeVar("R")

REMEMBERED = 512
_kept: dict[int, KernelSpec] = {}
"""Specs that keep their promises, by id: a spec goes through many passes that leave it as it is. Not by value, for 1 == 1.0."""


class BrokenSpec(AssertionError):
    """A defect of the compiler: a spec that does not keep a promise. `promise` is what is broken, in words."""

    def __init__(self, text: str, promise: str) -> None:
        super().__init__(f"{promise}\n\n{text}")
        self.promise = promise


def verify(spec: KernelSpec) -> None:
    """Raises BrokenSpec with the first promise that the spec does not keep, and the spec's text.

    >>> from uol.codegen.specs.nodes import Map
    >>> from uol.ir.program.nodes import Axis, Const, Scalar
    >>> try:
    ...     verify(Map("copy", (), (Scalar("n", "f32"),), (), (), "", (Axis("n", Const(4)),), ()))
    ... except BrokenSpec as error:
    ...     print(error.promise)
    n stands for two things
    """
    if _kept.get(id(spec)) is spec:
        return
    for promise in broken(spec):
        raise BrokenSpec("\n".join([*spec_lines(spec), *arg_lines(spec.args)]), promise)
    if len(_kept) >= REMEMBERED:
        _kept.clear()
    _kept[id(spec)] = spec


def verify_graph(graph: KernelGraph) -> None:
    """The same for the kernels of a graph, and for what passes between them."""
    for spec in graph.specs:
        verify(spec)
    for promise in _broken_between(graph):
        raise BrokenSpec(graph_text(graph), promise)


def is_on() -> bool:
    """Are passes followed by a check?"""
    return os.environ.get("UOL_VERIFY", "0") not in ("", "0")


def verified(pass_: Callable[P, R]) -> Callable[P, R]:
    """The pass, with its specs or its graph checked where checks are on."""

    @wraps(pass_)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        made = pass_(*args, **kwargs)
        if is_on():
            _verify_all(made)
        return made

    return checked


def _verify_all(made: object) -> None:
    match made:
        case KernelGraph():
            verify_graph(made)
        case KernelSpec():
            verify(made)
        case tuple():
            for part in made:
                _verify_all(part)


def _broken_between(graph: KernelGraph) -> Iterator[str]:
    """Buffers and kernels have names of their own; what is read was stored before; every result is stored."""
    buffers = {arg.name: arg for arg in (*graph.args, *graph.workspaces)}
    named = Counter([*(a.name for a in (*graph.args, *graph.workspaces))])
    yield from (f"two buffers are called {name}" for name, count in named.items() if count > 1)
    kernels = Counter(spec.name for spec in graph.specs)
    yield from (f"two kernels are called {name}" for name, count in kernels.items() if count > 1)
    stored = {arg.name for arg in graph.args if arg.role == "in"}
    for spec in graph.specs:
        for arg in spec.args:
            if buffers.get(arg.name) != arg:
                yield f"{arg.name} of {spec.name} is not that of the graph"
        found = list(accesses(spec))
        looked_in = (search.tensor for search in searched(spec))
        for tensor in dict.fromkeys((*(access.tensor for access in found if isinstance(access, Read)), *looked_in)):
            if tensor not in stored:
                yield f"{spec.name} reads {tensor}, which no kernel before it stores"
        stored |= {access.tensor for access in found if isinstance(access, Store)}
    yield from (f"nothing stores the result {arg.name}" for arg in graph.args if arg.role == "out" and arg.name not in stored)
