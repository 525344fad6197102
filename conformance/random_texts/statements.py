"""Statements of a random text. Each adds its lines and the tensor that later statements read."""

from __future__ import annotations

from uol.conformance.random_texts import indices
from uol.conformance.random_texts.draft import Draft, Scope, Tensor
from uol.conformance.random_texts.values import aligned, reduction, value

INDEX = {"N": "i", "M": "j", "K": "k"}
"""The index of a target that runs over each dim."""

HELPERS = {
    "spread": """op random_spread(x: T[A, B]) -> (top: T[A], away: T[A, B]) for T in (f64, f32) {
  top[a] = max[b](x[a, b])
  away[a, b] = x[a, b] * x[a, b] - top[a]
}""",
    "soft": """op random_soft(x: T[A]) -> (y: T[A]) for T in (f64, f32) {
  y[a] = exp(min(x[a], 3)) / (1 + sum[b](exp(min(x[b], 3))))
}""",
    "shifted": """op random_shifted(x: T[A], w: T[A]; by: int = 1) -> (y: T[A]) for T in (f64, f32) {
  y[a] = (x[a - by] else 0) * w[a]
}""",
}


def scope_of(dims: tuple[str, ...]) -> Scope:
    """The indices of a target over dims."""
    return {INDEX[d]: d for d in dims}


def over(dims: tuple[str, ...]) -> str:
    """`i, j`."""
    return ", ".join(INDEX[d] for d in dims)


def statement(draft: Draft, name: str, dims: tuple[str, ...]) -> Tensor:
    """One that defines `name`, over the dims where its form does not ask for others."""
    form = draft.forms({"map": 62, "reduction": 12, "scatter": 14, "order": 6, "call": 6})
    made = None
    if form == "scatter":
        made = _scatter(draft, name)
    elif form == "order":
        made = _order(draft, name)
    elif form == "call":
        made = _call(draft, name)
    if made is None:
        made = _map(draft, name, dims, form == "reduction")
    draft.tensors.append(made)
    return made


def _map(draft: Draft, name: str, dims: tuple[str, ...], reduced: bool) -> Tensor:
    known = [t for t in draft.floats() if all(d in dims for d in t.dims)]
    dims = tuple(d for d in dims if any(d in t.dims for t in known)) or draft.pick([t for t in draft.floats() if t.dims]).dims
    scope = scope_of(dims)
    text = reduction(draft, scope, 2) if reduced else value(draft, scope, draft.pick((1, 2, 2, 3)))
    draft.lines.append(f"{name}[{over(dims)}] = {_anchored(draft, text, dims)}")
    return Tensor(name, dims, "local")


def _anchored(draft: Draft, text: str, dims: tuple[str, ...]) -> str:
    """The value with reads in which every index of the target stands alone: they say how far it runs."""
    scope, missing = scope_of(dims), list(dims)
    for dim in dims:
        known = [t for t in draft.floats() if dim in t.dims and all(d in dims for d in t.dims)]
        if dim not in missing or not known:
            continue
        tensor = draft.pick(known)
        read = draft.cast(tensor, aligned(draft, tensor, scope))
        text = draft.pick((f"{text} * {read}", f"{text} + {read}", f"{read} - {text}"))
        text = f"({text})" if len(missing) > 1 else text
        missing = [d for d in missing if d not in tensor.dims]
    return text


