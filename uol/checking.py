"""Checked mode of calls: `with uol.checked():`, or `UOL_CHECKED=1` for a whole process.

Before a kernel runs, the operator is evaluated by the interpreter, which raises DataError for values that break a rule:
integers divided by zero, targets of scatters outside, promises of `where sorted(i)` that are not kept, and indices outside
of what PyTorch would not read either (`uol.ops.indices`). It is slow, and meant for finding a mistake; operators that no value
can break run as ever. It holds for all threads of the process.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uol.backends.loading.loaded import as_loaded
from uol.codegen.loaded import Loaded
from uol.codegen.specs.graph import KernelGraph
from uol.compilation.pipeline import program_of
from uol.compilation.request import Request
from uol.ir.errors import ShapeError
from uol.ir.program.dtype_encoding import decode
from uol.ir.program.nodes import Program
from uol.ops.indices import require_inside

Observer = Callable[[Any, Sequence[Any], Sequence[Any]], None]
"""What is told of each call of a kernel: the prepared call, its inputs as they were, and its results."""


@dataclass(slots=True)
class Mode:
    """Who looks at the values of calls. `depth`: how many `with` blocks do, and the environment; `checks`: how many of them ask
    for checks of inputs; `observers`: what the others are (`uol.enabled(check=True)`)."""

    depth: int
    checks: int
    observers: list[Observer] = field(default_factory=list)

    @contextmanager
    def observed(self, observer: Observer) -> Iterator[None]:
        """Within it, the observer is told of each call of an operator on tensors, in any thread."""
        self.observers.append(observer)
        self.depth += 1
        try:
            yield
        finally:
            self.depth -= 1
            self.observers.remove(observer)


_FROM_START = int(os.environ.get("UOL_CHECKED", "") not in ("", "0"))
MODE = Mode(_FROM_START, _FROM_START)


@contextmanager
def checked() -> Iterator[None]:
    """Within it, calls of operators on the CPU are checked.

    >>> import torch, uol
    >>> with uol.checked():
    ...     uol.ops.text.scatter_add(torch.ones(2, 3), torch.tensor([0, 4]), places=4)
    Traceback (most recent call last):
    uol.ir.errors.DataError: ...: the target `a[at[n], d]` lies outside at n = 1, d = 0, being 4, 0
    ...
    """
    MODE.depth += 1
    MODE.checks += 1
    try:
        yield
    finally:
        MODE.checks -= 1
        MODE.depth -= 1


def with_checks(kernel: Loaded, request: Request, graph: KernelGraph) -> Loaded:
    """The kernel, whose values are checked first wherever checked mode is on."""
    checks = Checks(request, graph)

    def call(*values: Any, **launch: Any) -> None:  # `stream=` and `workspace=`: no check is about them
        if MODE.depth:
            checks.require(values)
        kernel(*values, **launch)

    return as_loaded(call, kernel.workspace_bytes)


@dataclass(slots=True)
class Checks:
    """The checks of one compiled operator; its program is made when it is first needed."""

    request: Request
    graph: KernelGraph
    program: Program | None = None

    def require(self, values: Sequence[Any]) -> None:
        """`values`: inputs, results, run-time attributes, symbolic dims, in order. Raises DataError where they
        break a rule, in checked mode."""
        if not MODE.checks:
            return
        if self.program is None:
            self.program = program_of(self.request)
        from uol.ir.program.checked_mode import needs_checks
        from uol.ir.program.interpreter import interpret

        if not needs_checks(self.program):
            return
        inputs = [a for a in self.graph.args if a.role == "in"]
        arrays = {a.name: _values(v, a.dtype) for a, v in zip(inputs, values, strict=False)}
        numbers = (*(s.name for s in self.graph.scalars), *self.graph.dims)
        scalars = dict(zip(numbers, values[len(self.graph.args) :], strict=True))
        require_inside(self.program.name, arrays)
        interpret(self.program, arrays, scalars, checked=True)


def _values(tensor: Any, dtype: str) -> NDArray[Any]:
    """What a PyTorch tensor, of any device, or a numpy array holds, as float64, int64 or bool."""
    if isinstance(tensor, np.ndarray):
        return decode(tensor, dtype)
    if not hasattr(tensor, "detach"):
        hint = "pass tensors or arrays, or leave checked mode"
        raise ShapeError(f"checked mode reads values, which {type(tensor).__name__!r} does not show", hint=hint)
    plain = tensor.detach().cpu()
    return np.asarray((plain.double() if plain.is_floating_point() else plain).numpy())
