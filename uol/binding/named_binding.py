"""From what a user names (`dtype="f16"`, `dims={"C": 1024}`, `attrs={"stride": 2}`) to an `Instance`, or to an
`OpenInstance` where some dims have no size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from uol.binding.attributes import bind_attributes
from uol.binding.instance import Instance
from uol.binding.named_dims import name_dims
from uol.binding.open_instance import OpenInstance, OpenSize
from uol.binding.solved_dims import settled_dims
from uol.ir.errors import ShapeError, TypeCheckError
from uol.ir.syntax.surface import Op
from uol.ir.types import DTYPES, type_named

if TYPE_CHECKING:
    import numpy as np
    import torch

    TypeName = str | torch.dtype | np.dtype[Any] | type[np.generic]
    """A type of the language by its name ("f16"), or by numpy's or PyTorch's ("float16", torch.float16)."""


def bind_names(
    op: Op, dtype: TypeName | Mapping[str, TypeName] | None, dims: Mapping[str, object], attrs: Mapping[str, object]
) -> Instance:
    """The operator at these types, dims and attributes. Raises TypeCheckError or ShapeError, saying what would fit."""
    bound = bind_open_names(op, dtype, dims, attrs)
    if isinstance(bound, OpenInstance):
        raise missing_sizes(bound)
    return bound


def bind_open_names(
    op: Op, dtype: TypeName | Mapping[str, TypeName] | None, dims: Mapping[str, object], attrs: Mapping[str, object]
) -> Instance | OpenInstance:
    """As `bind_names`, for dims of which some may be left open. Those that an equation of the `where` clause gives are not."""
    types = bind_types(op, dtype)
    attributes = bind_attributes(op, attrs)
    named = name_dims(op, dims)
    settled = settled_dims(op, named.dims, attributes)
    sizes = {name: size for name, size in settled.items() if size is not None}
    packs = {name: known for name, given in named.packs.items() if (known := _known(given)) is not None}
    if len(sizes) < len(named.dims) or len(packs) < len(named.packs):
        return OpenInstance(op, types, settled, named.packs, attributes)
    instance = Instance(op, types, sizes, packs, attributes)
    instance.require_where()
    instance.require_addressable()
    return instance


def missing_sizes(instance: OpenInstance, why: str | None = None) -> ShapeError:
    """What is said of open dims where every dim needs a size, and why it needs one."""
    op, names = instance.op, list(instance.dims)
    wanted = ", ".join([*names, *(f"*{p}" for p in instance.packs if instance.packs[p] is None)])
    missing = [name for name, size in instance.dims.items() if size is None]
    reason = f"; {why}" if why else ""
    if missing:
        hint = f"its dims are {wanted}; for example {missing[0]}=64{reason}"
        return ShapeError(f"{op.name} needs a size for {', '.join(missing)}", hint=hint)
    pack = next(name for name, sizes in instance.packs.items() if _known(sizes) is None)
    hint = f"write {pack}=64 for one dim, {pack}=8x128 for two, {pack}= for none{reason}"
    return ShapeError(f"{op.name} needs the sizes of *{pack}", hint=hint)


def _known(sizes: tuple[OpenSize, ...] | None) -> tuple[int, ...] | None:
    """The sizes of a pack; None where one is open."""
    known = [size for size in sizes or () if size is not None]
    return tuple(known) if sizes is not None and len(known) == len(sizes) else None


def bind_types(op: Op, dtype: TypeName | Mapping[str, TypeName] | None) -> dict[str, str]:
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


def _named_types(op: Op, dtype: TypeName | Mapping[str, TypeName] | None, variables: tuple[str, ...]) -> dict[str, str]:
    if dtype is None:
        return dict.fromkeys(variables, "f32")
    if isinstance(dtype, Mapping):
        return {name: type_named(chosen) for name, chosen in dtype.items()}
    if not isinstance(dtype, str) or "=" not in dtype:
        return dict.fromkeys(variables, type_named(dtype))
    pairs = [part.split("=", 1) for part in dtype.split(",") if part.strip()]
    if any(len(pair) != 2 for pair in pairs):
        raise TypeCheckError(f"cannot read the dtypes {dtype!r} of {op.name}", hint='write "f16", or "T=f16,U=f32"')
    return {name.strip(): type_named(chosen) for name, chosen in pairs}
