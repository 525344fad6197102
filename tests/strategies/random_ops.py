"""Hypothesis strategies of operators: `surface_ops` of any form that the grammar takes (names and types need not fit),
`typed_ops` that pass the checker, each with dims and inputs for a run.

Typed operators are built statement by statement over a few named dims: elementwise maps, reductions, contractions,
windows with `else`, masked sums, gathers; with `whole` also bounded reductions in every direction, sorts, scatters, calls
with several results and random bits (`random_indexing`). Values stay small, so that every backend's error bound is
meaningful.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from hypothesis import strategies as st

from uol.ir.program.rounding import round_to
from uol.ir.syntax import surface as s

NAMES = ("x", "w", "a", "b", "i", "j", "k", "n", "N", "M", "K", "T", "stride", "eps", "mean")
FLOATS = ("f64", "f32", "f16", "bf16")


# --- any form that the grammar takes ------------------------------------------------------------------------------------


def names() -> st.SearchStrategy[str]:
    """Identifiers."""
    return st.sampled_from(NAMES)


def numbers() -> st.SearchStrategy[s.Expr]:
    """Literals; never negative, as in a text."""
    integers = st.integers(0, 10**6).map(s.Number)
    floats = st.floats(0, allow_nan=False, allow_infinity=True).map(lambda v: s.Number(float(abs(v))))
    return st.one_of(integers, floats, st.booleans().map(s.Bool))


def surface_exprs() -> st.SearchStrategy[s.Expr]:
    """Expressions of every form."""
    leaves = st.one_of(numbers(), names().map(s.Name))
    return st.recursive(leaves, _larger_exprs, max_leaves=12)


def _larger_exprs(inner: st.SearchStrategy[s.Expr]) -> st.SearchStrategy[s.Expr]:
    binary = st.sampled_from(("+", "-", "*", "/", "%", "<", "<=", ">", ">=", "==", "!=", "and", "or"))
    fill = st.one_of(st.none(), inner)
    return st.one_of(
        st.builds(s.Unary, st.sampled_from(("neg", "not")), inner),
        st.builds(s.Binary, binary, inner, inner),
        _applications(inner),
        st.builds(s.Access, st.one_of(names().map(s.Name), _applications(inner)), _dims(inner), fill),
        _reductions(inner),
    )


def _dims(inner: st.SearchStrategy[s.Expr]) -> st.SearchStrategy[tuple[s.Expr | s.Pack, ...]]:
    return st.lists(st.one_of(inner, names().map(s.Pack)), max_size=3).map(tuple)


def _applications(inner: st.SearchStrategy[s.Expr]) -> st.SearchStrategy[s.Apply]:
    functions = st.sampled_from(("exp", "f32", "T", "acc", "select", "softmax", "count", "max", "sum"))
    keywords = st.lists(st.builds(s.Keyword, names(), inner), max_size=2).map(tuple)
    return st.builds(s.Apply, functions, _dims(inner), keywords)


def _reductions(inner: st.SearchStrategy[s.Expr]) -> st.SearchStrategy[s.Reduction]:
    relations = st.sampled_from(("<", "<=", ">", ">=", "==", "!="))
    binders = st.one_of(
        st.builds(s.Binder, names()),
        st.builds(s.Binder, names(), relations, inner),
        names().map(lambda n: s.Binder(n, pack=True)),
    )
    ops = st.sampled_from(("sum", "prod", "max", "min", "any", "all", "argmax", "argmin", "topk", "sort", "argsort"))
    return st.builds(
        s.Reduction,
        ops,
        st.lists(binders, min_size=1, max_size=2).map(tuple),
        st.lists(inner, min_size=1, max_size=2).map(tuple),
    )


def surface_ops() -> st.SearchStrategy[s.Op]:
    """Operators of any form: they print and parse, and most do not pass the checker."""
    exprs = surface_exprs()
    params = st.builds(s.Param, names(), st.sampled_from(("T", "f32", "i32", "acc(T)")), _dims(exprs))
    attributes = st.builds(s.Attribute, names(), st.sampled_from(("int", "float")), st.one_of(st.none(), exprs))
    targets = st.builds(s.Target, names(), _dims(exprs))
    types = st.lists(st.sampled_from(FLOATS), min_size=1, max_size=3).map(tuple)
    statements = st.one_of(
        st.builds(s.Statement, st.tuples(targets), st.sampled_from(("=", "+=")), exprs),
        st.builds(s.Statement, st.lists(targets, min_size=2, max_size=3).map(tuple), st.just("="), exprs),
    )
    return st.builds(
        s.Op,
        names(),
        st.lists(params, max_size=2).map(tuple),
        st.lists(attributes, max_size=2).map(tuple),
        st.lists(params, min_size=1, max_size=2).map(tuple),
        st.lists(st.builds(s.TypeSet, names(), types), max_size=2).map(tuple),
        st.lists(exprs, max_size=2).map(tuple),
        st.lists(statements, max_size=3).map(tuple),
    )


# --- operators that pass the checker ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A well-typed operator `text` with one type variable T, sizes for its dims, and inputs by name."""

    text: str
    dtype: str
    dims: dict[str, int]
    inputs: dict[str, np.ndarray]


