"""Where a result is judged that is too large to be computed here: at some indices of each dim that its elements do not share.

    y[m, n] = sum[k](a[m, k] * b[k, n])    y[ms, ns] needs a[ms, :] and b[:, ns]: the operator itself at fewer rows and columns

A dim can be sampled where every statement that the result is made of reads it at its own index: nothing is reduced, sorted or
looked up along it, and no value depends on it or on its size. The indices are spread evenly, one at random in each part of the
dim, the first and the last always among them, so that no tile of a kernel goes unseen that is as large as a part.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import numpy as np

from uol.codegen.indexing.arithmetic import value_at
from uol.conformance.accuracy.interval import Array
from uol.ir.errors import UolError
from uol.ir.program.nodes import Axis, Call, Const, Expr, Load, Order, Program, Reduce, Stage, Tensor, Var
from uol.ir.program.walk import loads, variables

MOST_RESULTS = 2**14
"""Elements of a result that are judged."""
MOST_INPUTS = 2**24
"""Elements of the inputs that they are made of."""


@dataclass(frozen=True, slots=True)
class Sample:
    """`indices`: those that are taken, by dim; a dim that is not named is taken whole. `sizes`: of all dims as sampled."""

    indices: Mapping[str, Array]
    sizes: Mapping[str, int]

    def of(self, tensor: Tensor, dims: Mapping[str, int]) -> list[Array]:
        """The indices along each dim of a tensor whose sizes are expressions in the dims, of which `dims` has the whole."""
        found = []
        for extent in tensor.shape:
            own = self.indices.get(extent.name) if isinstance(extent, Var) else None
            found.append(np.arange(int(value_at(extent, dims)), dtype=np.int64) if own is None else own)
        return found


def places(indices: list[Array], shape: tuple[int, ...]) -> Array:
    """The row-major places in a tensor of that shape of the elements at these indices, as a tensor of theirs.

    >>> places([np.array([0, 2]), np.array([1])], (3, 5)).tolist()
    [[1], [11]]
    """
    found = np.zeros((1,) * len(shape), np.int64)
    for number, index in enumerate(np.ix_(*indices) if indices else ()):
        found = found + index * prod(shape[number + 1 :])
    return found


def sample_of(program: Program, result: str, dims: Mapping[str, int], seed: int) -> Sample:
    """The sample of a result of a program whose dims are symbols. Raises UolError where it stays too large."""
    free, sizes = sorted(free_dims(program, result)), dict(dims)
    while _is_large(program, result, sizes):
        longest = max(free, key=lambda name: sizes[name], default="")
        if sizes.get(longest, 0) <= 2:
            along = f"along {', '.join(free)} alone" if free else "along no dim of it"
            hint = "give smaller sizes: what is computed here has to fit into memory"
            raise UolError(f"{result} of {program.name} is too large to be judged whole, and can be sampled {along}", hint=hint)
        sizes[longest] = -(-sizes[longest] // 2)
    generator = np.random.Generator(np.random.Philox(seed))
    return Sample({name: _spread(dims[name], sizes[name], generator) for name in free if sizes[name] < dims[name]}, sizes)


def _is_large(program: Program, result: str, sizes: Mapping[str, int]) -> bool:
    def elements(tensor: Tensor) -> int:
        return prod(int(value_at(extent, sizes)) for extent in tensor.shape)

    inputs = sum(map(elements, program.by_role("in")))
    return elements(program.tensors[result]) > MOST_RESULTS or inputs > MOST_INPUTS


def _spread(size: int, count: int, generator: np.random.Generator) -> Array:
    """So many indices below a size, one in each of as many parts, in order; the first and the last always."""
    edges = np.arange(count + 1, dtype=np.int64) * size // count
    found = generator.integers(edges[:-1], edges[1:])
    found[0], found[-1] = 0, size - 1
    return np.asarray(found)


def free_dims(program: Program, result: str) -> frozenset[str]:
    """The dims of a result along which it can be sampled, of a program whose dims are symbols."""
    bound: set[str] = set()
    for fact in program.facts:
        if not (isinstance(fact, Call) and fact.fn in (">=", "<=") and len(variables(fact)) == 1 and 0 in _constants(fact)):
            bound |= variables(fact)
    for name in program.permutations:
        bound.update(*map(variables, program.tensors[name].shape))
    for stage in _made_of(program, result):
        bound |= _Bound(program, stage).dims()
    return frozenset(e.name for e in program.tensors[result].shape if isinstance(e, Var)) - bound


def _constants(expr: Call) -> list[object]:
    return [arg.value for arg in expr.args if isinstance(arg, Const)]


def _made_of(program: Program, result: str) -> list[Stage]:
    """The statements that a result is made of."""
    wanted, found = {result}, []
    for stage in reversed(program.stages):
        if stage.name in wanted:
            found.append(stage)
            wanted |= {load.tensor for load in loads(stage)}
    return found


class _Bound:
    """The dims that a statement ties together."""

    def __init__(self, program: Program, stage: Stage) -> None:
        self.program, self.stage = program, stage
        self.own = {a.name: a.extent.name for a in stage.axes if isinstance(a.extent, Var)}
        self.found: set[str] = set()

    def dims(self) -> set[str]:
        if type(self.stage) is not Stage:
            return set(self.program.dims)
        for axis in self.stage.axes:
            if not isinstance(axis.extent, Var):
                self.found |= variables(axis.extent)
        self._look(self.stage.value)
        return self.found

    def _look(self, expr: Expr) -> None:
        match expr:
            case Order():
                self.found |= set(self.program.dims)
            case Var(name=name):
                self.found.add(self.own.get(name, name))
            case Load():
                self._look_at_load(expr)
            case Reduce(axes=axes):
                self._tie(axes)
                for child in expr.children:
                    self._look(child)
            case _:
                for child in expr.children:
                    self._look(child)

    def _tie(self, axes: tuple[Axis, ...]) -> None:
        for axis in axes:
            self.found |= variables(axis.extent)

    def _look_at_load(self, load: Load) -> None:
        for index, extent in zip(load.index, self.program.tensors[load.tensor].shape, strict=True):
            if isinstance(index, Var) and isinstance(extent, Var) and self.own.get(index.name) == extent.name:
                continue
            self.found |= variables(extent)
            self._look(index)
        for child in (*load.guard, *(() if load.fill is None else (load.fill,))):
            self._look(child)
