"""An operator with everything bound that its kernels are made for: types, dims, attributes.

    Instance(conv2d, types={"T": "f16"}, dims={"N": 1, "C": 64, ...}, packs={}, attrs={"stride": 2, ...})
    Instance(softmax, types={"T": "f16"}, dims={"C": 1024}, packs={"S": None}, attrs={})

It is what the face knows about a call before any code is generated: shapes of the results, whether the `where` clause
holds, and the key under which the kernel is cached. A dim may be open: an argument of the kernels, which the arrays of a
call tell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

from uol.binding.memory import require_addressable
from uol.ir.errors import ShapeError
from uol.ir.syntax.dim_arithmetic import Value, names_of, value_of
from uol.ir.syntax.printer import print_expr
from uol.ir.syntax.surface import Binary, Expr, Node, Op, Pack, Param, conjuncts, operands
from uol.ir.types import resolved

OpenSize = int | None
"""None is a size that is open."""


@dataclass(frozen=True, slots=True)
class Instance:
    """types: type variable -> dtype; dims: name -> size; packs: name -> sizes; attrs: every attribute, defaults filled.

    None is what is open. A pack that is None has any number of dims. Kernels see them as one: of a row-major tensor, rows are
    rows, however many dims count them, and no operator can tell (an index over a pack stands for the whole pack).
    """

    op: Op
    types: Mapping[str, str]
    dims: Mapping[str, OpenSize]
    packs: Mapping[str, tuple[OpenSize, ...] | None]
    attrs: Mapping[str, int | float]

    @property
    def ranks(self) -> dict[str, int]:
        """The dims of each pack, as kernels see it."""
        return {name: 1 if sizes is None else len(sizes) for name, sizes in self.packs.items()}

    @property
    def flat_dims(self) -> dict[str, int]:
        """The sizes that are known, by the names of the typed program: a pack *S of rank 2 is S_0 and S_1, of rank 1 is S."""
        return {name: size for name, size in self._flat().items() if size is not None}

    @property
    def open_dims(self) -> tuple[str, ...]:
        """The names of the others."""
        return tuple(name for name, size in self._flat().items() if size is None)

    def names(self, param: Param) -> frozenset[str]:
        """The dims that the sizes of a tensor are made from, by the names of the typed program."""
        found: set[str] = set()
        for dim in param.dims:
            found |= set(_flat_names(dim.id, self.packs[dim.id]) if isinstance(dim, Pack) else names_of(dim))
        return frozenset(found)

    def dtype(self, param: Param) -> str:
        return resolved(param.type, self.types)

    def shape(self, param: Param) -> tuple[int, ...]:
        """The sizes of a tensor. Raises ShapeError where one is negative, or open."""
        known = self._known_packs()
        sizes: list[int] = []
        for dim in param.dims:
            if isinstance(dim, Pack):
                if dim.id not in known:
                    raise ShapeError(f"{self.op.name}: the sizes of *{dim.id} are open", hint=f"give them: {dim.id}=8x128")
                sizes += known[dim.id]
                continue
            size = self.value(dim)
            if size < 0:
                raise ShapeError(
                    f"{self.op.name}: {param.name} would have size {size} along {print_expr(dim)}, with {self.describe(dim)}",
                    span=dim.span,
                    text=self.op.source,
                )
            sizes.append(size)  # type: ignore[arg-type]  # a whole number, symbolic in PyTorch's traces
        return tuple(sizes)

    def value(self, expr: Expr) -> Value:
        """The value of a dim or a clause. Raises ShapeError where it depends on what is open."""
        return value_of(expr, self._values(), self._known_packs(), self.op.source)

    def require_admitted(self) -> None:
        """Raises ShapeError at the first `where` clause that does not hold, and where a tensor's bytes are more than 64-bit
        offsets reach. Symbolic sizes of PyTorch's traces are left alone."""
        undecided: ShapeError | None = None
        for clause in (part for each in self.op.where for part in conjuncts(each)):
            try:
                holds = self.value(clause)
            except ShapeError as error:  # a divisor of 0, which another clause may exclude and say so
                undecided = undecided or error
                continue
            if not holds:
                raise ShapeError(
                    f"{self.op.name} needs {print_expr(clause)}, but {self.describe(clause)}",
                    span=clause.span,
                    text=self.op.source,
                    hint=_both_sides(self, clause),
                )
        if undecided is not None:
            raise undecided
        for param in (*self.op.params, *self.op.results):
            shape = self.shape(param)
            if all(type(size) is int for size in shape):
                require_addressable(self.op.name, param.name, shape)

    def describe(self, expr: Expr) -> str:
        """`"H = 3, pad = 0, R = 7"`: the names of an expression with their values."""
        values = self._values()
        named = [f"{name} = {values[name]}" for name in names_of(expr) if name in values]
        named += [f"*{name} = {list(sizes)}" for name, sizes in self._known_packs().items() if name in _packs_of(expr)]
        return ", ".join(named) or "it never holds"

    def opened(self, varying: frozenset[str]) -> Instance:
        """With these dims open, by the names of the typed program."""
        packs: dict[str, tuple[OpenSize, ...] | None] = {}
        for name, sizes in self.packs.items():
            names = _flat_names(name, sizes)
            packs[name] = sizes and tuple(None if n in varying else size for n, size in zip(names, sizes, strict=True))
        return replace(self, dims={n: None if n in varying else size for n, size in self.dims.items()}, packs=packs)

    def seen_by_kernels(self, call: Instance) -> Instance:
        """The instance of a call as the kernels of this one see it: a pack that has any number of dims here is one dim."""
        known = call._known_packs()
        return replace(call, packs={n: (prod(sizes),) if self.packs[n] is None else sizes for n, sizes in known.items()})

    def _values(self) -> dict[str, int | float]:
        return {**{name: size for name, size in self.dims.items() if size is not None}, **self.attrs}

    def _known_packs(self) -> dict[str, tuple[int, ...]]:
        return {name: known for name, sizes in self.packs.items() if (known := known_sizes(sizes)) is not None}

    def _flat(self) -> dict[str, OpenSize]:
        flat = dict(self.dims)
        for name, sizes in self.packs.items():
            flat |= dict(zip(_flat_names(name, sizes), (None,) if sizes is None else sizes, strict=True))
        return flat


def known_sizes(sizes: tuple[OpenSize, ...] | None) -> tuple[int, ...] | None:
    """The sizes of a pack; None where one is open."""
    known = [size for size in sizes or () if size is not None]
    return tuple(known) if sizes is not None and len(known) == len(sizes) else None


def shown_sizes(sizes: Sequence[OpenSize]) -> str:
    """`"[_, 64]"`: an open size is `_`, as in `--dims S=_x64`."""
    return f"[{', '.join('_' if size is None else str(size) for size in sizes)}]"


def _packs_of(node: Node) -> frozenset[str]:
    if isinstance(node, Pack):
        return frozenset({node.id})
    return frozenset().union(*(_packs_of(child) for child in operands(node)))


def _flat_names(pack: str, sizes: Sequence[OpenSize] | None) -> list[str]:
    """The names of a pack's dims in the typed program."""
    return [pack] if sizes is None or len(sizes) == 1 else [f"{pack}_{i}" for i in range(len(sizes))]


def _both_sides(instance: Instance, clause: Expr) -> str | None:
    match clause:
        case Binary(op="<" | "<=" | ">" | ">=" | "==", left=left, right=right):
            return f"the left side is {instance.value(left)}, the right side is {instance.value(right)}"
    return None
