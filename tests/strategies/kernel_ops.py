"""Random operators for every floor: the same seed gives the same text, sizes, inputs and layouts.

Statements read each other at their own and at other indices; reductions stand over one or several axes, within
expressions and under masks; products, convolutions, windows, gathers, ragged sums, extrema with their places, integers,
conditions and calls of the library's operators occur. Not every text passes the checker (an argmax over nothing does
not): what is refused is refused with a `UolError`.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from random import Random

import numpy as np
from case_data import layout_of, result_layout_of, values_of
from kernel_case import KernelCase, renamed
from kernel_draft import INTEGERS, Scope, Tensor
from kernel_values import POINTS, Values

FLOATS = ("f32", "f16", "bf16", "f64")
SIZES = (1, 1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 17, 33)
LARGE = (40, 65, 130, 257)


def kernel_cases(seeds: range, dtypes: tuple[str, ...] = FLOATS) -> Iterator[KernelCase]:
    """One case a seed."""
    return (kernel_case(seed, dtypes[seed % len(dtypes)]) for seed in seeds)


def kernel_case(seed: int, dtype: str) -> KernelCase:
    """The operator of a seed, for one type."""
    rng = Random(seed)
    draft = Statements(rng, _sizes(rng), _attributes(rng))
    text = draft.operator(f"random{seed}")
    special = rng.random() < 0.25
    numbers = np.random.default_rng(rng.randrange(2**32))
    strides: dict[str, tuple[int, ...]] = {}
    inputs: dict[str, np.ndarray] = {}
    for t in (*draft.inputs, *draft.results):
        shape = tuple(draft.size(d) for d in t.dims)
        layout = (layout_of if t in draft.inputs else result_layout_of)(rng, shape)
        if layout is not None:
            strides[t.name] = layout
        if t in draft.inputs:
            inputs[t.name] = values_of(numbers, dtype if t.kind == "T" else t.kind, shape, layout, special)
    case = KernelCase(seed, text, dtype, draft.sizes, draft.attrs, inputs, strides, special)
    return renamed(case, rng) if rng.random() < 0.12 else case


def _sizes(rng: Random) -> dict[str, int]:
    dims = ("N", "M", "K", "C")[: rng.choice((1, 2, 2, 3, 3, 3, 4))]
    sizes = {d: rng.choice(SIZES) for d in dims}
    if rng.random() < 0.15:
        sizes[rng.choice(dims)] = rng.choice(LARGE)
    while prod(sizes.values()) > POINTS:
        largest = max(sizes, key=lambda d: sizes[d])
        sizes[largest] = rng.choice([s for s in SIZES if s < sizes[largest]])
    if rng.random() < 0.06:
        sizes[rng.choice(dims)] = 0
    return sizes


def _attributes(rng: Random) -> dict[str, int | float]:
    attrs: dict[str, int | float] = {}
    if rng.random() < 0.3:
        attrs["alpha"] = rng.choice((0.5, -1.25, 2.0, 0.3))
    if rng.random() < 0.2:
        attrs["gap"] = rng.randint(0, 2)
    if rng.random() < 0.15:
        attrs["bias"] = rng.randint(-3, 9)
    return attrs


class Statements(Values):
    """A draft that writes statements."""

    def operator(self, name: str) -> str:
        """Inputs, one to five statements, one to three results."""
        for tensor in ("x", "w", "v")[: self.rng.randint(1, 3)]:
            self.add_input(tensor, self.some_dims(1, 3), "T")
        for tensor, kind in (("at", "i32"), ("q", self.rng.choice(INTEGERS)), ("on", "bool")):
            if self.chance(0.35):
                self.add_input(tensor, self.some_dims(1, 2), kind)
        for number in range(self.rng.randint(1, 5)):
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
        return "\n".join((f"op {name}({head}) -> ({tail}) for T in (f64, f32, f16, bf16) {{", *self.lines, "}"))

    def statement(self, number: int) -> None:
        result = len(self.results) < 3 and (self.chance(0.35) or number == 4)
        name = f"y{len(self.results)}" if result else f"t{number}"
        floats = ("T",) * 4 if result else ("T",) * 4 + ("acc",) * 5
        kind = self.one(*floats, "integer", "bool", "place", "call", "matrix", "matrix")
        match kind:
            case "integer":
                self.define(name, self.some_dims(0, 3), self.one("i32", "i64", "i32", "u8", "i8", "i16"), result=result)
            case "place":
                self.define_place(name, result)
            case "call":
                self.define_call(name, result)
            case "matrix":
                self.define_matrix(name, result)
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
        source = self.rng.choice(self.sources())
        dims, others = source.dims, ""
        fn = self.one("softmax", "relu", "sigmoid", "gelu", "silu", "layer_norm", "rms_norm", "linear", "linear_relu")
        if fn.endswith("_norm"):
            others = f", {self.helper(dims[-1]).name}" * (2 if fn == "layer_norm" else 1)
        if fn.startswith("linear"):
            out = self.one(*[d for d in self.dims if d not in dims[:-1]])
            others = f", {self.weights((out, dims[-1])).name}, {self.helper(out).name}"
            dims = (*dims[:-1], out)
        if source.kind == "acc" and others:  # the others are of type T
            source = self.add_local(source)
        value = f"{fn}({source.name}{others})[{', '.join(d.lower() for d in dims)}]"
        scope = Scope({d.lower(): d for d in dims})
        if self.chance(0.4) and source.kind == "T":
            value = f"T(acc({value}) * 0.5 + {self.number(scope, 0)})"
        if result and source.kind == "acc":
            value = f"T({value})"
        scope.plain |= set(scope.dims)
        self.finish(name, dims, "T" if result else source.kind, value, scope, False, result)

    def sources(self) -> list[Tensor]:
        """Tensors of floats over named dims."""
        return [t for t in self.tensors if t.kind in ("T", "acc") and t.dims and set(t.dims) <= set(self.dims)]

    def add_local(self, source: Tensor) -> Tensor:
        """The tensor rounded to T."""
        index = ", ".join(d.lower() for d in source.dims)
        tensor = Tensor(f"{source.name}_t", source.dims, "T", False)
        if tensor not in self.tensors:
            self.lines.append(f"  {tensor.name}[{index}] = T({source.name}[{index}])")
            self.tensors.append(tensor)
        return tensor

    def weights(self, dims: tuple[str, ...]) -> Tensor:
        """An input with these dims."""
        name = "g_" + "".join(d.lower() for d in dims)
        known = next((t for t in self.inputs if t.name == name), None)
        return known or self.add_input(name, dims, "T")

    def define_matrix(self, name: str, result: bool) -> None:
        """A product or a convolution of a tensor with weights of its own, and a step behind it."""
        source = self.rng.choice(self.sources())
        over = self.one(*source.dims)
        out = self.one(*[d for d in self.dims if d not in source.dims] or [over])
        rows = [d for d in source.dims if d != over]
        dims = tuple(self.rng.sample([*rows, out], len(rows) + 1))
        scope = Scope({d.lower(): d for d in dims}, {out.lower()})
        product = self.product_with_weights(source, over, out, self.one(*rows) if rows and self.chance(0.5) else "")
        form = self.one("{v}", "{v}", "{v} * 0.5 + {e}", "max({v}, 0)", "{v} + {e}", "{v} + {r}")
        value = form.format(v=product, e=self.number(scope, 0), r=self.reduction(scope))
        rounds = result or self.chance(0.3)
        self.finish(name, dims, "T" if rounds else "acc", f"T({value})" if rounds else value, scope, False, result)

    def product_with_weights(self, source: Tensor, over: str, out: str, along: str) -> str:
        """The sum over one dim, and over the taps of a filter along another; or, by groups, over taps alone."""
        taps, step, pad = self.rng.randint(1, 3), self.rng.randint(1, 2), self.rng.randint(0, 1)
        grouped = out != over and self.chance(0.15)
        place = f"{out.lower()} / 2" if grouped else "k0"
        places = {over: place, along: f"{along.lower()}*{step} + r - {pad}"}
        read = f"{source.name}[{', '.join(places.get(d, d.lower()) for d in source.dims)}] else 0"
        read = f"acc({read})" if source.kind == "T" else f"({read})"
        inner = ([] if grouped else [("k0", over, "k0")]) + ([("r", str(taps), f"r < {taps}")] if along or grouped else [])
        weights = self.weights((out, *(dim for _, dim, _ in inner)))
        index = ", ".join((out.lower(), *(i for i, _, _ in inner)))
        return f"sum[{', '.join(binder for _, _, binder in inner)}]({read} * acc({weights.name}[{index}]))"
