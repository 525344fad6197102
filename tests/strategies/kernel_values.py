"""Random values: numbers of the accumulator's type and reductions of them, integers, conditions."""

from __future__ import annotations

from math import prod

from kernel_draft import INTEGERS, Draft, Scope

POINTS = 2500
"""How many points all dims of an operator may span together, and a reduction by two axes with its rows."""

FACTORS = 16
"""How many factors a product of floats has: of many, one order overflows where another does not."""


class Values(Draft):
    """A draft that writes expressions. An integer is computed only from what is exact, since the admitted interval of a
    value says nothing about integers."""

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
        few = prod(self.sizes[d] for d in bound.values()) <= FACTORS
        op = self.one("sum", "sum", "sum", "max", "min", "prod" if few else "max")
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
        return f"{self.one('sum', 'sum', 'max', 'prod' if self.sizes[scope.dims[i]] <= FACTORS else 'min')}[{bounds}]({body})"

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
