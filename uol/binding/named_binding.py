"""From what a user names (`dtype="f16"`, `dims={"C": 1024}`, `attrs={"stride": 2}`) to an `Instance`.

Dims. A pack `*S` takes a tuple of sizes under its name (`S=(8, 128)`), a size a dim (`S_0=8, S_1=128`), or a single number:
`softmax` over `T[*S, C]` takes `S=4096, C=1024`. A size that is left out, or None, is open, but for one that an equation of
the `where` clause gives: D of `C == D*groups`. (A kernel that knows such a size is faster than one that takes it as an
argument: it is mostly the depth of a contraction.)

Attributes. Those that are left out have their defaults, which may name other attributes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from operator import index
from typing import TYPE_CHECKING, Any

from uol.binding.argument_checks import nearest, shown
from uol.binding.instance import Instance, OpenSize, known_sizes
from uol.ir.errors import ShapeError, TypeCheckError
from uol.ir.syntax.dim_arithmetic import names_of, value_of
from uol.ir.syntax.surface import Attribute, Binary, Expr, Name, Node, Number, Op, Pack, Unary
from uol.ir.types import DTYPES, type_named

if TYPE_CHECKING:
    import numpy as np
    import torch

    TypeName = str | torch.dtype | np.dtype[Any] | type[np.generic]
    """A type of the language by its name ("f16"), or by numpy's or PyTorch's ("float16", torch.float16)."""

Size = int | None | Sequence[int | None]


def bind_names(
    op: Op, dtype: TypeName | Mapping[str, TypeName] | None, dims: Mapping[str, object], attrs: Mapping[str, object]
) -> Instance:
    """The operator at these types, dims and attributes. Raises TypeCheckError or ShapeError, saying what would fit."""
    bound = bind_open_names(op, dtype, dims, attrs)
    if bound.open_dims:
        raise missing_sizes(bound)
    return bound


def bind_open_names(
    op: Op, dtype: TypeName | Mapping[str, TypeName] | None, dims: Mapping[str, object], attrs: Mapping[str, object]
) -> Instance:
    """As `bind_names`, for dims of which some may be left open; nothing is asked of sizes before all are known."""
    types = bind_types(op, dtype)
    attributes = bind_attributes(op, attrs)
    named = name_dims(op, dims)
    instance = Instance(op, types, settled_dims(op, named.dims, attributes), named.packs, attributes)
    if not instance.open_dims:
        instance.require_admitted()
    return instance


def missing_sizes(instance: Instance, why: str | None = None) -> ShapeError:
    """What is said of open dims where every dim needs a size, and why it needs one."""
    op, names = instance.op, list(instance.dims)
    wanted = ", ".join([*names, *(f"*{p}" for p in instance.packs if instance.packs[p] is None)])
    missing = [name for name, size in instance.dims.items() if size is None]
    reason = f"; {why}" if why else ""
    if missing:
        hint = f"its dims are {wanted}; for example {missing[0]}=64{reason}"
        return ShapeError(f"{op.name} needs a size for {', '.join(missing)}", hint=hint)
    pack = next(name for name, sizes in instance.packs.items() if known_sizes(sizes) is None)
    hint = f"write {pack}=64 for one dim, {pack}=8x128 for two, {pack}= for none{reason}"
    return ShapeError(f"{op.name} needs the sizes of *{pack}", hint=hint)


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
    if unknown:
        name, wanted = next(iter(unknown)), ", ".join([*dim_names, *(f"*{p}" for p in pack_names)])
        hint = nearest(name, [*dim_names, *pack_names]) or f"its dims are {wanted or 'none'}"
        raise ShapeError(f"{op.name} has no dim {name!r}", hint=hint)
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


def settled_dims(op: Op, dims: Mapping[str, OpenSize], attrs: Mapping[str, int | float]) -> dict[str, OpenSize]:
    """The dims, with the sizes that equations between known ones give, in whatever order they are written."""
    settled = dict(dims)
    equal = [clause for clause in op.where if isinstance(clause, Binary) and clause.op == "=="]
    equations = [clause for clause in equal if _is_polynomial(clause.left) and _is_polynomial(clause.right)]
    while equations:
        waiting = []
        for clause in equations:
            unknown = [name for name in names_of(clause) if settled.get(name, 0) is None]
            known = {**attrs, **{name: size for name, size in settled.items() if size is not None}}
            if len(unknown) > 1:
                waiting.append(clause)
            elif unknown:
                settled[unknown[0]] = _solution(op, clause, unknown[0], known)
        if len(waiting) == len(equations):
            break
        equations = waiting
    return settled


def _solution(op: Op, clause: Binary, name: str, known: Mapping[str, int | float]) -> int | None:
    """The one size for which both sides are equal; None where there is none, or where they are not linear in it."""

    def difference(size: int) -> int | float:
        at = {**known, name: size}
        return value_of(clause.left, at, {}, op.source) - value_of(clause.right, at, {}, op.source)

    start, slope = difference(0), difference(1) - difference(0)
    if not isinstance(start, int) or not isinstance(slope, int) or slope == 0 or difference(2) != start + 2 * slope:
        return None
    size = -start // slope
    return size if size >= 0 and difference(size) == 0 else None


def _is_polynomial(expr: Expr | Node) -> bool:
    match expr:
        case Name() | Number():
            return True
        case Unary(op="neg", arg=arg):
            return _is_polynomial(arg)
        case Binary(op="+" | "-" | "*", left=left, right=right):
            return _is_polynomial(left) and _is_polynomial(right)
    return False


def bind_attributes(op: Op, given: Mapping[str, object]) -> dict[str, int | float]:
    """Every attribute of `op`. Raises ShapeError for one that is unknown, missing, or of the wrong type."""
    known = [a.name for a in op.attributes]
    for name in given:
        if name not in known:
            hint = nearest(name, known) or f"its attributes are {', '.join(known) or 'none'}"
            raise ShapeError(f"{op.name} has no attribute {name!r}", hint=hint)
    values: dict[str, int | float] = {}
    for attribute in op.attributes:
        values[attribute.name] = _value(op, attribute, given, values)
    return values


def _value(op: Op, attribute: Attribute, given: Mapping[str, object], earlier: Mapping[str, int | float]) -> int | float:
    if attribute.name in given:
        return typed_attribute(op, attribute, given[attribute.name])
    if attribute.default is None:
        raise ShapeError(
            f"{op.name} needs the attribute {attribute.name!r}",
            span=attribute.span,
            text=op.source,
            hint=f"give it: {attribute.name}={'3' if attribute.type == 'int' else '0.5'}",
        )
    return typed_attribute(op, attribute, value_of(attribute.default, earlier, {}, op.source))


def typed_attribute(op: Op, attribute: Attribute, value: object) -> int | float:
    """The value as a number of the attribute's type. Raises ShapeError where it is none."""
    if attribute.type == "int" and isinstance(value, Integral) and not isinstance(value, bool):
        number = int(value)
        if not -(2**63) <= number < 2**63:
            raise ShapeError(f"{op.name}: the attribute {attribute.name} is {number}", hint="an int has 64 bits")
        return number
    if attribute.type == "float" and isinstance(value, Real) and not isinstance(value, bool):
        return float(value)
    raise ShapeError(
        f"{op.name}: the attribute {attribute.name} is {attribute.type}, not {value!r}",
        hint=f"write {attribute.name}={'2' if attribute.type == 'int' else '0.5'}",
    )
