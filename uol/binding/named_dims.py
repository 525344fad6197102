"""The sizes of dims as a user names them.

A pack `*S` takes a tuple of sizes under its name (`S=(8, 128)`), a size a dim (`S_0=8, S_1=128`), or a single number.
Where an operator has one pack and it is not named, and every dim beside it is, sizes whose names the operator does not know
are the pack's, in the order given: `softmax` over `T[*S, C]` takes `R=4096, C=1024`.

A size that is left out, or None, is open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import index

from uol.binding.argument_checks import shown
from uol.binding.instance import names_of
from uol.binding.open_instance import OpenSize
from uol.ir.errors import ShapeError
from uol.ir.syntax.surface import Op, Pack
from uol.operators.did_you_mean import nearest

Size = int | None | Sequence[int | None]


@dataclass(frozen=True, slots=True)
class NamedDims:
    """Every dim and every pack of an operator; None is open, a pack that is None has any number of dims."""

    dims: Mapping[str, OpenSize]
    packs: Mapping[str, tuple[OpenSize, ...] | None]


def free_dims(op: Op) -> tuple[list[str], list[str]]:
    """What a call must give sizes: the names of the packs, and of the dims beside them."""
    packs = list(dict.fromkeys(d.id for p in op.params for d in p.dims if isinstance(d, Pack)))
    attributes = {a.name for a in op.attributes}
    free = [n for p in op.params for d in p.dims if not isinstance(d, Pack) for n in names_of(d)]
    return packs, [n for n in dict.fromkeys(free) if n not in attributes]


def name_dims(op: Op, dims: Mapping[str, object]) -> NamedDims:
    """The sizes of an operator's dims. Raises ShapeError for a name that it does not have, and for what is no size."""
    pack_names, dim_names = free_dims(op)
    packs: dict[str, tuple[OpenSize, ...] | None] = {}
    sizes: dict[str, OpenSize] = {}
    unknown: dict[str, object] = {}
    for name, size in dims.items():
        if name in dim_names:
            sizes[name] = _size(op, name, size)
        elif name in pack_names:
            packs[name] = _sizes(op, name, size)
        else:
            unknown[name] = size
    for pack in pack_names:
        if pack not in packs:
            packs |= _numbered(op, pack, unknown)
    unbound = [p for p in pack_names if p not in packs]
    if len(pack_names) == 1 and unbound and unknown and len(sizes) == len(dim_names):
        packs[unbound[0]] = tuple(_size(op, n, s) for n, s in unknown.items())
    elif unknown:
        name, wanted = next(iter(unknown)), ", ".join([*dim_names, *(f"*{p}" for p in unbound)])
        raise ShapeError(f"{op.name} has no dim {name!r}", hint=nearest(name, dim_names) or f"its dims are {wanted or 'none'}")
    return NamedDims({n: sizes.get(n) for n in dim_names}, {p: packs.get(p) for p in pack_names})


def _numbered(op: Op, pack: str, unknown: dict[str, object]) -> dict[str, tuple[OpenSize, ...]]:
    """The sizes S_0, S_1, ... of a pack, taken out of `unknown`; nothing where there are none."""
    found: list[OpenSize] = []
    while f"{pack}_{len(found)}" in unknown:
        name = f"{pack}_{len(found)}"
        found.append(_size(op, name, unknown.pop(name)))
    return {pack: tuple(found)} if found else {}


def _sizes(op: Op, name: str, size: object) -> tuple[OpenSize, ...] | None:
    if size is None:
        return None
    if isinstance(size, Sequence) and not isinstance(size, str | bytes):
        return tuple(_size(op, name, s) for s in size)
    return (_size(op, name, size),)


def _size(op: Op, name: str, size: object) -> OpenSize:
    if size is None:
        return None
    try:
        number = index(size)  # type: ignore[arg-type]  # what is no number raises
    except TypeError:
        number = None
    if number is None or isinstance(size, bool):
        raise ShapeError(f"{op.name}: the size of {name} is {shown(size)}, not a whole number", hint=f"write {name}=64")
    if number < 0:
        raise ShapeError(f"{op.name}: the size of {name} is {size}", hint="a size is 0 or more")
    return number