def _scatter(draft: Draft, name: str) -> Tensor | None:
    """A sum by targets that indices or data give, read on at plain indices."""
    known = [t for t in draft.floats() if t.dims]
    if not known:
        return None
    source = draft.pick(known)
    into = draft.pick(known)
    dim = into.dims[0]
    scope = scope_of(source.dims)
    target = (indices.data(draft, dim, scope) if draft.chance(0.6) else None) or indices.anywhere(draft, dim, scope)
    kept = draft.pick(source.dims) if draft.chance(0.4) and len(source.dims) > 1 else None
    items = [target, INDEX[kept]] if kept and kept != dim else [target]
    dims = (dim, kept) if kept and kept != dim else (dim,)
    term = draft.pick((value(draft, scope, 1), value(draft, scope, 0)))
    term = f"{term} {draft.pick(('*', '*', '+'))} {draft.cast(source, aligned(draft, source, scope))}"
    draft.lines.append(f"{name}s[{', '.join(items)}] += {term}")
    rest = (*dims, *(d for d in into.dims if d not in dims))
    others = [t for t in known if kept and kept in t.dims and all(d in rest for d in t.dims)]
    read = draft.cast(into, aligned(draft, into, scope_of(rest)))
    if kept and kept not in into.dims:
        if not others:
            draft.lines.pop()
            return None
        other = draft.pick(others)
        read = f"{read} * {draft.cast(other, aligned(draft, other, scope_of(rest)))}"
    sum_read = f"{name}s[{over(dims)}]"
    form = draft.pick((f"{sum_read} * {read}", f"{sum_read} + {read}", f"tanh({sum_read}) * {read}"))
    draft.lines.append(f"{name}[{over(rest)}] = {form}")
    return Tensor(name, rest, "local")


def _order(draft: Draft, name: str) -> Tensor | None:
    """The values of a sort, or something read at its places."""
    known = [t for t in draft.floats() if t.dims and len(set(t.dims)) == len(t.dims)]
    if not known:
        return None
    tensor = draft.pick(known)
    along = draft.pick(tensor.dims)
    items = ["q" if d == along else INDEX[d] for d in tensor.dims]
    key = draft.cast(tensor, f"{tensor.name}[{', '.join(items)}]")
    index = over(tensor.dims)
    places = f"{name}p[{index}]"
    form = draft.pick(("sort", "argsort", "topk"))
    factor = draft.pick(("", " * 0.5", f" * {draft.cast(tensor, f'{tensor.name}[{index}]')}"))
    if form == "argsort":
        draft.lines.append(f"{places} = argsort[q]({key})")
        items[tensor.dims.index(along)] = places
        read = draft.cast(tensor, f"{tensor.name}[{', '.join(items)}]")
        draft.lines.append(f"{name}[{index}] = {read}{factor}")
    else:
        count = f", {along}" if form == "topk" else ""
        draft.lines.append(f"({name}v[{index}], {places}) = {form}[q]({key}{count})")
        draft.lines.append(f"{name}[{index}] = {name}v[{index}]{factor}")
    return Tensor(name, tensor.dims, "local")


def _call(draft: Draft, name: str) -> Tensor | None:
    """A value of another operator, which is called with inputs or with what statements defined."""
    known = [t for t in draft.floats() if not draft.wide or t.kind == "float"]
    flat, square = ([t for t in known if len(t.dims) == rank] for rank in (1, 2))
    helper = draft.pick(tuple(HELPERS))
    if helper == "spread" and square:
        tensor = draft.pick(square)
        index = over(tensor.dims)
        draft.lines.append(f"({name}a[{INDEX[tensor.dims[0]]}], {name}b[{index}]) = random_spread({tensor.name})")
        away = f"acc({name}b[{index}])" if draft.wide else f"{name}b[{index}]"
        top = f"{name}a[{INDEX[tensor.dims[0]]}]"
        draft.lines.append(f"{name}[{index}] = {away} * {f'acc({top})' if draft.wide else top}")
    elif helper != "spread" and flat:
        tensor = draft.pick(flat)
        other = draft.pick([t for t in flat if t.dims == tensor.dims])
        arguments = tensor.name if helper == "soft" else f"{tensor.name}, {other.name}; by=2"
        call = f"random_{helper}({arguments})"
        index = INDEX[tensor.dims[0]]
        read = f"acc({call}[{index}])" if draft.wide else f"{call}[{index}]"
        draft.lines.append(f"{name}[{index}] = {read} * {draft.cast(tensor, f'{tensor.name}[{index}]')}")
    else:
        return None
    draft.callees[helper] = HELPERS[helper]
    return Tensor(name, tensor.dims, "local")
