"""Index expressions of reads and scatters."""

from __future__ import annotations

from uol.conformance.random_texts.draft import STEP, Draft, Scope

PROVEN = {"plain": 44, "reversed": 10, "quotient": 8, "remainder": 12, "clamped": 6, "reversed quotient": 4, "end": 3}
"""Forms that lie inside for every size, with weights."""
FREE = {
    **{"shifted": 16, "sum": 14, "strided": 8, "mirrored": 6, "quotient and sum": 9, "remainder and sum": 9},
    **{"nested": 9, "difference": 5, "data": 16, "quotient of sum": 6},
}
"""Forms that may lie outside."""


def inside(draft: Draft, dim: str, scope: Scope) -> str | None:
    """An index that is proven to lie within a dim; None where the scope has none of the form that was drawn."""
    own = [name for name, extent in scope.items() if extent == dim]
    form = draft.forms(PROVEN)
    if form == "end":
        return draft.pick(("0", f"{dim} - 1")) if draft.require(dim, 1) else None
    if form == "remainder":
        return _remainder(draft, dim, scope)
    if not own:
        return None
    name, by = draft.pick(own), draft.pick((2, 2, 3))
    match form:
        case "plain":
            return name
        case "reversed":
            return f"{dim} - 1 - {name}"
        case "quotient":
            return f"{name} / {by}"
        case "reversed quotient":
            return f"{dim} - 1 - {name} / {by}"
    return draft.pick((f"max({name} - {by - 1}, 0)", f"min({name} + {by - 1}, {dim} - 1)"))


def _remainder(draft: Draft, dim: str, scope: Scope) -> str | None:
    if not scope:
        return None
    what = draft.pick(("{a}", "({a} + {c})", "({a} + {b})", "{a} * {c}", "({a} / 2)", "(2 * {a} + {b})"))
    a, b = draft.pick(list(scope)), draft.pick(list(scope))
    text = what.format(a=a, b=b, c=draft.pick((1, 2, 3)))
    modulus = draft.pick((2, 3, 4))
    if draft.chance(0.5) and draft.require(dim, modulus):
        return f"{text} % {modulus}"
    return f"{text} % {dim}" if draft.require(dim, 1) else None


def anywhere(draft: Draft, dim: str, scope: Scope) -> str:
    """An index that may lie outside of a dim."""
    names = list(scope) or ["0"]
    own = [name for name, extent in scope.items() if extent == dim] or names
    near = own if draft.chance(0.7) else names
    a, b, c = draft.pick(near), draft.pick(names), draft.pick((1, 1, 2, 3))
    by, modulus = draft.pick((2, 3)), draft.pick((2, 3, 5))
    if draft.step and draft.chance(0.4):
        return draft.pick(_stepped(draft.step > 0, dim, a, b, c))
    match draft.forms(FREE):
        case "shifted":
            return draft.pick((f"{a} + {c}", f"{a} - {c}"))
        case "sum":
            return draft.pick((f"{a} + {b}", f"{a} + {b} - {c}", f"{b} + {c} + {a}"))
        case "strided":
            return draft.pick((f"{by} * {a}", f"{by} * {a} - {c}", f"{a} * {by} + {b}", f"{a} * {by} + {b} - {c}"))
        case "mirrored":
            return draft.pick((f"{dim} - {a}", f"{c} - {a}", f"{dim} - 1 - {by} * {a}", f"{dim} - {a} - {b}"))
        case "quotient and sum":
            return draft.pick((f"{a} / {by} + {b}", f"{a} + {b} / {by}", f"{a} / {by} - {b} + {c}", f"{a} / {by} + {c}"))
        case "remainder and sum":
            return draft.pick((f"{a} % {modulus} + {b}", f"({a} + {c}) + ({b} % {modulus})", f"{a} - {b} % {modulus}"))
        case "nested":
            return draft.pick(
                (
                    *(f"({a} / {by}) % {modulus} + {b}", f"({a} % {modulus}) / {by} + {b}", f"({a} + {b}) % {modulus} + {c}"),
                    *(f"{by} * ({a} / {by}) + {b}", f"({a} * {by} + {c}) % {modulus}", f"({a} + {c}) / {by} % {modulus}"),
                    f"{dim} - 1 - ({a} + {c}) % {modulus}",
                )
            )
        case "difference":
            return draft.pick((f"{a} - {b}", f"{b} - {a} + {c}", f"{by} * {a} - {b}"))
        case "quotient of sum":
            return draft.pick((f"({a} + {b}) / {by}", f"({a} + {c}) / {by}", f"({by} * {a} + {b}) / {modulus}"))
    return data(draft, dim, scope) or f"{a} + {c}"


def _stepped(is_positive: bool, dim: str, a: str, b: str, c: int) -> tuple[str, ...]:
    """Forms with the attribute, of which a divisor is above 0."""
    if not is_positive:
        return f"{dim} - 1 + {STEP} * {a}", f"{a} * {STEP} + {b} + {c}", f"{a} + {STEP}", f"{a} - {STEP}"
    windows = f"{a} * {STEP}", f"{a} * {STEP} + {b} - {c}", f"{b} * {STEP} + {a}", f"{dim} - {STEP} * {a}"
    return *windows, f"{a} + {STEP} - {c}", f"({a} + {c}) / {STEP}", f"{a} % {STEP} + {b}", f"({a} + {b} - {c}) / {STEP}"


def data(draft: Draft, dim: str, scope: Scope) -> str | None:
    """An index read from an integer tensor; None where the scope does not reach into one."""
    for tensor in draft.rng.sample(draft.integers(), len(draft.integers())):
        places = [[n for n, extent in scope.items() if extent == d] for d in tensor.dims]
        if all(places):
            read = f"{tensor.name}[{', '.join(draft.pick(p) for p in places)}]"
            other = draft.pick(list(scope))
            return draft.pick((read, read, read, f"{read} + {other}", f"{dim} - 1 - {read}", f"{read} - 1"))
    return None
