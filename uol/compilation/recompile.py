"""Which sizes an operator is compiled for one by one, and which by a kernel that takes them as arguments.

A dim is a number in kernels at first, and becomes an argument with its second size: from then on
one module serves every size of it. That costs little (`python -m uol.conformance.any_size`, and `any_size_counts` for machines
with threads), but for a dim of a few, where other loops are best: each of those sizes has a kernel of its own. The dims of a
module's parameters stay numbers, too: another size of them is another layer, which is called again and again. Where a dim
cannot be an argument, all sizes have, and a warning says so once.
"""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from uol.codegen.indexing.arithmetic import over_dims, value_at
from uol.compilation.pipeline import module_of
from uol.compilation.request import Request
from uol.compiler import Compiled
from uol.ir.errors import UolError

TOGETHER = 2
"""Dims that may change together, as height and width do. What differs in more is another layer."""

FEW = 8
"""Less is few: rows fewer than a register tile has, columns fewer than a vector."""

STORM = 8
"""Kernels for one size after another before it is a storm."""

REMEMBERED = 512
"""Kernels of fixed sizes, the latest ones, that a new size is compared with."""

Key = tuple[frozenset[str], Hashable]
"""The dims that are arguments, and everything but their sizes."""


class RecompileWarning(UserWarning):
    """An operator was compiled for one size after another."""


def are_few(dims: Mapping[str, int], names: Iterable[str]) -> bool:
    """Is one of these dims small?"""
    return any(dims[name] < FEW for name in names)


@dataclass(slots=True)
class RecompileWatch:
    """What kernels of fixed sizes of one operator were made for: everything but the dims, and the dims."""

    op: str
    made: deque[tuple[Hashable, dict[str, int]]] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    warned: bool = False

    def has(self, dims: Mapping[str, int], all_else: Hashable = None) -> bool:
        """Have these dims their own kernel?"""
        return (all_else, dims) in tuple(self.made)  # another thread may append

    def varying(self, dims: Mapping[str, int], all_else: Hashable = None) -> frozenset[str]:
        """The dims that have another size now, not a small one, all else alike: as few of them as may be; none where more is
        different."""
        changed = [names for names in self._changed(dims, all_else) if not are_few(dims, names)]
        return min(changed, key=len, default=frozenset())

    def note(self, dims: Mapping[str, int], all_else: Hashable = None) -> None:
        """A kernel is made for these dims."""
        if self.has(dims, all_else):
            return
        changed = self._changed(dims, all_else)
        self.made.append((all_else, dict(dims)))
        for names in changed:
            if not self.warned and changed.count(names) >= STORM:
                self.warned = True
                self._warn(sorted(names), all_else)

    def _changed(self, dims: Mapping[str, int], all_else: Hashable) -> list[frozenset[str]]:
        """In which dims these differ from those that kernels were made for, where that is in few."""
        others = [other for other in self._alike(all_else) if other.keys() == dims.keys()]
        changed = [frozenset(name for name in dims if dims[name] != other[name]) for other in others]
        return [names for names in changed if len(names) <= TOGETHER]

    def _alike(self, all_else: Hashable) -> list[dict[str, int]]:
        """The dims of the kernels that everything else is alike of; of another rank they have other names."""
        return [dims for else_, dims in tuple(self.made) if else_ == all_else]

    def _warn(self, names: list[str], all_else: Hashable) -> None:
        sizes = [[dims[name] for name in names] for dims in self._alike(all_else) if dims.keys() >= set(names)]
        last = ", ".join("x".join(map(str, each)) for each in sizes[-4:])
        warnings.warn(
            f"uol.ops.{self.op} was compiled for {STORM + 1} sizes of {' x '.join(names)} (the last ones {last}), all else "
            "alike. Kernels are made for fixed sizes here: pad to a few of them",
            RecompileWarning,
            stacklevel=5,
        )


@dataclass(slots=True)
class KernelsOfAnySize:
    """Those of one operator; None where there can be none."""

    known: dict[Key, Compiled | None] = field(default_factory=dict)

    def fitting(self, request: Request, layer: frozenset[str] = frozenset()) -> Compiled | None:
        """The oldest of those that are there already that serves these sizes, with the dims of a layer as numbers: the same one
        for the same call."""
        dims = request.instance.flat_dims
        for varying in dict.fromkeys(varying for varying, _ in tuple(self.known)):
            if not varying <= dims.keys() or varying & layer or are_few(dims, varying):
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
    open_request = replace(request, instance=request.instance.opened(varying))
    try:
        return Compiled(open_request, module_of(open_request))
    except UolError:
        return None
