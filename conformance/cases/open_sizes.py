"""Cases whose kernels take their dims as arguments: as many of them as the language proves an operator for."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from uol.compilation.pipeline import program_of
from uol.compilation.request import Request
from uol.conformance.cases.recent import Recent
from uol.ir.errors import UolError

Sizes = Literal["fixed", "open"]
"""What kernels are made for: the sizes of a case, or any."""


def opened(request: Request) -> Request:
    """The request with all dims open; where not all accesses are proven for every size, with those for which they are, tried
    in order."""
    names = tuple(request.instance.flat_dims)
    if _is_proven(request, frozenset(names)):
        return _with_open(request, frozenset(names))
    chosen: frozenset[str] = frozenset()
    for name in names:
        if _is_proven(request, chosen | {name}):
            chosen |= {name}
    return _with_open(request, chosen)


_proofs = Recent[bool](1024)


def _is_proven(request: Request, names: frozenset[str]) -> bool:
    asked = _with_open(request, names)

    def prove() -> bool:
        try:
            program_of(asked)
        except UolError:
            return False
        return True

    return _proofs.get(asked.program_key.digest, prove)


def _with_open(request: Request, names: frozenset[str]) -> Request:
    return replace(request, instance=request.instance.opened(names))
