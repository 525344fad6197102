"""What a random operator is drafted on: its tensors, the indices in reach, and reads of the one at the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random

INTEGERS = ("i32", "i64", "i8", "u8", "i16")


@dataclass(frozen=True)
class Tensor:
    """`kind` is T, acc, an integer type or bool. An exact one may become an integer or an index."""

    name: str
    dims: tuple[str, ...]
    kind: str
    exact: bool


@dataclass
class Scope:
    """Indices in reach: their dim by name. `plain` collects those that have stood alone without an `else`."""

    dims: dict[str, str]
    plain: set[str] = field(default_factory=set)

    def of(self, dim: str) -> list[str]:
        return [i for i, d in self.dims.items() if d == dim]

    @contextmanager
    def binding(self, bound: dict[str, str]) -> Iterator[Scope]:
        """The scope of a reduction's body."""
        inner = Scope({**self.dims, **bound}, self.plain - set(bound))
        yield inner
        self.plain |= inner.plain - set(bound)


@dataclass
class Draft:
    """An operator so far. `sizes` has the dims by name."""

    rng: Random
    sizes: dict[str, int]
    attrs: dict[str, int | float]
    tensors: list[Tensor] = field(default_factory=list)
    inputs: list[Tensor] = field(default_factory=list)
    results: list[Tensor] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    @property
    def dims(self) -> tuple[str, ...]:
        return tuple(self.sizes)

    def size(self, dim: str) -> int:
        return self.sizes[dim] if dim in self.sizes else int(dim)

    def one(self, *choices: str) -> str:
        return self.rng.choice(choices)

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def some_dims(self, low: int, high: int) -> tuple[str, ...]:
        count = min(len(self.dims), self.rng.randint(low, high))
        return tuple(self.rng.sample(self.dims, count))

    def add_input(self, name: str, dims: tuple[str, ...], kind: str) -> Tensor:
        tensor = Tensor(name, dims, kind, exact=True)
        self.inputs.append(tensor)
        self.tensors.append(tensor)
        return tensor

    def helper(self, dim: str) -> Tensor:
        """An input over one dim: it says how far an index runs that stands alone nowhere else."""
        name = f"e_{dim.lower()}"
        known = next((t for t in self.inputs if t.name == name), None)
        return known or self.add_input(name, (dim,), "T")

    def readable(self, scope: Scope, kinds: tuple[str, ...]) -> list[Tensor]:
        exact = kinds == INTEGERS
        return [t for t in self.tensors if t.kind in kinds and (t.exact or not exact)]

    def some_tensor(self, scope: Scope, kinds: tuple[str, ...]) -> Tensor:
        """A tensor of these kinds, rather a late one, rather one whose dims are in reach."""
        found = self.readable(scope, kinds) or self.inputs[:1]
        near = [t for t in found if all(scope.of(d) for d in t.dims)]
        pool = near if near and self.chance(0.8) else found
        return self.rng.choice(pool[-2:] if self.chance(0.5) else pool)

    def read_as_acc(self, tensor: Tensor, scope: Scope) -> str:
        text = self.read(tensor, scope)
        return f"acc({text})" if tensor.kind == "T" else f"({text})" if " else " in text else text

    def read(self, tensor: Tensor, scope: Scope, *, plain: bool = False) -> str:
        """A read, mostly at plain indices, else anywhere with an `else`."""
        items: list[str] = []
        safe = True
        own: set[str] = set()
        for dim in tensor.dims:
            text, inside = self.item(dim, scope, plain=plain)
            items.append(text)
            safe &= inside
            own |= {text} & set(scope.dims)
        if safe:
            scope.plain |= {i for i in own if i in scope.dims}
        fill = {"bool": self.one("true", "false"), "T": self.one("0", "1", "0"), "acc": self.one("0", "2")}
        read = f"{tensor.name}[{', '.join(items)}]"
        return read if safe else f"{read} else {fill.get(tensor.kind, '3')}"

    def item(self, dim: str, scope: Scope, *, plain: bool = False) -> tuple[str, bool]:
        """An index of a dim, and whether it is surely inside."""
        own = scope.of(dim)
        if own and (plain or self.chance(0.78)):
            return self.rng.choice(own), True
        any_index = self.one(*(sorted(scope.dims) or ["0"]))
        match self.rng.randrange(9):
            case 0 if own:
                return f"{dim} - 1 - {own[0]}", True
            case 1 if own:
                return f"{own[0]} / 2", True
            case 2 if own and "gap" in self.attrs:
                return f"{own[0]} + gap", False
            case 3:
                indices = [t for t in self.tensors if t.kind in INTEGERS and t.exact and all(scope.of(d) for d in t.dims)]
                if indices:
                    return self.read(self.rng.choice(indices), scope, plain=True), False
                return f"{any_index} + 1", False
            case 4:
                return f"{any_index}*2 - 1", False
            case 5 if scope.dims:
                other = self.one(*sorted(scope.dims))
                return f"{any_index} + {other} - 1" if other != any_index else f"{any_index} % 3 + 1", False
            case 6:
                return self.one("0", "1", "2"), False
            case 7:
                return f"{any_index} - 1", False
        return f"{any_index} + 1", False

    def some_exact(self) -> Tensor:
        return self.rng.choice([t for t in self.inputs if t.kind == "T"])
