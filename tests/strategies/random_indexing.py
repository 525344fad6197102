"""Statements of random operators that order, scan, scatter, call and draw: what `random_ops` adds for the whole grammar.

Keys of sorts are inputs as they are: places that depended on rounding could not be judged.
"""

from __future__ import annotations

from hypothesis import strategies as st
from random_ops import Draft, Tensor, floats, read

SPREAD = """op spread(x: T[A, B]) -> (top: T[A], away: T[A, B]) for T in (f64, f32, f16, bf16) {
  top[a] = max[b](x[a, b])
  away[a, b] = T(acc(x[a, b]) - acc(top[a]))
}"""


def indexing_statement(draft: Draft, name: str) -> bool:
    """Adds the lines of a local `name` of the accumulator's type, of a form that fits the draft; False where none does."""
    forms = (_bounded, _bounded, _order, _order, _scatter, _scatter, _call, _random, _groups, _outer)
    axes = draft.draw(st.sampled_from(forms))(draft, name)
    if axes is None:
        return False
    draft.tensors.append(Tensor(name, axes, "acc"))
    return True


def segments_statement(draft: Draft, name: str) -> None:
    """The same of a form that may be a contraction in segments."""
    axes = draft.draw(st.sampled_from((_groups, _outer)))(draft, name)
    if axes is not None:
        draft.tensors.append(Tensor(name, axes, "acc"))


def items(axes: tuple[str, ...], changed: dict[str, str] | None = None) -> str:
    """`[n, k]` over axes, with some indices exchanged."""
    return "[" + ", ".join((changed or {}).get(a, a.lower()) for a in axes) + "]"


def _with_axes(draft: Draft, candidates: list[Tensor]) -> Tensor | None:
    found = [t for t in candidates if t.axes]
    return draft.draw(st.sampled_from(found)) if found else None


def _bounded(draft: Draft, name: str) -> tuple[str, ...] | None:
    """Running reductions in every direction, windows, and bodies that depend on the bound."""
    a = _with_axes(draft, floats(draft))
    if a is None:
        return None
    along = draft.draw(st.sampled_from(a.axes))
    i = along.lower()
    inner = f"{a.name}{items(a.axes, {along: 'j'})}"
    inner = f"acc({inner})" if a.dtype == "T" else inner
    bound = draft.pick(f"j <= {i}", f"j < {i}", f"j >= {i}", f"j > {i}", f"j > {i} - 2, j <= {i}", f"j >= {i}, j < {i} + 2")
    body = draft.pick("{x}", "{x} * 0.5", "abs({x})", f"{{x}} + {read(draft, a)}").format(x=inner)
    op = draft.pick("sum", "sum", "max", "min")
    value = f"{op}[{bound}]({body})"
    value = value if op == "sum" else f"max(min({value}, 100), -100)"
    draft.lines.append(f"  {name}{items(a.axes)} = {value} + {read(draft, a)}")
    return a.axes


def _order(draft: Draft, name: str) -> tuple[str, ...] | None:
    """Places or values of a sort of an input, and something read at those places."""
    a = _with_axes(draft, [t for t in draft.tensors if t.dtype == "T"])
    if a is None:
        return None
    along = draft.draw(st.sampled_from(a.axes))
    rest = tuple(d for d in a.axes if d != along)
    key = f"[q]({a.name}{items(a.axes, {along: 'q'})}"
    shorter = [d for d, n in draft.sizes.items() if d not in rest and n <= draft.sizes[along]]
    form = draft.pick("topk", "sort", "argsort")
    place = draft.draw(st.sampled_from(shorter)) if form == "topk" else along
    axes = (*rest, place)
    value = f"{form}{key}{f', {place}' if form == 'topk' else ''})"
    places, kept = f"{name}p{items(axes)}", f"{name}v{items(axes)}"
    if form == "argsort":
        draft.lines.append(f"  {places} = {value}")
        kept = f"{a.name}{items(a.axes, {along: places})}"
    else:
        draft.lines.append(f"  ({kept}, {places}) = {value}" if draft.draw(st.booleans()) else f"  {kept} = {value}")
    draft.lines.append(f"  {name}{items(axes)} = acc({kept}) * 0.5")
    return axes


