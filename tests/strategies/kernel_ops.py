"""Random operators for every floor: the same seed gives the same text, sizes, inputs and layouts.

Statements read each other at their own and at other indices; reductions stand over one or several axes, within
expressions and under masks; products, windows, gathers, ragged sums, extrema with their places, integers, conditions and
calls of the library's operators occur. Not every text passes the checker (an argmax over nothing does not): what is
refused is refused with a `UolError`.

An integer is computed only from what is exact, since the admitted interval of a value says nothing about integers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import prod
from random import Random

import numpy as np
from case_data import layout_of, result_layout_of, values_of

FLOATS = ("f32", "f16", "bf16", "f64")
INTEGERS = ("i32", "i64", "i8", "u8", "i16")
SIZES = (1, 1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 17, 33)
POINTS = 2500
"""How many points all dims of an operator may span together, and a reduction by two axes with its rows."""


@dataclass(frozen=True)
class KernelCase:
    """An operator with one type variable T, sizes for its dims, run-time attributes, inputs (rounded to their types, equal
    along dims of stride 0) and element strides of tensors that do not lie row-major."""

    seed: int
    text: str
    dtype: str
    dims: dict[str, int]
    attrs: dict[str, int | float]
    inputs: dict[str, np.ndarray]
    strides: dict[str, tuple[int, ...]]
    special: bool

    def __repr__(self) -> str:
        special = ", special values" if self.special else ""
        return f"<seed {self.seed}: T={self.dtype}, {self.dims}, {self.attrs}, strides {self.strides}{special}>\n{self.text}"


@dataclass(frozen=True)
class Tensor:
    """`kind` is T, acc, an integer type or bool. An exact one may become an integer or an index."""

    name: str
    dims: tuple[str, ...]
    kind: str
    exact: bool


@dataclass
class Scope:
    """Indices in reach: their dim by name. `plain` collects those that have stood alone without an `else`."""

    dims: dict[str, str]
    plain: set[str] = field(default_factory=set)

    def of(self, dim: str) -> list[str]:
        return [i for i, d in self.dims.items() if d == dim]

    @contextmanager
    def binding(self, bound: dict[str, str]) -> Iterator[Scope]:
        """The scope of a reduction's body."""
        inner = Scope({**self.dims, **bound}, self.plain - set(bound))
        yield inner
        self.plain |= inner.plain - set(bound)


def kernel_cases(seeds: range, dtypes: tuple[str, ...] = FLOATS) -> Iterator[KernelCase]:
    """One case a seed."""
    return (kernel_case(seed, dtypes[seed % len(dtypes)]) for seed in seeds)


def kernel_case(seed: int, dtype: str) -> KernelCase:
    """The operator of a seed, for one type."""
    return _Draft(Random(seed), dtype).case(seed)


