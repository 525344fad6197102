"""From the shapes and types of a call's tensors to an `Instance` that knows every size.

Dims that stand alone bind to sizes, and must agree wherever they appear; dims that are expressions are computed and
compared. The dims of a pack broadcast: `add(x: [8, 1, 3], y: [5, 3])` is over `*S = [8, 5, 3]`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from uol.binding.instance import Instance, shown_sizes
from uol.binding.named_binding import bind_attributes
from uol.ir.checker.argument_binding import solve
from uol.ir.errors import ShapeError, TypeCheckError
from uol.ir.syntax.dim_arithmetic import names_of, value_of
from uol.ir.syntax.printer import print_expr
from uol.ir.syntax.surface import Expr, Name, Op, Pack, Param
from uol.ir.types import resolved

Shape = Sequence[int]
MADE_FOR = "the kernel"
"""What has the sizes that are given beside the tensors."""


def bind_tensors(
    op: Op,
    shapes: Mapping[str, Shape],
    dtypes: Mapping[str, str],
    attrs: Mapping[str, int | float],
    result_types: Mapping[str, str] | None = None,
    fixed: Mapping[str, int] | None = None,
) -> Instance:
    """The operator at these inputs. `result_types` gives the type variables that no input has (the target of a cast), `fixed`
    the dims that a kernel was made for.

    Raises TypeCheckError or ShapeError, naming both tensors where two do not fit together.
    """
    types = _bind_types(op, dtypes, result_types or {})
    sizes = _Sizes(op, dict(fixed or {}), owners=dict.fromkeys(fixed or {}, MADE_FOR))
    for param in op.params:
        sizes.take(param, tuple(shapes[param.name]))
    for param in op.params:
        sizes.solve(param, tuple(shapes[param.name]))
    instance = Instance(op, types, sizes.dims, sizes.packs, bind_attributes(op, attrs))
    for param in op.params:
        _compare(instance, param, tuple(shapes[param.name]))
    instance.require_admitted()
    return instance


def bind_sizes(made_for: Instance, shapes: Mapping[str, Shape]) -> Instance:
    """What kernels are made for, with the sizes of these inputs for what is open. Raises ShapeError where two disagree, one is
    not what the kernels were made for, or the `where` clause does not hold of them."""
    fixed = {name: size for name, size in made_for.dims.items() if size is not None}
    params = {p.name: p for p in made_for.op.params}
    dtypes = {name: made_for.dtype(param) for name, param in params.items()}
    instance = bind_tensors(made_for.op, shapes, dtypes, made_for.attrs, made_for.types, fixed)
    for name, param in params.items():
        _require_packs(made_for, instance, param, tuple(shapes[name]))
    return instance


def require_told(instance: Instance) -> None:
    """Raises ShapeError for an open dim that no input's shape can tell."""
    op = instance.op
    known = {*(n for n, size in instance.dims.items() if size is not None), *(a.name for a in op.attributes)}
    places = [(param, dim) for param in op.params for dim in param.dims if not isinstance(dim, Pack)]
    known |= {dim.id for _, dim in places if isinstance(dim, Name)}
    for param, dim in places:
        name = next((n for n in names_of(dim) if n not in known), None)
        if name is None:
            continue
        if names_of(dim) != (name,) or solve(dim, int(value_of(dim, {name: 1}, {}, op.source)), known) is None:
            raise ShapeError(
                f"{op.name} needs a size for {name}: no input's shape tells it",
                span=dim.span,
                text=op.source,
                hint=f"{param.name} has the size {print_expr(dim)} there; give {name}, for example {name}=64",
            )
        known.add(name)


def result_type_variables(op: Op) -> tuple[str, ...]:
    """The type variables that no input has: a call must name them."""
    bound = {p.type for p in op.params}  # `acc(T)` does not say what T is
    return tuple(s.variable for s in op.domain if s.variable not in bound)


def _bind_types(op: Op, dtypes: Mapping[str, str], result_types: Mapping[str, str]) -> dict[str, str]:
    domain = {s.variable: s.types for s in op.domain}
    types: dict[str, str] = {}
    owner: dict[str, str] = {}
    for param in (p for p in op.params if p.type in domain):
        dtype = dtypes[param.name]
        known = types.setdefault(param.type, dtype)
        first = owner.setdefault(param.type, param.name)
        if known != dtype:
            hint = "nothing is promoted silently: cast one of them"
            raise TypeCheckError(f"{op.name}: {first} is {known}, but {param.name} is {dtype}", hint=hint)
    for variable in result_type_variables(op):
        if variable not in result_types:
            allowed = f"{variable} is one of {', '.join(domain[variable])}"
            raise TypeCheckError(f"{op.name} needs the type of its result", hint=allowed)
        types[variable] = result_types[variable]
        owner[variable] = variable
    for variable, dtype in types.items():
        if dtype not in domain[variable]:
            allowed = f"it is one of {', '.join(domain[variable])}"
            raise TypeCheckError(f"{op.name} does not admit {dtype} for {owner[variable]}", hint=allowed)
    for param in (p for p in op.params if p.type not in domain):
        dtype, wanted = dtypes[param.name], resolved(param.type, types)
        if dtype != wanted:
            message = f"{op.name}: {param.name} is {dtype}, the operator takes {wanted}"
            raise TypeCheckError(message, hint="cast it first")
    return types


