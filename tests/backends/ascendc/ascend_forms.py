"""Texts with inputs and what they must give, for the vector unit and the cube: forms that the library does not have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from uol.backends import registry
from uol.backends.ascendc.schedules import VectorSchedule
from uol.backends.twin.record import Job
from uol.codegen.backend import Module, Refusal, Schedule
from uol.codegen.lowering import lower
from uol.codegen.specs.nodes import KernelSpec
from uol.ir import Library, instantiate, parse

Arrays = Mapping[str, np.ndarray]
Expected = Callable[[np.ndarray], np.ndarray]
Pick = Callable[[KernelSpec, Schedule], bool]
RNG = np.random.default_rng(3)
FOLD = "op f(x: {t}[R, C]) -> (y: {u}[R]) where C > 0 {{ y[r] = {fold}[c](x[r, c]) }}"


@dataclass(frozen=True)
class Form:
    """`pick` says which of the schedules is forced on a spec; without it, the backend's own choice."""

    name: str
    text: str
    inputs: Arrays
    expected: Callable[[Arrays], np.ndarray]
    dims: Mapping[str, int]
    scalars: Mapping[str, float] = field(default_factory=dict)
    close: float = 0.0
    layouts: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    pick: Pick | None = None

    def __str__(self) -> str:
        return self.name


def module_of(form: Form) -> Module:
    """The form's kernels, with the schedules that it asks for."""
    backend = registry.get("ascendc")
    device = backend.devices[backend.default_device]
    ops = parse(form.text)
    graph = lower(instantiate(ops[-1], Library(ops), dims=form.dims, types={}), backend, form.layouts)
    kernels = []
    for spec in graph.specs:
        fitting = [s for s in backend.schedules(spec, device) if form.pick is None or form.pick(spec, s)]
        legal = [s for s in fitting if not isinstance(backend.check(spec, s, device), Refusal)]
        assert legal, [backend.check(spec, s, device) for s in fitting]
        kernels.append(backend.render(spec, legal[0], device))
    return backend.assemble(graph, tuple(kernels), device)


def job_of(form: Form) -> Job:
    return Job(module_of(form), form.inputs, form.scalars)


def over(what: str) -> Pick:
    """Schedules whose lanes are the rows, or the cols."""
    return lambda spec, schedule: getattr(schedule, "over", what) == what


def tile(lanes: int, rows: int = 1) -> Pick:
    """The tile of vector kernels."""
    return lambda spec, schedule: isinstance(schedule, VectorSchedule) and (schedule.lanes, schedule.rows) == (lanes, rows)


def with_nan(x: np.ndarray) -> np.ndarray:
    x = x.copy()
    x[1, 3], x[1, 5], x[2, -1] = np.nan, np.nan, np.nan
    x[0, 2] = x[0, 4] = 9.0
    x[3, :] = -np.inf
    return x


def first_nan_else(pick: Callable[..., np.ndarray]) -> Expected:
    return lambda x: np.array([int(np.flatnonzero(np.isnan(r))[0]) if np.isnan(r).any() else int(pick(r)) for r in x])


def fold_form(fold: str, t: str, u: str, x: np.ndarray, expected: Expected, side: str, close: float = 0.0) -> Form:
    rows, cols = x.shape
    text = FOLD.format(t=t, u=u, fold=fold)
    name = f"{fold}-{t}-{cols}-{side}"
    return Form(name, text, {"x": x}, lambda i: expected(i["x"]), {"R": rows, "C": cols}, close=close, pick=over(side))