@dataclass
class _Draft:
    rng: Random
    dtype: str
    tensors: list[Tensor] = field(default_factory=list)
    inputs: list[Tensor] = field(default_factory=list)
    results: list[Tensor] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    dims: tuple[str, ...] = ()
    sizes: dict[str, int] = field(default_factory=dict)
    attrs: dict[str, int | float] = field(default_factory=dict)

    # --- choices -------------------------------------------------------------------------------------------------------

    def one(self, *choices: str) -> str:
        return self.rng.choice(choices)

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def some_dims(self, low: int, high: int) -> tuple[str, ...]:
        count = min(len(self.dims), self.rng.randint(low, high))
        return tuple(self.rng.sample(self.dims, count))

    # --- the whole operator ----------------------------------------------------------------------------------------------

    def case(self, seed: int) -> KernelCase:
        rng = self.rng
        self.dims = ("N", "M", "K", "C")[: rng.choice((1, 2, 2, 3, 3, 3, 4))]
        self.sizes = self.some_sizes()
        self.attributes()
        for name in ("x", "w", "v")[: rng.randint(1, 3)]:
            self.add_input(name, self.some_dims(1, 3), "T")
        for name, kind in (("at", "i32"), ("q", rng.choice(INTEGERS)), ("on", "bool")):
            if self.chance(0.35):
                self.add_input(name, self.some_dims(1, 2), kind)
        for number in range(rng.randint(1, 5)):
            self.statement(number)
        if not self.results:
            self.define("y", self.some_dims(1, 3), "T", result=True)
        for dim in self.dims:
            if not any(dim in t.dims for t in self.inputs):
                self.helper(dim)
        head = ", ".join(f"{t.name}: {t.kind}[{', '.join(t.dims)}]" for t in self.inputs)
        if self.attrs:
            head += "; " + ", ".join(f"{n}: {type(v).__name__}" for n, v in self.attrs.items())
        tail = ", ".join(f"{t.name}: {t.kind}[{', '.join(t.dims)}]" for t in self.results)
        text = "\n".join((f"op random{seed}({head}) -> ({tail}) for T in (f64, f32, f16, bf16) {{", *self.lines, "}"))
        return self.finished(seed, text)

    def finished(self, seed: int, text: str) -> KernelCase:
        special = self.chance(0.25)
        numbers = np.random.default_rng(self.rng.randrange(2**32))
        strides: dict[str, tuple[int, ...]] = {}
        inputs: dict[str, np.ndarray] = {}
        for t in self.inputs:
            shape = tuple(self.sizes[d] for d in t.dims)
            layout = layout_of(self.rng, shape)
            inputs[t.name] = values_of(numbers, self.dtype if t.kind == "T" else t.kind, shape, layout, special)
            if layout is not None:
                strides[t.name] = layout
        for t in self.results:
            layout = result_layout_of(self.rng, tuple(self.sizes[d] for d in t.dims))
            if layout is not None:
                strides[t.name] = layout
        return KernelCase(seed, text, self.dtype, self.sizes, self.attrs, inputs, strides, special)

    def some_sizes(self) -> dict[str, int]:
        sizes = {d: self.rng.choice(SIZES) for d in self.dims}
        while prod(sizes.values()) > POINTS:
            largest = max(sizes, key=lambda d: sizes[d])
            sizes[largest] = self.rng.choice([s for s in SIZES if s < sizes[largest]])
        if self.chance(0.06):
            sizes[self.rng.choice(self.dims)] = 0
        return sizes

    def attributes(self) -> None:
        if self.chance(0.3):
            self.attrs["alpha"] = self.rng.choice((0.5, -1.25, 2.0, 0.3))
        if self.chance(0.2):
            self.attrs["gap"] = self.rng.randint(0, 2)
        if self.chance(0.15):
            self.attrs["bias"] = self.rng.randint(-3, 9)

    def add_input(self, name: str, dims: tuple[str, ...], kind: str) -> Tensor:
        tensor = Tensor(name, dims, kind, exact=True)
        self.inputs.append(tensor)
        self.tensors.append(tensor)
        return tensor

    def helper(self, dim: str) -> Tensor:
        """An input over one dim: it says how far an index runs that stands alone nowhere else."""
        name = f"e_{dim.lower()}"
        known = next((t for t in self.inputs if t.name == name), None)
        return known or self.add_input(name, (dim,), "T")

    # --- statements ------------------------------------------------------------------------------------------------------

    def statement(self, number: int) -> None:
        result = len(self.results) < 3 and (self.chance(0.35) or number == 4)
        name = f"y{len(self.results)}" if result else f"t{number}"
        kind = self.one(*("T",) * 4, *("acc",) * 0 if result else ("acc",) * 5, "integer", "bool", "place", "call")
        match kind:
            case "integer":
                self.define(name, self.some_dims(0, 3), self.one("i32", "i64", "i32", "u8", "i8"), result=result)
            case "place":
                self.define_place(name, result)
            case "call":
                self.define_call(name, result)
            case _:
                self.define(name, self.some_dims(0, 3), kind, result=result)

    def define(self, name: str, dims: tuple[str, ...], kind: str, *, result: bool) -> None:
        scope = Scope({d.lower(): d for d in dims})
        exact = kind in INTEGERS or (kind == "bool" and self.chance(0.5))
        match kind:
            case "bool":
                value = self.truth(scope, exact)
            case "T" if self.chance(0.2) and self.readable(scope, ("T",)):
                value = self.narrow(scope)
            case "T":
                value = f"T({self.float_value(scope)})"
            case "acc":
                value = self.float_value(scope)
            case _:
                value = self.integer_value(scope, kind)
        self.finish(name, dims, kind, value, scope, exact, result)

    def finish(self, name: str, dims: tuple[str, ...], kind: str, value: str, scope: Scope, exact: bool, result: bool) -> None:
        """Writes a statement; every index of a local has a place where it stands alone."""
        missing = [d for d in dims if d.lower() not in scope.plain] if not result else []
        if missing and kind not in ("T", "acc"):
            result = True  # a result's dims are declared
            name = f"y{len(self.results)}"
        elif missing:
            more = " + ".join(f"acc({self.helper(d).name}[{d.lower()}])" for d in missing)
            value = f"T(acc({value}) + {more})" if kind == "T" else f"{value} + {more}"
        self.lines.append(f"  {name}[{', '.join(d.lower() for d in dims)}] = {value}")
        tensor = Tensor(name, dims, kind, exact)
        self.tensors.append(tensor)
        if result:
            self.results.append(tensor)

    def define_place(self, name: str, result: bool) -> None:
        """argmax or argmin over one or two axes."""
        over = self.some_dims(1, 2)
        dims = tuple(d for d in self.some_dims(0, 2) if d not in over)
        scope = Scope({d.lower(): d for d in dims})
        exact = self.chance(0.6)
        with scope.binding({d.lower(): d for d in over}) as inner:
            body = self.read(self.some_exact(), inner) if exact else self.number(inner, 1)
            binders = self.bounded({d.lower(): d for d in over}, inner)
        value = f"{self.one('argmax', 'argmin')}[{binders}]({body})"
        self.finish(name, dims, "i64", value, scope, exact, result)

    def define_call(self, name: str, result: bool) -> None:
        """A call of an operator of the library on a tensor of floats."""
        sources = [t for t in self.tensors if t.kind in ("T", "acc") and t.dims]
        source = self.rng.choice(sources)
        index = ", ".join(d.lower() for d in source.dims)
        fn = self.one("softmax", "relu", "sigmoid", "gelu", "silu", "softmax")
        value = f"{fn}({source.name})[{index}]"
        scope = Scope({d.lower(): d for d in source.dims})
        if self.chance(0.4) and source.kind == "T":
            value = f"T(acc({value}) * 0.5 + {self.number(scope, 0)})"
        if result and source.kind == "acc":
            value = f"T({value})"
        scope.plain |= set(scope.dims)
        self.finish(name, source.dims, "T" if result else source.kind, value, scope, False, result)

    # --- values of the accumulator's type --------------------------------------------------------------------------------

    def float_value(self, scope: Scope) -> str:
        """The right side of a statement: an expression, or one around reductions."""
        if self.chance(0.4):
            return self.number(scope, self.rng.randint(1, 3))
        first = self.reduction(scope)
        match self.rng.randrange(8):
            case 0 | 1 | 2:
                return first
            case 3:
                return f"{first} * 0.5 + {self.number(scope, 1)}"
            case 4:
                return f"max({self.number(scope, 1)} - {first}, 0)"
            case 5:
                return f"{first} + {self.reduction(scope)}"
            case 6:
                return f"exp(min({self.number(scope, 1)} - {first}, 1))"
            case _:
                return f"select({self.condition(scope, 0, False)}, {first}, {self.number(scope, 1)})"

    def reduction(self, scope: Scope) -> str:
        form = self.one("plain", "plain", "plain", "product", "product", "window", "masked", "ragged", "nested")
        build = getattr(self, f"{form}_reduction")
        text: str = build(scope)
        return text

    def bind(self, scope: Scope, low: int = 1, high: int = 2) -> dict[str, str]:
        """Names for indices of a reduction, each over a dim."""
        bound: dict[str, str] = {}
        points = prod(self.sizes[d] for d in scope.dims.values())
        for dim in self.some_dims(low, high):
            points *= self.sizes[dim]
            if bound and points > POINTS:
                break
            own = dim.lower()
            bound[own if own not in scope.dims else f"{own}{len(scope.dims)}"] = dim
        return bound

    def plain_reduction(self, scope: Scope) -> str:
        bound = self.bind(scope)
        op = self.one("sum", "sum", "sum", "max", "min", "prod")
        with scope.binding(bound) as inner:
            body = self.covering(self.number(inner, self.rng.randint(0, 2)), bound, inner)
        return f"{op}[{', '.join(bound)}]({body})"

    def bounded(self, bound: dict[str, str], inner: Scope) -> str:
        """Binders; one whose index stands nowhere alone says how far it runs."""
        return ", ".join(i if i in inner.plain else f"{i} < {dim}" for i, dim in bound.items())

    def covering(self, body: str, bound: dict[str, str], inner: Scope) -> str:
        """The body with a plain place for every bound index."""
        missing = [i for i in bound if i not in inner.plain]
        return body + "".join(f" + acc({self.helper(bound[i]).name}[{i}])" for i in missing)

    def product_reduction(self, scope: Scope) -> str:
        """sum(a * b): a contraction where the axes allow it."""
        bound = self.bind(scope)
        with scope.binding(bound) as inner:
            a, b = (self.read_as_acc(self.some_tensor(inner, ("T", "T", "acc")), inner) for _ in range(2))
            body = f"{a} * {b}"
            if self.chance(0.15):
                body = f"select({self.condition(inner, 0, True)}, {body}, 0)"
            return f"sum[{self.bounded(bound, inner)}]({body})"

    def window_reduction(self, scope: Scope) -> str:
        width, step, stride, pad = (self.rng.randint(*r) for r in ((1, 3), (1, 2), (1, 2), (0, 2)))
        source = self.some_tensor(scope, ("T", "acc"))
        items, used = [], False
        for dim in source.dims:
            known = scope.of(dim)
            if known and (not used or self.chance(0.3)):
                items.append(f"{known[0]}*{stride} + r*{step} - {pad}")
                used = True
            else:
                items.append(self.item(dim, scope)[0])
        op, fill = self.rng.choice((("sum", "0"), ("max", "-inf"), ("min", "inf"), ("sum", "1")))
        read = f"{source.name}[{', '.join(items)}] else {fill}"
        body = f"acc({read})" if source.kind == "T" else f"({read})"
        weight = self.read_as_acc(self.some_tensor(scope, ("T",)), scope) if op == "sum" and self.chance(0.5) else ""
        body = f"{body} * {weight}" if weight else body
        return f"{op}[r < {width}]({body})"

    def masked_reduction(self, scope: Scope) -> str:
        if not scope.dims:
            return self.plain_reduction(scope)
        i = self.rng.choice(sorted(scope.dims))
        j = f"j{len(scope.dims)}"
        bounds = self.one(f"{j} <= {i}", f"{j} < {i}", f"{j} > {i} - 2, {j} <= {i}", f"{j} >= {i}")
        with scope.binding({j: scope.dims[i]}) as inner:
            body = self.covering(self.number(inner, 0), {j: scope.dims[i]}, inner)
        return f"{self.one('sum', 'sum', 'max', 'prod')}[{bounds}]({body})"

    def ragged_reduction(self, scope: Scope) -> str:
        """As many terms as an integer says."""
        lengths = [t for t in self.tensors if t.kind in ("i32", "i64") and t.exact and all(scope.of(d) for d in t.dims)]
        if not lengths:
            return self.product_reduction(scope)
        dim = self.rng.choice(self.dims)
        length = self.read(self.rng.choice(lengths), scope, plain=True)
        j = f"j{len(scope.dims)}"
        with scope.binding({j: dim}) as inner:
            body = self.covering(self.number(inner, 0), {j: dim}, inner)
        return f"sum[{j} < {length}]({body})"

    def nested_reduction(self, scope: Scope) -> str:
        """A reduction whose body holds another one."""
        bound = self.bind(scope, 1, 1)
        with scope.binding(bound) as inner:
            deeper = self.plain_reduction(inner)
            body = self.covering(f"{self.number(inner, 0)} * {deeper}", bound, inner)
        return f"{self.one('sum', 'max')}[{', '.join(bound)}]({body})"

    def number(self, scope: Scope, depth: int) -> str:
        """An expression of the accumulator's type, in parentheses where it needs them."""
        if depth == 0:
            return self.leaf(scope)
        a = self.number(scope, depth - 1)
        match self.rng.randrange(10):
            case 0 | 1 | 2:
                op = self.one("+", "-", "*", "+")
                return f"({a} {op} {self.number(scope, depth - 1)})"
            case 3:
                return f"({a} / (1 + abs({self.number(scope, 0)})))"
            case 4:
                return f"{self.one('max', 'min')}({a}, {self.number(scope, 0)})"
            case 5:
                condition = self.condition(scope, self.rng.randint(0, 1), self.chance(0.5))
                return f"select({condition}, {a}, {self.number(scope, depth - 1)})"
            case 6:
                return f"acc(T({a}))"
            case 7:
                return f"(-{a})"
            case _:
                return self.function(a)

    def function(self, a: str) -> str:
        form = self.one(
            *("abs({a})", "exp(min({a}, 2))", "tanh({a})", "erf({a})", "sqrt(abs({a}))", "rsqrt(1 + abs({a}))", "sin({a})"),
            *("cos({a})", "log(1 + abs({a}))", "floor({a})", "ceil({a})", "round({a})", "exp2(min({a}, 3))"),
            *("expm1(min({a}, 2))", "log1p(abs({a}))", "log2(abs({a}) + 0.5)", "pow(abs({a}) + 0.25, 1.5)"),
        )
        return form.format(a=a)

    def leaf(self, scope: Scope) -> str:
        match self.rng.randrange(14):
            case 0:
                return self.one("0.5", "2", "3", "0.1", "1")
            case 1 if scope.dims:
                return f"acc(T({self.one(*sorted(scope.dims))}))"
            case 2 if "alpha" in self.attrs:
                return "alpha"
            case 3 if self.readable(scope, INTEGERS):
                return f"acc(T({self.read(self.some_tensor(scope, INTEGERS), scope)}))"
            case 4 if "bias" in self.attrs:
                return "acc(T(bias))"
            case _:
                return self.read_as_acc(self.some_tensor(scope, ("T", "T", "acc")), scope)

    def narrow(self, scope: Scope) -> str:
        """An expression of type T: what is rounded is its result alone."""
        a, b = (self.read(self.some_tensor(scope, ("T",)), scope) for _ in range(2))
        form = self.one(
            *("max({a}, 0)", "{a} * 2", "{a} + {b}", "select({a} > {b}, {a}, {b})", "-{a}", "abs({a})", "{a}"),
            *("({a} + {b}) * 0.1", "exp(min({a} - {b}, 1))", "{a} / (1 + abs({b}))", "0.1"),
        )
        return form.format(a=a, b=b)

    # --- reads -------------------------------------------------------------------------------------------------------------

    def readable(self, scope: Scope, kinds: tuple[str, ...]) -> list[Tensor]:
        exact = kinds == INTEGERS
        return [t for t in self.tensors if t.kind in kinds and (t.exact or not exact)]

    def some_tensor(self, scope: Scope, kinds: tuple[str, ...]) -> Tensor:
        """A tensor of these kinds, rather a late one, rather one whose dims are in reach."""
        found = self.readable(scope, kinds) or self.inputs[:1]
        near = [t for t in found if all(scope.of(d) for d in t.dims)]
        pool = near if near and self.chance(0.8) else found
        return self.rng.choice(pool[-2:] if self.chance(0.5) else pool)

    def read_as_acc(self, tensor: Tensor, scope: Scope) -> str:
        text = self.read(tensor, scope)
        return f"acc({text})" if tensor.kind == "T" else f"({text})" if " else " in text else text

    def read(self, tensor: Tensor, scope: Scope, *, plain: bool = False) -> str:
        """A read, mostly at plain indices, else anywhere with an `else`."""
        items: list[str] = []
        safe = True
        own: set[str] = set()
        for dim in tensor.dims:
            text, inside = self.item(dim, scope, plain=plain)
            items.append(text)
            safe &= inside
            own |= {text} & set(scope.dims)
        if safe:
            scope.plain |= {i for i in own if i in scope.dims}
        fill = {"bool": self.one("true", "false"), "T": self.one("0", "1", "0"), "acc": self.one("0", "2")}
        read = f"{tensor.name}[{', '.join(items)}]"
        return read if safe else f"{read} else {fill.get(tensor.kind, '3')}"

    def item(self, dim: str, scope: Scope, *, plain: bool = False) -> tuple[str, bool]:
        """An index of a dim, and whether it is surely inside."""
        own = scope.of(dim)
        if own and (plain or self.chance(0.78)):
            return self.rng.choice(own), True
        any_index = self.one(*(sorted(scope.dims) or ["0"]))
        match self.rng.randrange(9):
            case 0 if own:
                return f"{dim} - 1 - {own[0]}", True
            case 1 if own:
                return f"{own[0]} / 2", True
            case 2 if own and "gap" in self.attrs:
                return f"{own[0]} + gap", False
            case 3:
                indices = [t for t in self.tensors if t.kind in INTEGERS and t.exact and all(scope.of(d) for d in t.dims)]
                if indices:
                    return self.read(self.rng.choice(indices), scope, plain=True), False
                return f"{any_index} + 1", False
            case 4:
                return f"{any_index}*2 - 1", False
            case 5 if scope.dims:
                other = self.one(*sorted(scope.dims))
                return f"{any_index} + {other} - 1" if other != any_index else f"{any_index} % 3 + 1", False
            case 6:
                return self.one("0", "1", "2"), False
            case 7:
                return f"{any_index} - 1", False
        return f"{any_index} + 1", False

    # --- integers and conditions ---------------------------------------------------------------------------------------------

    def integer_value(self, scope: Scope, kind: str) -> str:
        if kind in ("i32", "i64") and self.chance(0.3):
            bound = self.bind(scope)
            with scope.binding(bound) as inner:
                body = self.integer(inner, kind, 1)
                binders = self.bounded(bound, inner)
            return f"{self.one('sum', 'max', 'min', 'prod')}[{binders}]({body})"
        return self.integer(scope, kind, self.rng.randint(0, 2))

    def integer(self, scope: Scope, kind: str, depth: int) -> str:
        if depth == 0:
            return self.integer_leaf(scope, kind)
        a, b = self.integer(scope, kind, depth - 1), self.integer(scope, kind, depth - 1)
        match self.rng.randrange(7):
            case 0 | 1:
                return f"({a} {self.one('+', '-', '*')} {b})"
            case 2:
                return f"({a} {self.one('/', '%')} {b})"
            case 3:
                return f"{self.one('max', 'min')}({a}, {b})"
            case 4:
                return f"select({self.condition(scope, 0, True)}, {a}, {b})"
            case 5:
                return f"abs({a})"
        return f"(-{a})"

    def integer_leaf(self, scope: Scope, kind: str) -> str:
        match self.rng.randrange(6):
            case 0:
                return f"{kind}({self.rng.randint(0, 5)})"
            case 1 if scope.dims:
                return f"{kind}({self.one(*sorted(scope.dims))})"
            case 2:
                return f"{kind}({self.read(self.some_exact(), scope)})"
            case 3:
                return f"{kind}({self.condition(scope, 0, True)})"
        found = self.readable(scope, INTEGERS)
        if not found:
            return f"{kind}({self.read(self.some_exact(), scope)})"
        tensor = self.rng.choice(found)
        read = self.read(tensor, scope)
        return f"({read})" if tensor.kind == kind else f"{kind}({read})"

    def some_exact(self) -> Tensor:
        return self.rng.choice([t for t in self.inputs if t.kind == "T"])

    def truth(self, scope: Scope, exact: bool) -> str:
        if not self.chance(0.4):
            return self.condition(scope, self.rng.randint(0, 2), exact)
        bound = self.bind(scope, 1, 1)
        with scope.binding(bound) as inner:
            body = self.condition(inner, 1, exact)
            binders = self.bounded(bound, inner)
        return f"{self.one('any', 'all')}[{binders}]({body})"

    def condition(self, scope: Scope, depth: int, exact: bool) -> str:
        if depth:
            a, b = self.condition(scope, depth - 1, exact), self.condition(scope, 0, exact)
            return self.one(f"({a} and {b})", f"({a} or {b})", f"not ({a})")
        match self.rng.randrange(6):
            case 0 | 1 if scope.dims:
                i, j = (self.one(*sorted(scope.dims)) for _ in range(2))
                return self.one(f"{i} > 0", f"{i} % 2 == 0", f"{i} + {j} < 4", f"{i} <= {j}", f"{i} != 1")
            case 2 if self.readable(scope, ("bool",)):
                flags = [t for t in self.readable(scope, ("bool",)) if t.exact or not exact]
                if flags:
                    return f"({self.read(self.rng.choice(flags), scope)})"
            case 3 if self.readable(scope, INTEGERS):
                tensor = self.rng.choice(self.readable(scope, INTEGERS))
                return f"({self.read(tensor, scope)}) {self.one('>', '<=', '==')} {tensor.kind}(1)"
        relation = self.one("<", "<=", ">", ">=", "==", "!=")
        if exact:
            a, b = (f"acc({self.read(self.some_exact(), scope)})" for _ in range(2))
            return self.one(f"{a} {relation} {b}", f"{a} {relation} 0.5")
        return f"{self.number(scope, 1)} {relation} {self.number(scope, 0)}"