@dataclass
class Tensor:
    name: str
    axes: tuple[str, ...]  # dims by name; an index of a dim is its lower case
    dtype: str


@dataclass
class Draft:
    draw: st.DrawFn
    tensors: list[Tensor] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)
    callees: list[str] = field(default_factory=list)

    def pick(self, *choices: str) -> str:
        return self.draw(st.sampled_from(choices))


DIMS = ("N", "M", "K")


@st.composite
def typed_ops(
    draw: st.DrawFn,
    dtypes: tuple[str, ...] = ("f64", "f32", "f16"),
    smallest: int = 1,
    largest: int = 7,
    whole: bool = False,
) -> Case:
    """An operator of one to three local statements and a result, with its inputs. Dims run from `smallest` to `largest`;
    results are finite where no dim is 0. With `whole`, statements of every form; the operator is the last of the text."""
    draft = Draft(draw)
    dims = DIMS[: draw(st.integers(1, 3))]
    if whole:
        draft.sizes = {d: draw(st.integers(smallest, largest)) for d in dims}
    has_segments = whole and len(dims) == 3 and draw(st.integers(0, 2)) == 0
    if has_segments:  # operands of products whose rows or terms have a key
        draft.tensors += [Tensor("x", dims[:2], "T"), Tensor("w", dims[::2], "T"), Tensor("v", dims, "T")]
    for name in () if has_segments else ("x", "w", "v")[: draw(st.integers(1, 3))]:
        axes = tuple(d for d in dims if draw(st.booleans())) or dims[:1]
        draft.tensors.append(Tensor(name, axes, "T"))
    inputs = list(draft.tensors)
    has_map = draw(st.booleans()) or whole
    if has_map:
        draft.tensors.append(Tensor("at", dims[:1], "i32"))
        inputs.append(draft.tensors[-1])
    if has_segments:
        from random_indexing import segments_statement

        segments_statement(draft, "s")
    for number in range(draw(st.integers(1, 3))):
        _local(draft, f"t{number}", dims, whole)
    results = [t for t in draft.tensors if t.dtype == "acc"] if whole else draft.tensors[-1:]
    head = ", ".join(f"{t.name}: {t.dtype}[{', '.join(t.axes)}]" for t in inputs)
    extra = [d for d in dims if not any(d in t.axes for t in inputs)]
    head += "".join(f", e{n}: T[{d}]" for n, d in enumerate(extra))
    inputs += [Tensor(f"e{n}", (d,), "T") for n, d in enumerate(extra)]
    given = [(f"y{n if whole else ''}", t.name, t.axes) for n, t in enumerate(results)]
    shapes = ", ".join(f"{y}: T[{', '.join(axes)}]" for y, _, axes in given)
    last = [f"  {y}[{i}] = T({t}[{i}])" for y, t, axes in given for i in [", ".join(a.lower() for a in axes)]]
    is_sorted = has_segments or (whole and draw(st.booleans()))
    promise = " where sorted(at)" if is_sorted else ""
    text = f"op random({head}) -> ({shapes}) for T in (f64, f32, f16, bf16){promise} {{\n"
    text += "\n".join((*draft.lines, *last)) + "\n}"
    dtype = draw(st.sampled_from(dtypes))
    sizes = draft.sizes or {d: draw(st.integers(smallest, largest)) for d in dims}
    text = "\n".join((*draft.callees, text))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values = {t.name: _values(rng, t, dtype, sizes) for t in inputs}
    if is_sorted:
        values["at"] = np.sort(values["at"])
    if whole and draw(st.booleans()):
        values = {name: np.round(v * 2) / 2 if v.dtype.kind == "f" else v for name, v in values.items()}  # ties for sorts
    return Case(text, dtype, sizes, values)


def _values(rng: np.random.Generator, tensor: Tensor, dtype: str, sizes: dict[str, int]) -> np.ndarray:
    shape = tuple(sizes[d] for d in tensor.axes)
    if tensor.dtype == "i32":
        return rng.integers(-1, 8, shape)  # some outside of any dim
    return round_to(rng.uniform(-2, 2, shape), dtype)


def _local(draft: Draft, name: str, dims: tuple[str, ...], whole: bool) -> None:
    """One local statement; its value has the accumulator's type."""
    if whole and draft.draw(st.integers(0, 9)) < 6:
        from random_indexing import indexing_statement

        if indexing_statement(draft, name):
            return
    kind = draft.pick("map", "map", "sum", "extremum", "contract", "window", "masked", "gather", "select")
    build = {
        "map": _map,
        "sum": _sum,
        "extremum": _extremum,
        "contract": _contract,
        "window": _window,
        "masked": _masked,
        "gather": _gather,
        "select": _select,
    }[kind]
    axes, value = build(draft, dims)
    draft.lines.append(f"  {name}[{', '.join(a.lower() for a in axes)}] = {value}")
    draft.tensors.append(Tensor(name, axes, "acc"))


def floats(draft: Draft) -> list[Tensor]:
    return [t for t in draft.tensors if t.dtype != "i32"]