def _scatter(draft: Draft, name: str) -> tuple[str, ...] | None:
    """Sums by the integer input, where there is one, read on at a plain index."""
    maps = [t for t in draft.tensors if t.dtype == "i32"]
    if not maps:
        return None
    (spread,) = maps[0].axes
    a = _with_axes(draft, [t for t in floats(draft) if spread in t.axes])
    if a is None:
        return None
    rest = tuple(d for d in a.axes if d != spread)
    known = [(d, t) for t in floats(draft) for d in t.axes if d not in rest]
    into, other = draft.draw(st.sampled_from(known))
    target = f"{name}s{items(a.axes, {spread: f'at[{spread.lower()}]'})}"
    for _ in range(draft.draw(st.integers(1, 2))):
        draft.lines.append(f"  {target} += {draft.pick('{x}', '{x} * 0.5', 'abs({x})').format(x=read(draft, a))}")
    axes = tuple(into if d == spread else d for d in a.axes)
    extra = tuple(d for d in other.axes if d not in axes)
    over = (*axes, *extra)
    draft.lines.append(f"  {name}{items(over)} = {name}s{items(axes)} + {read(draft, other)}")
    return over


def _groups(draft: Draft, name: str) -> tuple[str, ...] | None:
    """A product whose second operand is that of the row's key: in segments, where the keys are sorted."""
    maps = [t for t in draft.tensors if t.dtype == "i32"]
    if not maps:
        return None
    (spread,) = maps[0].axes
    pairs = [(a, b, d) for a in floats(draft) if spread in a.axes for b in floats(draft) for d in b.axes if d != spread]
    pairs = [(a, b, d) for a, b, d in pairs if d in a.axes and len(b.axes) > 1]
    if not pairs:
        return None
    wide = [(a, b, d) for a, b, d in pairs if set(b.axes) - set(a.axes)]  # those whose columns are b's own
    a, b, over = draft.draw(st.sampled_from(wide or pairs))
    into = spread if spread in b.axes else draft.draw(st.sampled_from([d for d in b.axes if d != over]))
    place = f"{b.name}{items(b.axes, {into: f'at[{spread.lower()}]'})} else 0"
    other = f"acc({place})" if b.dtype == "T" else f"({place})"
    rest = tuple(d for d in dict.fromkeys((*a.axes, *(d for d in b.axes if d != into))) if d != over)
    draft.lines.append(f"  {name}{items(rest)} = sum[{over.lower()}]({read(draft, a)} * {other})")
    return rest


def _outer(draft: Draft, name: str) -> tuple[str, ...] | None:
    """Sums of products by the integer input, read on at plain indices: the terms of a segment, where the keys are sorted."""
    maps = [t for t in draft.tensors if t.dtype == "i32"]
    if not maps:
        return None
    (spread,) = maps[0].axes
    spreading = [t for t in floats(draft) if spread in t.axes]
    if not spreading:
        return None
    a, b = (draft.draw(st.sampled_from(spreading)) for _ in range(2))
    rest = tuple(d for d in dict.fromkeys((*a.axes, *b.axes)) if d != spread)
    known = [(d, t) for t in floats(draft) for d in t.axes if d not in rest]
    if not known:
        return None
    into, other = draft.draw(st.sampled_from(known))
    target = f"{name}s{items((spread, *rest), {spread: f'at[{spread.lower()}]'})}"
    draft.lines.append(f"  {target} += {read(draft, a)} * {read(draft, b)}")
    axes = (into, *rest)
    over = (*axes, *(d for d in other.axes if d not in axes))
    draft.lines.append(f"  {name}{items(over)} = {name}s{items(axes)} + {read(draft, other)}")
    return over


def _call(draft: Draft, name: str) -> tuple[str, ...] | None:
    """Both results of a call."""
    a = _with_axes(draft, [t for t in draft.tensors if t.dtype == "T" and len(t.axes) == 2])
    if a is None:
        return None
    if SPREAD not in draft.callees:
        draft.callees.append(SPREAD)
    draft.lines.append(f"  ({name}a{items(a.axes[:1])}, {name}b{items(a.axes)}) = spread({a.name})")
    draft.lines.append(f"  {name}{items(a.axes)} = acc({name}a{items(a.axes[:1])}) + acc({name}b{items(a.axes)}) * 2")
    return a.axes


def _random(draft: Draft, name: str) -> tuple[str, ...] | None:
    """Uniform numbers, one an element."""
    a = _with_axes(draft, floats(draft))
    if a is None:
        return None
    seed = draft.draw(st.integers(0, 2**31 - 1))
    counter = " * 7 + ".join(d.lower() for d in a.axes)
    bits = f"acc(T(f32(random_bits({seed}, {counter})) * 2.3283064365386963e-10))"
    draft.lines.append(f"  {name}{items(a.axes)} = {bits} + {read(draft, a)}")
    return a.axes
