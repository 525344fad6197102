"""From what a user names (`dtype="f16"`, `dims={"C": 1024}`, `attrs={"stride": 2}`) to an `Instance`.

A pack `*S` takes a tuple of sizes under its name (`S=(8, 128)`), a size a dim (`S_0=8, S_1=128`), or a single number.
Where an operator has one pack and it is not named, sizes whose names the operator does not know are the pack's, in the
order given: `softmax` over `T[*S, C]` takes `R=4096, C=1024`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import index

from uol.attributes import bind_attributes
from uol.expected import shown
from uol.instance import Instance, names_of
from uol.ir.errors import ShapeError, TypeCheckError
from uol.ir.syntax import Op, Pack
from uol.ir.types import DTYPES
from uol.suggest import nearest

Size = int | Sequence[int]


def bind_names(
    op: Op, dtype: str | Mapping[str, str] | None, dims: Mapping[str, object], attrs: Mapping[str, object]
) -> Instance:
    """The operator at these types, dims and attributes. Raises TypeCheckError or ShapeError, saying what would fit."""
    types = bind_types(op, dtype)
    attributes = bind_attributes(op, attrs)
    packs, sizes = _bind_dims(op, dims)
    instance = Instance(op, types, sizes, packs, attributes)
    instance.require_where()
    instance.require_addressable()
    return instance


def bind_types(op: Op, dtype: str | Mapping[str, str] | None) -> dict[str, str]:
    """A dtype for each type variable: one name for all of them, or one a variable (`"T=f16,U=f32"`)."""
    domain = {s.variable: s.types for s in op.domain}
    given = _named_types(op, dtype, tuple(domain))
    for variable, chosen in given.items():
        if variable not in domain:
            known = f"its type variables are {', '.join(domain)}" if domain else "it has none"
            raise TypeCheckError(f"{op.name} has no type variable {variable!r}", hint=known)
        if chosen not in domain[variable]:
            what = "does not admit" if chosen in DTYPES else "cannot be of the unknown type"
            allowed = f"{variable} is one of {', '.join(domain[variable])}"
            raise TypeCheckError(f"{op.name} {what} {chosen!r} for {variable}", hint=allowed)
    missing = [v for v in domain if v not in given]
    if missing:
        example = ",".join(f"{variable}={types[0]}" for variable, types in domain.items())
        raise TypeCheckError(f"{op.name} needs a dtype for {', '.join(missing)}", hint=f'write "{example}"')
    return given


def _named_types(op: Op, dtype: str | Mapping[str, str] | None, variables: tuple[str, ...]) -> dict[str, str]:
    if dtype is None:
        return dict.fromkeys(variables, "f32")
    if isinstance(dtype, Mapping):
        return dict(dtype)
    if not isinstance(dtype, str):
        raise TypeCheckError(f"{op.name}: {dtype!r} is no name of a type", hint=f"the names are {', '.join(DTYPES)}")
    if "=" not in dtype:
        return dict.fromkeys(variables, dtype.strip())
    pairs = [part.split("=", 1) for part in dtype.split(",") if part.strip()]
    if any(len(pair) != 2 for pair in pairs):
        raise TypeCheckError(f"cannot read the dtypes {dtype!r} of {op.name}", hint='write "f16", or "T=f16,U=f32"')
    return {name.strip(): chosen.strip() for name, chosen in pairs}


def free_dims(op: Op) -> tuple[list[str], list[str]]:
    """What a call must give sizes: the names of the packs, and of the dims beside them."""
    packs = list(dict.fromkeys(d.id for p in op.params for d in p.dims if isinstance(d, Pack)))
    attributes = {a.name for a in op.attributes}
    free = [n for p in op.params for d in p.dims if not isinstance(d, Pack) for n in names_of(d)]
    return packs, [n for n in dict.fromkeys(free) if n not in attributes]


def _bind_dims(op: Op, dims: Mapping[str, object]) -> tuple[dict[str, tuple[int, ...]], dict[str, int]]:
    pack_names, dim_names = free_dims(op)
    packs: dict[str, tuple[int, ...]] = {}
    sizes: dict[str, int] = {}
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
    if len(pack_names) == 1 and unbound and unknown and not any(_is_typo(n, dim_names, sizes) for n in unknown):
        packs[unbound[0]] = tuple(_size(op, n, s) for n, s in unknown.items())
        unbound, unknown = [], {}
    _require_all(op, dim_names, sizes, unbound, unknown)
    return packs, sizes


def _numbered(op: Op, pack: str, unknown: dict[str, object]) -> dict[str, tuple[int, ...]]:
    """The sizes S_0, S_1, ... of a pack, taken out of `unknown`; nothing where there are none."""
    found: list[int] = []
    while f"{pack}_{len(found)}" in unknown:
        name = f"{pack}_{len(found)}"
        found.append(_size(op, name, unknown.pop(name)))
    return {pack: tuple(found)} if found else {}


def _is_typo(name: str, dim_names: Sequence[str], sizes: Mapping[str, int]) -> bool:
    """A name in the wrong case of a dim that is missing is a slip, not a dim of the pack."""
    return any(name.lower() == known.lower() for known in dim_names if known not in sizes)


def _require_all(
    op: Op, dim_names: Sequence[str], sizes: Mapping[str, int], unbound: Sequence[str], unknown: Mapping[str, object]
) -> None:
    wanted = ", ".join([*dim_names, *(f"*{p}" for p in unbound)])
    if unknown:
        name = next(iter(unknown))
        raise ShapeError(f"{op.name} has no dim {name!r}", hint=nearest(name, dim_names) or f"its dims are {wanted or 'none'}")
    missing = [n for n in dim_names if n not in sizes]
    if missing:
        raise ShapeError(
            f"{op.name} needs a size for {', '.join(missing)}", hint=f"its dims are {wanted}; for example {missing[0]}=64"
        )
    if unbound:
        pack = unbound[0]
        raise ShapeError(
            f"{op.name} needs the sizes of *{pack}",
            hint=f"write {pack}=64 for one dim, {pack}=8x128 for two, {pack}= for none",
        )


def _sizes(op: Op, name: str, size: object) -> tuple[int, ...]:
    if isinstance(size, Sequence) and not isinstance(size, str | bytes):
        return tuple(_size(op, name, s) for s in size)
    return (_size(op, name, size),)


def _size(op: Op, name: str, size: object) -> int:
    try:
        number = index(size)  # type: ignore[arg-type]  # what is no number raises
    except TypeError:
        number = None
    if number is None or isinstance(size, bool):
        raise ShapeError(f"{op.name}: the size of {name} is {shown(size)}, not a whole number", hint=f"write {name}=64")
    if number < 0:
        raise ShapeError(f"{op.name}: the size of {name} is {size}", hint="a size is 0 or more")
    return number
