"""What stands on the right of a statement."""

from __future__ import annotations

from uol.conformance.random_texts import indices
from uol.conformance.random_texts.draft import FRESH, Draft, Scope, Tensor

FUNCTIONS = (
    *("tanh({a})", "sin({a})", "cos({a})", "abs({a})", "erf({a})", "exp(min({a}, 2))", "exp(-abs({a}))", "sqrt(1 + abs({a}))"),
    *("log(2 + abs({a}))", "rsqrt(1 + abs({a}))", "pow(1.5 + abs({a}), 0.5)", "max({a}, 0)", "min({a}, 1)", "-{a}"),
    *("max({a}, 0.25) * 2", "1 / (2 + abs({a}))", "expm1(min({a}, 1))", "floor({a}) + {a}", "pow({a}, 2)"),
)
OUTER = {"product": 26, "sum": 14, "quotient": 5, "function": 15, "select": 18, "reduction": 26, "extremum": 6, "read": 14}
"""Forms of a value, with weights; the last is what is left at depth 0."""
BOUNDS = ("{l} <= {i}", "{l} < {i}", "{l} >= {i}", "{l} > {i}", "{l} > {i} - 2, {l} <= {i}", "{l} >= {i}, {l} < {i} + 2")


def value(draft: Draft, scope: Scope, depth: int) -> str:
    """An expression over the indices of a scope that can stand as an operand."""
    match draft.forms(OUTER) if depth > 0 else "read":
        case "product":
            return product(draft, scope, depth)
        case "sum":
            parts = [value(draft, scope, depth - 1), draft.pick((value(draft, scope, depth - 1), number(draft)))]
            draft.rng.shuffle(parts)
            return f"({draft.pick((' + ', ' - ')).join(parts)})"
        case "quotient":
            return f"({value(draft, scope, depth - 1)} / (2 + abs({value(draft, scope, depth - 1)})))"
        case "function":
            return "(" + draft.pick(FUNCTIONS).format(a=value(draft, scope, depth - 1)) + ")"
        case "select":
            return choice(draft, scope, depth)
        case "reduction":
            return reduction(draft, scope, depth)
        case "extremum":
            return f"{draft.pick(('max', 'min'))}({value(draft, scope, depth - 1)}, {value(draft, scope, depth - 1)})"
    return read(draft, draft.pick(draft.floats()), scope)


def number(draft: Draft) -> str:
    """A literal."""
    return draft.pick(("0.5", "2", "1", "0.25", "3", "1.5"))


def read(draft: Draft, tensor: Tensor, scope: Scope, guarded: bool | None = None) -> str:
    """A read of a tensor at indices of the scope, with an `else` where it may lie outside, or where `guarded` asks for one."""
    items, proven = [], True
    for dim in tensor.dims:
        item = indices.inside(draft, dim, scope) if not guarded or draft.chance(0.4) else None
        proven = proven and item is not None
        items.append(item or indices.anywhere(draft, dim, scope))
    text = f"{tensor.name}[{', '.join(items)}]"
    if not tensor.dims or (proven and not guarded):
        return draft.cast(tensor, text)
    return draft.cast(tensor, f"{text} else {fill(draft, scope)}")


def fill(draft: Draft, scope: Scope) -> str:
    """What a read gives outside: nothing, most of the time."""
    plain = [t for t in draft.floats() if t.kind == "float" or not draft.wide]
    readable = [t for t in plain if all(d in scope.values() for d in t.dims)]
    form = draft.forms({"0": 14, "1": 2, "0.5": 2, "read": 3})
    if form != "read" or not readable or draft.wide:
        return "0" if form == "read" else form
    return aligned(draft, draft.pick(readable), scope)


def aligned(draft: Draft, tensor: Tensor, scope: Scope) -> str:
    """A read at plain indices that run over the tensor's dims."""
    items = [draft.pick([n for n, extent in scope.items() if extent == d]) for d in tensor.dims]
    return f"{tensor.name}[{', '.join(items)}]" if items else f"{tensor.name}[]"


def product(draft: Draft, scope: Scope, depth: int) -> str:
    """A product: of values, or of reads of one tensor, some of them with an `else`."""
    if draft.chance(0.5):
        return f"{value(draft, scope, depth - 1)} * {value(draft, scope, depth - 1)}"
    tensor = draft.pick(draft.floats())
    factors = [read(draft, tensor, scope, draft.pick((True, False, None))) for _ in range(draft.pick((2, 2, 3)))]
    if draft.chance(0.5):
        factors[1:] += _twice(draft, tensor, scope)
    if draft.chance(0.3):
        factors.append(value(draft, scope, depth - 1))
    return " * ".join(factors)


def _twice(draft: Draft, tensor: Tensor, scope: Scope) -> list[str]:
    """The same element, read with an `else` that it does not need, and without."""
    items = [indices.inside(draft, dim, scope) for dim in tensor.dims]
    if None in items or not items:
        return []
    text = f"{tensor.name}[{', '.join(map(str, items))}]"
    return [draft.cast(tensor, text), draft.cast(tensor, f"{text} else 0")]