def folds() -> list[Form]:
    forms: list[Form] = []
    for cols in (7, 300):
        reals = RNG.standard_normal((5, cols)).astype(np.float32)
        small = RNG.integers(-128, 128, (5, cols))
        bits = RNG.random((5, cols)) < 0.02
        large = RNG.integers(-(2**31), 2**31, (5, cols))
        for side in ("rows", "cols"):
            forms += [
                fold_form("sum", "f32", "f32", reals, lambda x: x.astype(np.float64).sum(1), side, 1e-4),
                fold_form("min", "f32", "f32", with_nan(reals), lambda x: x.min(1), side),
                fold_form("max", "f16", "f16", with_nan(reals).astype(np.float16), lambda x: x.max(1), side),
                fold_form("argmax", "f32", "i64", with_nan(reals), first_nan_else(np.argmax), side),
                fold_form("argmin", "f16", "i64", with_nan(reals).astype(np.float16), first_nan_else(np.argmin), side),
                fold_form("argmax", "i8", "i64", small.astype(np.int8), lambda x: x.argmax(1), side),
                fold_form("any", "bool", "bool", bits, lambda x: x.any(1), side),
                fold_form("all", "bool", "bool", ~bits, lambda x: x.all(1), side),
            ]
        forms += [
            fold_form("prod", "f32", "f32", reals, lambda x: x.astype(np.float64).prod(1), "rows", 1e-4),
            fold_form("max", "i8", "i8", small.astype(np.int8), lambda x: x.max(1), "rows"),
            fold_form("min", "u8", "u8", small.astype(np.uint8), lambda x: x.min(1), "rows"),
            fold_form("sum", "i32", "i32", large.astype(np.int32), lambda x: x.sum(1, dtype=np.int32), "rows"),
        ]
    return forms


def reductions() -> list[Form]:
    x = RNG.standard_normal((6, 300)).astype(np.float32)
    masked = "op f(x: f32[R, C]) -> (y: f32[R]) where C > R { y[r] = sum[c <= r](x[r, c]) }"
    norm = """op f(x: f32[R, C]; eps: float = 0.5) -> (y: f32[R]) where C > 0 {
  s[r] = sum[c](x[r, c])
  q[r] = sum[c](x[r, c] * x[r, c])
  y[r] = q[r] / sqrt(s[r] * s[r] + eps)
}"""
    four = RNG.integers(0, 50, (3, 4, 5, 6)).astype(np.float32)
    flat = "op f(x: f32[A, B, C, D]) -> (y: i64[A, C]) where B > 0, D > 0 { y[a, c] = argmax[b, d](x[a, b, c, d]) }"
    total = "op f(x: f32[A, B, C, D]) -> (y: f32[C]) { y[c] = sum[a, b, d](x[a, b, c, d]) }"
    small = {"A": 3, "B": 4, "C": 5, "D": 6}
    tall = RNG.standard_normal((20000, 1)).astype(np.float32)
    halves = RNG.standard_normal(4).astype(np.float16)
    long, signs = np.arange(27000).reshape(3, 9000).astype(np.float32) % 7, np.array([1, -1, 0], np.float32)
    chosen = """op f(x: f32[R, C], v: f32[R]) -> (y: f32[R]) {
  s[r] = sum[c](x[r, c])
  y[r] = select(v[r] > 0, s[r], select(v[r] < 0, 0 - s[r], 5))
}"""
    positive = "op f(x: f16[N]) -> (y: f32[]) { y[] = sum[n](acc(max(x[n], 0)) * acc(x[n])) }"

    def normed(i: Arrays) -> np.ndarray:
        wide = i["x"].astype(np.float64)
        return (wide**2).sum(1) / np.sqrt(wide.sum(1) ** 2 + 0.5)

    def squared(i: Arrays) -> np.ndarray:
        return (np.maximum(i["x"], 0).astype(np.float64) ** 2).sum()

    def lower_left(i: Arrays) -> np.ndarray:
        return np.tril(i["x"].astype(float)).sum(1)

    def picked(i: Arrays) -> np.ndarray:
        return i["x"].transpose(0, 2, 1, 3).reshape(3, 5, 24).argmax(-1)

    def decided(i: Arrays) -> np.ndarray:
        return np.where(i["v"] == 0, 5, i["v"] * i["x"].sum(1))

    largest = FOLD.format(t="f32", u="f32", fold="max")
    forms = [
        Form("tall", largest, {"x": tall}, lambda i: i["x"].max(1), {"R": 20000, "C": 1}),
        Form("conditions-of-a-long-row", chosen, {"x": long, "v": signs}, decided, {"R": 3, "C": 9000}),
        Form("halves", positive, {"x": halves}, squared, {"N": 4}, close=1e-3, pick=over("cols")),
    ]
    for side in ("rows", "cols"):
        pick = over(side)
        forms += [
            Form(f"masked-{side}", masked, {"x": x}, lower_left, {"R": 6, "C": 300}, close=1e-5, pick=pick),
            Form(f"statistics-{side}", norm, {"x": x}, normed, {"R": 6, "C": 300}, {"eps": 0.5}, 1e-3, pick=pick),
            Form(f"pick-2-{side}", flat, {"x": four}, picked, small, pick=pick),
            Form(f"sum-3-{side}", total, {"x": four}, lambda i: i["x"].sum((0, 1, 3)), small, close=1e-6, pick=pick),
        ]
    return forms


