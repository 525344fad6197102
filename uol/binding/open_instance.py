"""An operator of which some dims are left open: they are arguments of its kernels, and the arrays of a call tell them.

    OpenInstance(softmax, types={"T": "f16"}, dims={"C": 1024}, packs={"S": None}, attrs={})
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

from uol.binding.dim_arithmetic import value_of
from uol.binding.instance import Instance, names_of
from uol.binding.tensor_binding import bind_tensors
from uol.ir.checker.argument_binding import solve
from uol.ir.errors import ShapeError
from uol.ir.syntax.printer import print_expr
from uol.ir.syntax.surface import Expr, Name, Op, Pack, Param
from uol.ir.types import resolved

OpenSize = int | None
"""None is a size that is open."""


@dataclass(frozen=True, slots=True)
class OpenInstance:
    """As `Instance`, with None for what is open.

    A pack that is None has any number of dims. Kernels see them as one: of a row-major tensor, rows are rows, however many
    dims count them, and no operator can tell (an index over a pack stands for the whole pack).
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
        """The sizes that are known, by the names of the typed program."""
        return {name: size for name, size in self._all_dims().items() if size is not None}

    @property
    def open_dims(self) -> tuple[str, ...]:
        """The names of the others."""
        return tuple(name for name, size in self._all_dims().items() if size is None)

    def require_told(self) -> None:
        """Raises ShapeError for an open dim that no input's shape can tell."""
        known = {*(n for n, size in self.dims.items() if size is not None), *(a.name for a in self.op.attributes)}
        places = [(param, dim) for param in self.op.params for dim in param.dims if not isinstance(dim, Pack)]
        known |= {dim.id for _, dim in places if isinstance(dim, Name)}
        for param, dim in places:
            name = next((n for n in names_of(dim) if n not in known), None)
            if name is None:
                continue
            if names_of(dim) != (name,) or solve(dim, self._extent(dim, name), known) is None:
                raise ShapeError(
                    f"{self.op.name} needs a size for {name}: no input's shape tells it",
                    span=dim.span,
                    text=self.op.source,
                    hint=f"{param.name} has the size {print_expr(dim)} there; give {name}, for example {name}=64",
                )
            known.add(name)

    def sized(self, shapes: Mapping[str, Sequence[int]]) -> Instance:
        """With the sizes of these inputs. Raises ShapeError where two disagree, one is not what kernels were made for, or the
        `where` clause does not hold of them."""
        fixed = {name: size for name, size in self.dims.items() if size is not None}
        params = {p.name: p for p in self.op.params}
        dtypes = {name: resolved(param.type, self.types) for name, param in params.items()}
        instance = bind_tensors(self.op, shapes, dtypes, self.attrs, self.types, fixed)
        for name, param in params.items():
            self._require_packs(instance, param, tuple(shapes[name]))
        return instance

    def seen_by_kernels(self, instance: Instance) -> Instance:
        """What `sized` gave, with a pack of any number of dims as one dim."""
        packs = {name: (prod(sizes),) if self.packs[name] is None else sizes for name, sizes in instance.packs.items()}
        return replace(instance, packs=packs)

    def _require_packs(self, instance: Instance, param: Param, shape: tuple[int, ...]) -> None:
        for pack in (d.id for d in param.dims if isinstance(d, Pack)):
            wanted, found = self.packs[pack], instance.packs[pack]
            if wanted is not None and (
                len(wanted) != len(found) or any(w not in (None, f) for w, f in zip(wanted, found, strict=True))
            ):
                raise ShapeError(
                    f"{self.op.name}: *{pack} is {shown_sizes(found)} in {param.name}, the kernel takes {shown_sizes(wanted)}",
                    hint=f"compile for {pack}={'x'.join(map(str, found))}, or leave {pack} out for any number of dims",
                )
        if instance.shape(param) != shape:
            raise ShapeError(
                f"{self.op.name}: {param.name} has the shape {shape}, beside the others it must have {instance.shape(param)}",
                hint=f"kernels do not broadcast: write np.ascontiguousarray(np.broadcast_to({param.name}, ...))",
            )

    def _extent(self, dim: Expr, name: str) -> int:
        """The size of a dim where its one name is 1."""
        return int(value_of(dim, {name: 1}, {}, self.op.source))

    def _all_dims(self) -> dict[str, OpenSize]:
        flat = dict(self.dims)
        for name, sizes in self.packs.items():
            if sizes is None or len(sizes) == 1:
                flat[name] = None if sizes is None else sizes[0]
            else:
                flat |= {f"{name}_{i}": size for i, size in enumerate(sizes)}
        return flat


def opened(instance: Instance, varying: frozenset[str]) -> OpenInstance:
    """The operator with these dims open, by the names of the typed program."""
    packs: dict[str, tuple[OpenSize, ...]] = {}
    for name, sizes in instance.packs.items():
        names = [name] if len(sizes) == 1 else [f"{name}_{i}" for i in range(len(sizes))]
        packs[name] = tuple(None if n in varying else size for n, size in zip(names, sizes, strict=True))
    dims = {name: None if name in varying else size for name, size in instance.dims.items()}
    return OpenInstance(instance.op, instance.types, dims, packs, instance.attrs)


def shown_sizes(sizes: Sequence[OpenSize]) -> str:
    """`"[_, 64]"`: an open size is `_`, as in `--dims S=_x64`."""
    return f"[{', '.join('_' if size is None else str(size) for size in sizes)}]"