def choice(draft: Draft, scope: Scope, depth: int) -> str:
    """A `select`: on data, on indices, or with a read that only the condition puts inside."""
    if draft.chance(0.2):
        found = _proven_arm(draft, scope, depth)
        if found is not None:
            return found
    arms = [value(draft, scope, depth - 1), draft.pick((value(draft, scope, depth - 1), number(draft), "0"))]
    draft.rng.shuffle(arms)
    test = condition(draft, scope)
    if draft.chance(0.15):
        arms[0] = f"select({condition(draft, scope)}, {number(draft)}, {number(draft)})"
        arms[1] = value(draft, scope, depth - 1)
    return f"select({test}, {', '.join(arms)})"


def _proven_arm(draft: Draft, scope: Scope, depth: int) -> str | None:
    tensors = [t for t in draft.floats() if len(t.dims) == 1 and t.dims[0] in scope.values()]
    if not tensors:
        return None
    tensor = draft.pick(tensors)
    (dim,) = tensor.dims
    name, step = draft.pick([n for n, extent in scope.items() if extent == dim]), draft.pick((1, 2))
    test, item = draft.pick(((f"{name} >= {step}", f"{name} - {step}"), (f"{name} + {step} < {dim}", f"{name} + {step}")))
    there = draft.cast(tensor, f"{tensor.name}[{item}]")
    return f"select({test}, {there}, {draft.pick((value(draft, scope, depth - 1), '0'))})"


def condition(draft: Draft, scope: Scope) -> str:
    """Of a `select`."""
    if not scope or draft.chance(0.5):
        left = value(draft, scope, 0)
        right = draft.pick((value(draft, scope, 0), "0", "0.1", "1"))
        return draft.pick((f"{left} > {right}", f"{left} <= {right}", f"not ({left} < {right})"))
    a, b, c = draft.pick(list(scope)), draft.pick(list(scope)), draft.pick((1, 2, 3))
    test = draft.pick((f"{a} == {b}", f"{a} % 2 == 0", f"{a} < {c}", f"{a} != {c}", f"{a} + {b} < {c + 1}", f"{a} <= {b}"))
    if draft.chance(0.2):
        return f"{test} {draft.pick(('and', 'or'))} {value(draft, scope, 0)} > 0"
    return test


def reduction(draft: Draft, scope: Scope, depth: int) -> str:
    """Over a dim, a window of a few, or the part of a dim that a bound on an outer index leaves."""
    op = draft.forms({"sum": 9, "max": 5, "min": 4, "prod": 2})
    name = next(n for n in FRESH if n not in scope)
    tensors = [t for t in draft.floats() if t.dims]
    if draft.chance(0.25) or not tensors:
        width = draft.pick((2, 3))
        body = over_body(draft, op, {**scope, name: str(width)}, depth)
        return closed(op, f"{name} < {width}", body)
    tensor = draft.pick(tensors)
    dim = draft.pick(tensor.dims)
    inner = {**scope, name: dim}
    anchor = _anchor(draft, tensor, dim, name, inner)
    body = over_body(draft, op, inner, depth)
    body = draft.pick((f"{anchor} * {body}", f"{body} * {anchor}", f"({anchor} + {body})", anchor))
    outer = [n for n, extent in scope.items() if extent == dim] or list(scope)
    if outer and draft.chance(0.5):
        bound = draft.pick(BOUNDS).format(l=name, i=draft.pick(outer))
        return closed(op, bound, body)
    return closed(op, name, body)


def over_body(draft: Draft, op: str, scope: Scope, depth: int) -> str:
    """What is reduced: a product in most extrema, a reduction again at times."""
    if depth > 1 and draft.chance(0.2):
        return reduction(draft, scope, depth - 1)
    if op in ("max", "min") and draft.chance(0.6):
        return product(draft, scope, depth - 1)
    if op == "prod":
        return f"(1 + 0.25 * {value(draft, scope, depth - 1)})"
    return value(draft, scope, depth - 1)


def closed(op: str, binders: str, body: str) -> str:
    """A reduction. Extrema over what may be nothing stay finite."""
    text = f"{op}[{binders}]({body})"
    may_be_empty = op in ("max", "min") and any(sign in binders for sign in "<>") and not binders.split()[-1].isdigit()
    return f"max(min({text}, 50), -50)" if may_be_empty else text


def _anchor(draft: Draft, tensor: Tensor, dim: str, name: str, scope: Scope) -> str:
    """A read in which the index stands alone in its dim, which says how far it runs."""
    items, proven = [], True
    at = draft.pick([n for n, d in enumerate(tensor.dims) if d == dim])
    for number_, other in enumerate(tensor.dims):
        item = name if number_ == at else indices.inside(draft, other, scope)
        proven = proven and item is not None
        items.append(item or indices.anywhere(draft, other, scope))
    text = f"{tensor.name}[{', '.join(items)}]"
    return draft.cast(tensor, text if proven else f"{text} else 0")