def read(draft: Draft, tensor: Tensor) -> str:
    text = f"{tensor.name}[{', '.join(a.lower() for a in tensor.axes)}]"
    return f"acc({text})" if tensor.dtype == "T" else text


def _tensor(draft: Draft) -> Tensor:
    return draft.draw(st.sampled_from(floats(draft)))


def _axes(*tensors: Tensor) -> tuple[str, ...]:
    return tuple(d for d in DIMS if any(d in t.axes for t in tensors))


def _map(draft: Draft, dims: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    a, b = _tensor(draft), _tensor(draft)
    left, right = read(draft, a), read(draft, b)
    form = draft.pick(
        "{a} + {b}",
        "{a} - {b} * 0.5",
        "{a} * {b}",
        "max({a}, {b})",
        "min({a}, 1)",
        "{a} / (1 + abs({b}))",
        "exp(min({a}, 2))",
        "tanh({a}) + {b}",
        "sqrt(abs({a}))",
        "-{a} + 3",
    )
    return (_axes(a, b) if "{b}" in form else _axes(a)), form.format(a=left, b=right)


def _sum(draft: Draft, dims: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    a = _tensor(draft)
    over = draft.draw(st.sampled_from(a.axes)) if a.axes else None
    if over is None:
        return (), read(draft, a)
    rest = tuple(d for d in a.axes if d != over)
    scale = draft.pick("", " / (" + over + " + 1)", " * 0.25")
    return rest, f"sum[{over.lower()}]({read(draft, a)}){scale}"


def _extremum(draft: Draft, dims: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    a = _tensor(draft)
    if not a.axes:
        return (), read(draft, a)
    over = draft.draw(st.sampled_from(a.axes))
    return tuple(d for d in a.axes if d != over), f"{draft.pick('max', 'min')}[{over.lower()}]({read(draft, a)})"


def _contract(draft: Draft, dims: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    a, b = _tensor(draft), _tensor(draft)
    shared = [d for d in a.axes if d in b.axes]
    if not shared:
        return _axes(a, b), f"{read(draft, a)} * {read(draft, b)}"
    over = draft.draw(st.sampled_from(shared))
    rest = tuple(d for d in _axes(a, b) if d != over)
    return rest, f"sum[{over.lower()}]({read(draft, a)} * {read(draft, b)})"


def _window(draft: Draft, dims: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    """A sliding window along one dim, with padding."""
    a = _tensor(draft)
    if not a.axes:
        return (), read(draft, a)
    along = draft.draw(st.sampled_from(a.axes))
    width, dilation = draft.draw(st.integers(1, 3)), draft.draw(st.integers(1, 2))
    items = [f"{d.lower()} + r*{dilation} - {width // 2}" if d == along else d.lower() for d in a.axes]
    padded = f"{a.name}[{', '.join(items)}] else "
    op, fill = draft.draw(st.sampled_from((("sum", "0"), ("max", "-inf"), ("min", "inf"))))
    padded = f"acc({padded}{fill})" if a.dtype == "T" else padded + fill
    # a window may lie outside as a whole: keep infinities out of what follows
    body = f"{op}[r < {width}]({padded})"
    body = body if op == "sum" else f"max(min({body}, 100), -100)"
    plain = f" + {read(draft, a)} * 0"  # the window's own dim stands alone in a plain read
    return a.axes, body + plain


def _masked(draft: Draft, dims: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    """A running sum: the terms up to the index."""
    a = _tensor(draft)
    if not a.axes:
        return (), read(draft, a)
    along = draft.draw(st.sampled_from(a.axes))
    i = along.lower()
    items = ", ".join("j" if d == along else d.lower() for d in a.axes)
    inner = f"acc({a.name}[{items}])" if a.dtype == "T" else f"{a.name}[{items}]"
    bounds = draft.pick(f"j <= {i}", f"j < {i}", f"j > {i} - 2, j <= {i}")
    return a.axes, f"sum[{bounds}]({inner}) + {read(draft, a)}"


def _gather(draft: Draft, dims: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    """Rows picked by the i32 input, where there is one."""
    a = _tensor(draft)
    maps = [t for t in draft.tensors if t.dtype == "i32"]
    if not maps or not a.axes:
        return _map(draft, dims)
    (index,) = (m.lower() for m in maps[0].axes)
    along = draft.draw(st.sampled_from(a.axes))
    items = ", ".join(f"at[{index}]" if d == along else d.lower() for d in a.axes)
    axes = tuple(d for d in DIMS if d in (*(d for d in a.axes if d != along), *maps[0].axes))
    found = f"{a.name}[{items}] else 0"
    value = f"acc({found})" if a.dtype == "T" else f"({found})"
    return axes, value


def _select(draft: Draft, dims: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    a, b = _tensor(draft), _tensor(draft)
    left, right = read(draft, a), read(draft, b)
    form = draft.pick("select({a} > 0, {a}, {b})", "select({a} <= {b}, 1, {a} * 0.5)", "select(not ({a} < {b}), {b}, 0)")
    return _axes(a, b), form.format(a=left, b=right)
