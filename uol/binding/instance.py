"""An operator with everything fixed that a kernel is made for: types, dims, attributes.

    Instance(conv2d, types={"T": "f16"}, dims={"N": 1, "C": 64, ...}, packs={}, attrs={"stride": 2, ...})

It is what the face knows about a call before any code is generated: shapes of the results, whether the `where` clause
holds, and the key under which the kernel is cached.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from uol.binding.addresses import require_addressable
from uol.binding.dim_arithmetic import Value, value_of
from uol.ir.errors import ShapeError
from uol.ir.syntax.printer import print_expr
from uol.ir.syntax.surface import Binary, Expr, Name, Node, Op, Pack, Param, operands
from uol.ir.types import resolved


@dataclass(frozen=True, slots=True)
class Instance:
    """types: type variable -> dtype; dims: name -> size; packs: name -> sizes; attrs: every attribute, defaults filled."""

    op: Op
    types: Mapping[str, str]
    dims: Mapping[str, int]
    packs: Mapping[str, tuple[int, ...]]
    attrs: Mapping[str, int | float]

    def dtype(self, param: Param) -> str:
        return resolved(param.type, self.types)

    def shape(self, param: Param) -> tuple[int, ...]:
        """The sizes of a tensor. Raises ShapeError where one is negative."""
        sizes: list[int] = []
        for dim in param.dims:
            if isinstance(dim, Pack):
                sizes += self.packs[dim.id]
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
        return value_of(expr, {**self.dims, **self.attrs}, self.packs, self.op.source)

    def require_where(self) -> None:
        """Raises ShapeError at the first clause that does not hold."""
        for clause in self.op.where:
            if not self.value(clause):
                raise ShapeError(
                    f"{self.op.name} needs {print_expr(clause)}, but {self.describe(clause)}",
                    span=clause.span,
                    text=self.op.source,
                    hint=_both_sides(self, clause),
                )

    def require_addressable(self) -> None:
        """Raises ShapeError where a tensor's bytes are more than 64-bit offsets reach. Symbolic sizes are left alone."""
        for param in (*self.op.params, *self.op.results):
            shape = self.shape(param)
            if all(type(size) is int for size in shape):
                require_addressable(self.op.name, param.name, shape)

    def describe(self, expr: Expr) -> str:
        """`"H = 3, pad = 0, R = 7"`: the names of an expression with their values."""
        values = {**self.dims, **self.attrs}
        named = [f"{name} = {values[name]}" for name in names_of(expr) if name in values]
        named += [f"*{name} = {list(sizes)}" for name, sizes in self.packs.items() if name in packs_of(expr)]
        return ", ".join(named) or "it never holds"

    @property
    def ranks(self) -> dict[str, int]:
        return {name: len(sizes) for name, sizes in self.packs.items()}

    @property
    def flat_dims(self) -> dict[str, int]:
        """Dims by the names of the typed program: a pack *S of rank 2 is S_0 and S_1, of rank 1 plain S."""
        flat = dict(self.dims)
        for name, sizes in self.packs.items():
            flat |= {name: sizes[0]} if len(sizes) == 1 else {f"{name}_{i}": size for i, size in enumerate(sizes)}
        return flat


def names_of(node: Node) -> tuple[str, ...]:
    """The names in an expression, in order, each once."""
    found = (node.id,) if isinstance(node, Name) else tuple(n for child in operands(node) for n in names_of(child))
    return tuple(dict.fromkeys(found))


def packs_of(node: Node) -> frozenset[str]:
    if isinstance(node, Pack):
        return frozenset({node.id})
    return frozenset().union(*(packs_of(child) for child in operands(node)))


def _both_sides(instance: Instance, clause: Expr) -> str | None:
    match clause:
        case Binary(op="<" | "<=" | ">" | ">=" | "==", left=left, right=right):
            return f"the left side is {instance.value(left)}, the right side is {instance.value(right)}"
    return None