@dataclass(slots=True)
class _Sizes:
    """The sizes found so far, and which tensor each came from."""

    op: Op
    dims: dict[str, int] = field(default_factory=dict)
    packs: dict[str, tuple[int, ...]] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)

    def take(self, param: Param, shape: tuple[int, ...]) -> None:
        fixed = sum(not isinstance(d, Pack) for d in param.dims)
        has_pack = fixed < len(param.dims)
        if len(shape) < fixed or (len(shape) > fixed and not has_pack):
            wanted = f"at least {fixed} dims" if has_pack else f"{fixed} dims"
            raise ShapeError(
                f"{self.op.name}: {param.name} has {len(shape)} dims, the operator takes {wanted}",
                hint=f"{param.name}[{', '.join(map(print_expr, param.dims))}]",
            )
        for dim, sizes in _by_dim(param, shape):
            if isinstance(dim, Pack):
                self._broadcast(param, dim.id, sizes)
            elif isinstance(dim, Name) and self.op.attribute(dim.id) is None:
                self._bind(param, dim.id, sizes[0])

    def solve(self, param: Param, shape: tuple[int, ...]) -> None:
        """Names that stand in no dim alone: C of `2*C`."""
        known = {*self.dims, *(a.name for a in self.op.attributes)}
        for dim, sizes in _by_dim(param, shape):
            if isinstance(dim, Pack):
                continue
            found = solve(dim, sizes[0], known)
            if found is not None:
                self._bind(param, *found)
            elif unknown := [n for n in names_of(dim) if n not in known]:
                raise ShapeError(
                    f"{self.op.name}: {param.name} has size {sizes[0]} along {print_expr(dim)}, for no whole {unknown[0]}",
                    hint=f"{param.name}[{', '.join(map(print_expr, param.dims))}]",
                )

    def _bind(self, param: Param, name: str, size: int) -> None:
        known = self.dims.setdefault(name, size)
        first = self.owners.setdefault(name, param.name)
        if known != size:
            message = f"{self.op.name}: {name} is {known} in {first}, but {size} in {param.name}"
            advice = f"; compile for {name}={size}, or leave {name} open" if first == MADE_FOR else ""
            raise ShapeError(message, hint=f"{param.name}[{', '.join(map(print_expr, param.dims))}]{advice}")

    def _broadcast(self, param: Param, name: str, sizes: tuple[int, ...]) -> None:
        known = self.packs.get(name)
        first = self.owners.setdefault(f"*{name}", param.name)
        joined = sizes if known is None else _broadcast(known, sizes)
        if joined is None:
            message = f"{self.op.name}: *{name} is {_list(known or ())} in {first}, but {_list(sizes)} in {param.name}"
            raise ShapeError(message, hint="sizes must be equal, or 1, from the last dim on")
        self.packs[name] = joined


def _broadcast(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...] | None:
    """The common shape, by numpy's rule; None where there is none."""
    rank = max(len(a), len(b))
    wide_a, wide_b = (1,) * (rank - len(a)) + a, (1,) * (rank - len(b)) + b
    if any(x != y and x != 1 and y != 1 for x, y in zip(wide_a, wide_b, strict=True)):
        return None
    return tuple(y if x == 1 else x for x, y in zip(wide_a, wide_b, strict=True))


def _by_dim(param: Param, shape: tuple[int, ...]) -> Iterator[tuple[Expr | Pack, tuple[int, ...]]]:
    """Each dim of a parameter with its size, a pack with all of its sizes."""
    rank = len(shape) - sum(not isinstance(d, Pack) for d in param.dims)
    place = 0
    for dim in param.dims:
        width = rank if isinstance(dim, Pack) else 1
        yield dim, shape[place : place + width]
        place += width


def _compare(instance: Instance, param: Param, shape: tuple[int, ...]) -> None:
    """Dims that are expressions, now that every name is known."""
    for dim, sizes in _by_dim(param, shape):
        if isinstance(dim, Pack):
            continue
        (have,), want = sizes, instance.value(dim)
        if have != want:
            raise ShapeError(
                f"{instance.op.name}: {param.name} has size {have} along {print_expr(dim)}, which is {want}",
                hint=instance.describe(dim),
            )


def _require_packs(made_for: Instance, instance: Instance, param: Param, shape: tuple[int, ...]) -> None:
    """Packs of the sizes that kernels were made for, and of one size in every input."""
    op = made_for.op
    for pack in (d.id for d in param.dims if isinstance(d, Pack)):
        wanted, found = made_for.packs[pack], instance.packs[pack] or ()
        if wanted is not None and (
            len(wanted) != len(found) or any(w not in (None, f) for w, f in zip(wanted, found, strict=True))
        ):
            raise ShapeError(
                f"{op.name}: *{pack} is {shown_sizes(found)} in {param.name}, the kernel takes {shown_sizes(wanted)}",
                hint=f"compile for {pack}={'x'.join(map(str, found))}, or leave {pack} out for any number of dims",
            )
    if instance.shape(param) != shape:
        raise ShapeError(
            f"{op.name}: {param.name} has the shape {shape}, beside the others it must have {instance.shape(param)}",
            hint=f"kernels do not broadcast: write np.ascontiguousarray(np.broadcast_to({param.name}, ...))",
        )


def _list(sizes: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, sizes))}]"