def elements() -> list[Form]:
    i32 = RNG.integers(-(2**31), 2**31, 500).astype(np.int32)
    i8 = RNG.integers(-128, 128, 500).astype(np.int8)
    edges = [np.nan, np.inf, -np.inf, 1e30, -1e30, 0.5, -0.5, 127.9]
    real = np.concatenate([RNG.standard_normal(492) * 100, edges]).astype(np.float32)

    def wrapped(i: Arrays) -> np.ndarray:
        wide = i["x"].astype(np.int64)
        return (wide * wide - 7 * wide).astype(np.int32)

    def clipped(i: Arrays) -> np.ndarray:
        return np.where(i["x"] > i["y"], np.minimum(i["x"], 1000), np.maximum(i["y"], -5))

    short = "op f(x: i8[N]) -> (z: i8[N]) { z[n] = (x[n] + x[n]) * x[n] }"
    compare = "op f(x: i32[N], y: i32[N]) -> (z: i32[N]) { z[n] = select(x[n] > y[n], min(x[n], 1000), max(y[n], -5)) }"
    half = "op f(x: f16[N]) -> (z: f16[N]) { z[n] = select(x[n] > 0, x[n], x[n] * 0.5) }"
    rounds = "op f(x: f32[N]) -> (z: f32[N]) { z[n] = floor(x[n]) + ceil(x[n]) * 2 + round(x[n]) * 4 + abs(x[n]) }"

    def rounded(i: Arrays) -> np.ndarray:
        x = i["x"]
        return np.floor(x) + np.ceil(x) * 2 + np.rint(x) * 4 + np.abs(x)

    return [
        Form("wrap", "op f(x: i32[N]) -> (z: i32[N]) { z[n] = x[n] * x[n] - 7 * x[n] }", {"x": i32}, wrapped, {"N": 500}),
        Form("short", short, {"x": i8}, lambda i: (i["x"] + i["x"]) * i["x"], {"N": 500}),
        Form("compare-i32", compare, {"x": i32, "y": i32[::-1].copy()}, clipped, {"N": 500}),
        Form(
            "select",
            half,
            {"x": real[:480].astype(np.float16)},
            lambda i: np.where(i["x"] > 0, i["x"], (i["x"].astype(np.float32) * 0.5).astype(np.float16)),
            {"N": 480},
        ),
        Form("rounds", rounds, {"x": real[:480]}, rounded, {"N": 480}),
    ]


def accesses() -> list[Form]:
    """Data-dependent, divided and shifted indices, indices as values, transpositions, strides, several results."""
    x = RNG.standard_normal((9, 5)).astype(np.float32)
    at = np.array([3, -1, 8, 9, 0, 2**31 - 1, -(2**31), 4], np.int32)
    wide = RNG.standard_normal((37, 70)).astype(np.float32)
    three = RNG.standard_normal((3, 20, 33)).astype(np.float16)
    gather = "op f(x: f32[N, D], at: i32[M]) -> (y: f32[M, D]) { y[m, d] = x[at[m], d] else 7 }"
    lookup = "op f(x: f32[N], at: i32[M]) -> (y: f32[M]) { y[m] = x[at[m]] else -1 }"
    upsample = "op f(x: f32[N, D]) -> (y: f32[2*N, D]) { y[i, d] = select(i % 2 == 0, x[i / 2, d], 0) }"
    shifted = "op f(x: f32[N, D]) -> (y: f32[N, D]) { y[n, d] = (x[(n - 4) / 2, d] else 0) + f32(n) + f32(d / 2) }"
    leaky = """op f(x: f32[N, D]; slope: float = 0.1) -> (y: f32[N, D]) {
  y[n, d] = select(x[n, d] > 0, x[n, d], x[n, d] * slope)
}"""
    flags = "op f(x: f32[N, D]) -> (y: bool[N, D]) { y[n, d] = x[n, d] > 0 and x[n, d] < 1 or n == 3 }"
    turned = "op f(x: {t}[N, D]) -> (y: {t}[D, N]) {{ y[d, n] = x[n, d] }}"
    picked = "op f(x: f32[N, D]) -> (y: f32[N, (D - 1) / {s} + 1]) where D > 0 {{ y[n, d] = x[n, d*{s}] + 1 }}"
    around = "op f(x: f32[N]) -> (y: f32[N]) { y[n] = (x[n - 3] else 5) + (x[n + 2] else 7) + (x[2*n - 3] else 9) }"
    both = """op f(x: f16[A, B, C]) -> (y: f16[A, C, B], z: f32[A, B, C]) {
  y[a, c, b] = x[a, b, c]
  z[a, b, c] = f32(x[a, b, c])
}"""
    dims = {"N": 9, "D": 5}
    many = RNG.standard_normal(5000).astype(np.float32)
    long = RNG.standard_normal((1, 3, 9000)).astype(np.float16)
    anywhere = RNG.integers(-9, 5009, 300).astype(np.int32)

    def gathered(i: Arrays) -> np.ndarray:
        inside = (i["at"] >= 0) & (i["at"] < 9)
        return np.where(inside[:, None], i["x"][np.where(inside, i["at"], 0)], np.float32(7))

    def looked_up(i: Arrays) -> np.ndarray:
        inside = (i["at"] >= 0) & (i["at"] < 5000)
        return np.where(inside, i["x"][np.where(inside, i["at"], 0)], np.float32(-1))

    def upsampled(i: Arrays) -> np.ndarray:
        y = np.zeros((18, 5), np.float32)
        y[::2] = i["x"]
        return y

    def moved(i: Arrays) -> np.ndarray:
        rows = (np.arange(9) - 4) // 2
        inner = np.where((rows >= 0)[:, None], i["x"][rows], np.float32(0))
        return inner + np.arange(9, dtype=np.float32)[:, None] + (np.arange(5) // 2).astype(np.float32)

    def leaked(i: Arrays) -> np.ndarray:
        return np.where(i["x"] > 0, i["x"], i["x"] * np.float32(0.25))

    def surrounded(i: Arrays) -> np.ndarray:
        x, n = i["x"], np.arange(len(i["x"]))

        def at(places: np.ndarray, fill: float) -> np.ndarray:
            inside = (places >= 0) & (places < len(x))
            return np.where(inside, x[np.where(inside, places, 0)], np.float32(fill))

        return at(n - 3, 5) + at(n + 2, 7) + at(2 * n - 3, 9)

    forms = [
        Form("gather-i32", gather, {"x": x, "at": at}, gathered, {**dims, "M": 8}),
        Form("gather-i64", gather.replace("i32", "i64"), {"x": x, "at": at.astype(np.int64) * 3}, gathered, {**dims, "M": 8}),
        Form("lookup", lookup, {"x": many, "at": anywhere}, looked_up, {"N": 5000, "M": 300}),
        Form("upsample", upsample, {"x": x}, upsampled, dims),
        Form("shifted", shifted, {"x": x}, moved, dims),
        Form("leaky", leaky, {"x": x}, leaked, dims, {"slope": 0.25}),
        Form("flags", flags, {"x": x}, lambda i: ((i["x"] > 0) & (i["x"] < 1)) | (np.arange(9) == 3)[:, None], dims),
        Form("several", both, {"x": three}, lambda i: i["x"].transpose(0, 2, 1), {"A": 3, "B": 20, "C": 33}),
        Form("several-long", both, {"x": long}, lambda i: i["x"].transpose(0, 2, 1), {"A": 1, "B": 3, "C": 9000}),
        Form("around", around, {"x": many}, surrounded, {"N": 5000}, close=1e-6),
        Form("around-tiles", around, {"x": many}, surrounded, {"N": 5000}, close=1e-6, pick=tile(256)),
    ]
    for t, source in (("f32", wide), ("f16", wide.astype(np.float16)), ("u8", (wide * 40).astype(np.uint8))):
        forms.append(Form(f"turned-{t}", turned.format(t=t), {"x": source}, lambda i: i["x"].T, {"N": 37, "D": 70}))
    for s in (2, 3, 20):
        forms.append(Form(f"every-{s}", picked.format(s=s), {"x": wide}, lambda i, s=s: i["x"][:, ::s] + 1, {"N": 37, "D": 70}))
    return forms


def contractions() -> list[Form]:
    a, b = RNG.standard_normal((2, 70, 19)).astype(np.float32), RNG.standard_normal((2, 67, 19)).astype(np.float32)
    scale, shift = RNG.standard_normal(70).astype(np.float32), RNG.standard_normal(67).astype(np.float32)
    both = """op f(a: f32[G, M, K], b: f32[G, N, K], u: f32[M], v: f32[N]) -> (y: f32[G, M, N]) {
  y[g, m, n] = sum[k](a[g, m, k] * b[g, n, k]) * exp(u[m]) + exp(v[n])
}"""

    def scaled(i: Arrays) -> np.ndarray:
        product = np.einsum("gmk,gnk->gmn", i["a"].astype(np.float64), i["b"].astype(np.float64))
        return product * np.exp(i["u"].astype(np.float64))[:, None] + np.exp(i["v"].astype(np.float64))

    def multiplied_integers(i: Arrays) -> np.ndarray:
        return i["a"].astype(np.int64) @ i["b"]

    left = RNG.integers(-128, 128, (33, 40)).astype(np.int8)
    right = RNG.integers(-128, 128, (40, 17)).astype(np.int8)
    integers = "op f(a: i8[M, K], b: i8[K, N]) -> (y: i32[M, N]) { y[m, n] = sum[k](acc(a[m, k]) * acc(b[k, n])) }"
    product = "op f(a: {t}[{left}], b: {t}[{right}]) -> (y: f32[M, N]) {{ y[m, n] = sum[k](acc(a[{i}]) * acc(b[{j}])) }}"
    mixed = "op f(a: f16[M, K], b: f32[K, N]) -> (y: f16[M, N]) { y[m, n] = f16(sum[k](acc(a[m, k]) * b[k, n])) }"
    forms = [
        Form("batched", both, {"a": a, "b": b, "u": scale, "v": shift}, scaled, dict(G=2, M=70, N=67, K=19), close=1e-4),
        Form("integers", integers, {"a": left, "b": right}, multiplied_integers, dict(M=33, K=40, N=17)),
    ]
    for t, kind in (("f32", np.float32), ("f16", np.float16)):
        for size in ((40, 50, 300), (200, 130, 35)):
            m, n, k = size
            dims = {"M": m, "N": n, "K": k}
            for i in ("m, k", "k, m"):
                for j in ("k, n", "n, k"):
                    x = RNG.integers(-4, 5, (m, k) if i == "m, k" else (k, m)).astype(kind)
                    y = RNG.integers(-4, 5, (k, n) if j == "k, n" else (n, k)).astype(kind)
                    text = product.format(t=t, left=i.upper(), right=j.upper(), i=i, j=j)

                    def multiplied(arrays: Arrays, i: str = i, j: str = j) -> np.ndarray:
                        u, v = arrays["a"].astype(np.float64), arrays["b"].astype(np.float64)
                        return (u if i == "m, k" else u.T) @ (v if j == "k, n" else v.T)

                    forms.append(Form(f"product-{t}-{i[0]}{j[0]}-{m}x{n}x{k}", text, {"a": x, "b": y}, multiplied, dims))
    u, v = RNG.integers(-4, 5, (20, 33)).astype(np.float16), RNG.integers(-4, 5, (33, 40)).astype(np.float32)
    forms.append(Form("mixed", mixed, {"a": u, "b": v}, lambda i: i["a"].astype(np.float64) @ i["b"], dict(M=20, N=40, K=33)))
    return forms


def attributes() -> list[Form]:
    """Run-time attributes as values: 64-bit integers where lanes have 32 bits."""
    text = "op f(x: i32[N]; k: int = 3) -> (y: i32[N]) { y[i] = x[i] * 2 + k }"
    x = RNG.integers(-100, 100, 37).astype(np.int32)
    return [Form("integer attribute", text, {"x": x}, lambda i: i["x"] * 2 - 7, {"N": 37}, {"k": -7})]


def fills() -> list[Form]:
    """What a guarded read gives outside of its guards, where that is an attribute or computed; extrema of indices."""
    x, w = RNG.standard_normal((7, 33)).astype(np.float32), RNG.standard_normal(38).astype(np.float32)
    at = np.array([3, -1, 8, 32, 0, 99, -7, 4], np.int32)
    dims = {"N": 7, "D": 33}

    def padded(i: Arrays, value: object = 0.3) -> np.ndarray:
        inner = i["x"].astype(np.float32)
        y = np.broadcast_to(np.asarray(value, np.float32), (7, 38)).copy()
        y[:, 2:35] = inner
        return y.astype(i["x"].dtype)

    def shifted(i: Arrays) -> np.ndarray:
        outside = i["x"][:, -1:] * 2
        return np.concatenate([outside, outside, i["x"][:, :-2]], 1)

    def looked_up(i: Arrays) -> np.ndarray:
        inside = (i["at"] >= 0) & (i["at"] < 33)
        return np.where(inside, i["x"][:, np.where(inside, i["at"], 0)], np.arange(8))

    def bounded(i: Arrays) -> np.ndarray:
        d = np.arange(33)
        return i["x"] + np.maximum(2 * d - 9, 0) % 7 + np.minimum(d, np.arange(7)[:, None])

    pad = "op f(x: {t}[N, D]; value: float = 0.0) -> (y: {t}[N, D + 5]) {{ y[n, d] = x[n, d - 2] else value }}"
    rows = "op f(x: f32[N, D], w: f32[E]) -> (y: f32[N, D + 5]) where E == D + 5 { y[n, d] = x[n, d - 2] else w[d] }"
    steps = """op f(x: f32[N, D]) -> (y: f32[N, D]) where D > 0 {
  t[n]    = x[n, D - 1] * 2
  y[n, d] = x[n, d - 2] else t[n]
}"""
    looked = "op f(x: f32[N, D], at: i32[M]) -> (y: f32[N, M]) { y[n, m] = x[n, at[m]] else f32(m) }"
    extrema = "op f(x: f32[N, D]) -> (y: f32[N, D]) { y[n, d] = x[n, d] + f32(max(2*d - 9, 0) % 7) + f32(min(d, n)) }"
    value = {"value": 0.3}
    return [
        Form("fill-f32", pad.format(t="f32"), {"x": x}, padded, dims, value),
        Form("fill-f16", pad.format(t="f16"), {"x": x.astype(np.float16)}, padded, dims, value),
        Form("fill-nan", pad.format(t="f32"), {"x": x}, lambda i: padded(i, np.nan), dims, {"value": float("nan")}),
        Form("fill-rows", rows, {"x": x, "w": w}, lambda i: padded(i, i["w"]), {**dims, "E": 38}),
        Form("fill-steps", steps, {"x": x}, shifted, dims),
        Form("fill-lookup", looked, {"x": x, "at": at}, looked_up, {**dims, "M": 8}),
        Form("extrema-of-indices", extrema, {"x": x}, bounded, dims, close=1e-6),
    ]


FORMS = (*folds(), *reductions(), *elements(), *accesses(), *contractions(), *attributes(), *fills())
