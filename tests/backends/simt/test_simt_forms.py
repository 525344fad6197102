"""Forms of kernels beyond the six first operators, in the checked twin: every fold on both schedules, every tile, integer
and boolean types, masks, several results, grid-stride loops."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial

import numpy as np
import pytest
from forms_of_recurrences import RECURRENCE_FORMS
from forms_of_rows import RNG, ROW_FORMS, Arrays, Expected, Form
from forms_of_searches import SEARCH_FORMS
from simt_cases import widened
from turns import asked_for, by_turns

import uol
from uol.backends import registry
from uol.backends.simt.choosing import rendering
from uol.backends.simt.choosing.schedules import SimtSchedule
from uol.backends.simt.elements.schedule import Bins, Elements, TransposedTile
from uol.backends.simt.products.candidates import TILES
from uol.backends.simt.rows.schedule import BlockPerRow
from uol.backends.simt.rows.select_plan import TILE
from uol.backends.simt.simt_backend import SimtBackend
from uol.backends.twin.record import Array, Job
from uol.backends.twin.run import execute_many
from uol.codegen.backend import Schedule
from uol.codegen.lowering import lower
from uol.codegen.specs.graph import KernelGraph
from uol.ir import Library, instantiate, parse
from uol.ir.errors import ResourceError


def scatters() -> list[Form]:
    """Places that many points share, and places outside; a condition of its own; places that are read from where data says;
    wrapping integers. Whole numbers, so that the order of additions does not matter."""
    x = RNG.integers(-4, 5, (300, 3))
    at = RNG.integers(-2, 9, 300)
    via = RNG.integers(-20, 320, 300)
    plain = "op f(x: {t}[N, D], at: {i}[N]) -> (y: {t}[7, D]) {{ y[at[n], d] += x[n, d] }}"
    some = "op f(x: f32[N, D], at: i32[N]) -> (y: f32[7, D]) { y[at[n], d] += select(n % 3 == d, x[n, d] * x[n, d], 0) }"
    chained = "op f(x: f32[N, D], at: i32[N], via: i32[N]) -> (y: f32[7, D]) { y[at[via[n]] else -1, d] += x[n, d] }"
    both, dims = (Elements(64), Elements(256), Bins(64, 3), Bins(256)), {"N": 300, "D": 3}

    def total(values: np.ndarray, places: np.ndarray) -> np.ndarray:
        y = np.zeros((7, 3), values.dtype)
        inside = (places >= 0) & (places < 7)
        np.add.at(y, places[inside], values[inside])
        return y

    def over(i: Arrays) -> np.ndarray:
        return total(i["x"], i["at"])

    def chosen(i: Arrays) -> np.ndarray:
        kept = np.arange(300)[:, None] % 3 == np.arange(3)
        return total(np.where(kept, i["x"] ** 2, 0), i["at"])

    def by_way(i: Arrays) -> np.ndarray:
        inside = (i["via"] >= 0) & (i["via"] < 300)
        return total(i["x"], np.where(inside, i["at"][np.where(inside, i["via"], 0)], -1))

    def form(t: str, i: str, values: np.ndarray) -> Form:
        name = f"scatter-{t}-{i}"
        return Form(name, plain.format(t=t, i=i), {"x": values, "at": at.astype(INTEGERS[i])}, over, both, dims)

    inputs = {"x": x.astype(np.float32), "at": at.astype(np.int32)}
    return [
        form("f32", "i32", x.astype(np.float32)),
        form("f64", "i64", x.astype(np.float64)),
        form("i32", "i64", (x * 2**29).astype(np.int32)),
        form("i64", "i32", x * 2**61),
        Form("scatter-some", some, inputs, chosen, both, dims),
        Form("scatter-chained", chained, {**inputs, "via": via.astype(np.int32)}, by_way, both, dims),
    ]


def orders() -> list[Form]:
    """Rows that a block sorts at once, and rows of several tiles, an even and an odd number of them; a few first places of
    them; ties, NaN, infinities and zeros of both signs; several axes of rows, columns that are not the innermost axis."""
    order = "op f(x: {t}[R, C]) -> (y: i64[R, C]) {{ y[r, i] = argsort[c]({key}) }}"
    first = "op f(x: {t}[R, C]) -> (y: {t}[R, {k}]) where C >= {k} {{ (y[r, i], at[r, i]) = topk[c](x[r, c], {k}) }}"
    inner = "op f(x: f32[A, C, B]) -> (y: f32[A, C, B]) { y[a, i, b] = sort[c](x[a, c, b]) }"
    blocks = (BlockPerRow(256), BlockPerRow(512))

    def sorted_by(key: Expected) -> Callable[[Arrays], np.ndarray]:
        return lambda i: np.argsort(key(i["x"]), axis=1, kind="stable")

    def largest(i: Arrays, k: int) -> np.ndarray:
        ranked = np.where(np.isnan(i["x"]), np.inf, i["x"].astype(np.float64)), ~np.isnan(i["x"])
        at = np.lexsort((np.broadcast_to(np.arange(ranked[0].shape[1]), ranked[0].shape), -ranked[0], ranked[1]), axis=1)
        return np.take_along_axis(i["x"], at[:, :k], 1)

    forms: list[Form] = []
    for rows, cols in ((5, 7), (3, 300), (2, 5000), (2, 6144)):
        reals, dims = RNG.integers(-40, 40, (rows, cols)).astype(np.float32), {"R": rows, "C": cols}
        reals[:, 1], reals[:, 2], reals[0, 3:6] = np.inf, -np.inf, (0.0, -0.0, 0.0)
        reals[-1, ::3] = np.nan
        wide = RNG.integers(-(2**62), 2**62, (rows, cols)) * RNG.integers(0, 2, (rows, cols))
        squares = "x[r, c] * x[r, c]"
        texts = {"f32": (order.format(t="f32", key="x[r, c]"), reals, sorted_by(lambda x: x))}
        if cols < TILE:
            finite = np.clip(np.nan_to_num(reals), -40, 40)
            texts["squares"] = (order.format(t="f32", key=squares), finite, sorted_by(lambda x: x * x))
            texts["i64"] = (order.format(t="i64", key="x[r, c]"), wide, sorted_by(lambda x: x))
        for k in (1, 9, 40):
            if cols > k:
                texts[f"top{k}"] = (first.format(t="f16", k=k), reals.astype(np.float16), partial(largest, k=k))
        forms += [Form(f"order-{n}-{cols}", t, {"x": x}, want, blocks, dims) for n, (t, x, want) in texts.items()]
    x = RNG.standard_normal((3, 50, 4)).astype(np.float32)
    return [*forms, Form("order-inner", inner, {"x": x}, lambda i: np.sort(i["x"], 1), blocks, {"A": 3, "C": 50, "B": 4})]


INTEGERS = {"i32": np.int32, "i64": np.int64}


def contractions() -> list[Form]:
    a, b = RNG.standard_normal((2, 70, 19)).astype(np.float32), RNG.standard_normal((2, 67, 19)).astype(np.float32)
    scale, shift = RNG.standard_normal(70).astype(np.float32), RNG.standard_normal(67).astype(np.float32)
    both = """op f(a: f32[G, M, K], b: f32[G, N, K], u: f32[M], v: f32[N]) -> (y: f32[G, M, N]) {
  y[g, m, n] = sum[k](a[g, m, k] * b[g, n, k]) * exp(u[m]) + exp(v[n])
}"""

    def products(i: Arrays) -> np.ndarray:
        return np.einsum("gmk,gnk->gmn", i["a"].astype(np.float64), i["b"].astype(np.float64))

    def scaled(i: Arrays) -> np.ndarray:
        return products(i) * np.exp(i["u"].astype(np.float64))[:, None] + np.exp(i["v"].astype(np.float64))

    of_batch = """op f(a: f32[G, M, K], b: f32[G, N, K], w: f32[G]) -> (y: f32[G, M, N]) {
  scale[g] = exp(w[g])
  y[g, m, n] = scale[g] * sum[k](a[g, m, k] * b[g, n, k]) + scale[g]
}"""
    of_batches = {"a": a, "b": b, "w": np.float32([0.3, -1.2])}

    def scaled_by_batch(i: Arrays) -> np.ndarray:
        scale = np.exp(i["w"].astype(np.float64))[:, None, None]
        return scale * products(i) + scale

    left = RNG.integers(-128, 128, (33, 40)).astype(np.int8)
    right = RNG.integers(-128, 128, (40, 17)).astype(np.int8)
    integers = "op f(a: i8[M, K], b: i8[K, N]) -> (y: i32[M, N]) { y[m, n] = sum[k](acc(a[m, k]) * acc(b[k, n])) }"
    gram = "op f(x: f64[M, K]) -> (y: f64[M, M]) { y[m, n] = sum[k](x[m, k] * x[n, k]) }"
    wide = RNG.standard_normal((37, 20))
    inputs, sizes = {"a": a, "b": b, "u": scale, "v": shift}, {"G": 2, "M": 70, "N": 67, "K": 19}

    def product(i: Arrays) -> np.ndarray:
        return i["a"].astype(np.int64) @ i["b"]

    return [
        Form("batched", both, inputs, scaled, TILES, sizes, close=1e-4),
        Form("of batch", of_batch, of_batches, scaled_by_batch, TILES[1:2], sizes, close=1e-4),
        Form("integers", integers, {"a": left, "b": right}, product, TILES[3:], {"M": 33, "K": 40, "N": 17}),
        Form("gram", gram, {"x": wide}, lambda i: i["x"] @ i["x"].T, TILES[1:3], {"M": 37, "K": 20}, close=1e-12),
    ]


def elements() -> list[Form]:
    i32 = RNG.integers(-(2**31), 2**31, 500).astype(np.int32)
    i8 = RNG.integers(-128, 128, 500).astype(np.int8)
    edges = [np.nan, np.inf, -np.inf, 1e30, -1e30, 0.5, -0.5, 127.9]
    real = np.concatenate([RNG.standard_normal(492) * 100, edges]).astype(np.float32)

    def saturated(i: Arrays) -> np.ndarray:
        wide = np.nan_to_num(i["x"].astype(np.float64), nan=0.0, posinf=1e9, neginf=-1e9)
        return np.clip(np.trunc(wide), -128, 127).astype(np.int8)

    def wrapped(i: Arrays) -> np.ndarray:
        wide = i["x"].astype(np.int64)
        return (wide * wide - 7 * wide).astype(np.int32)

    def short(i: Arrays) -> np.ndarray:
        return (i["x"] + i["x"]) * i["x"]

    def floored(i: Arrays) -> np.ndarray:
        x, y = i["x"].astype(np.int64), i["y"].astype(np.int64)
        return np.where(y == 0, 0, x // np.where(y == 0, 1, y) + x % np.where(y == 0, 1, y)).astype(np.int32)

    square = "op f(x: i32[N]) -> (z: i32[N]) { z[n] = x[n] * x[n] - 7 * x[n] }"
    both = Elements(64), Elements(256)
    return [
        Form("wrap", square, {"x": i32}, wrapped, both, {"N": 500}),
        Form("short", "op f(x: i8[N]) -> (z: i8[N]) { z[n] = (x[n] + x[n]) * x[n] }", {"x": i8}, short, both, {"N": 500}),
        Form("saturate", "op f(x: f32[N]) -> (z: i8[N]) { z[n] = i8(x[n]) }", {"x": real}, saturated, both, {"N": 500}),
        Form(
            "floor",
            "op f(x: i32[N], y: i32[N]) -> (z: i32[N]) { z[n] = x[n] / y[n] + x[n] % y[n] }",
            {"x": np.array([7, -7, 7, -7, 5, 0], np.int32), "y": np.array([2, 2, -2, -2, 0, 3], np.int32)},
            floored,
            both,
            {"N": 6},
        ),
        Form(
            "select",
            "op f(x: f16[N]) -> (z: f16[N]) { z[n] = select(x[n] > 0, x[n], x[n] * 0.5) }",
            {"x": real[:480].astype(np.float16)},
            lambda i: np.where(i["x"] > 0, i["x"], (i["x"].astype(np.float32) * 0.5).astype(np.float16)),
            both,
            {"N": 480},
        ),
    ]


def accesses() -> list[Form]:
    """Data-dependent, divided and run-time indices; an index as a value; several results."""
    x = RNG.standard_normal((9, 5)).astype(np.float32)
    at = np.array([3, -1, 8, 9, 0, 2**31 - 1, -(2**31), 4], np.int32)
    gather = "op f(x: f32[N, D], at: i32[M]) -> (y: f32[M, D]) { y[m, d] = x[at[m], d] else 7 }"
    upsample = "op f(x: f32[N, D]) -> (y: f32[2*N, D]) { y[i, d] = select(i % 2 == 0, x[i / 2, d], 0) }"
    shifted = "op f(x: f32[N, D]) -> (y: f32[N, D]) { y[n, d] = (x[(n - 4) / 2, d] else 0) + f32(n) }"
    leaky = (
        "op f(x: f32[N, D]; slope: float = 0.1) -> (y: f32[N, D]) { y[n, d] = select(x[n, d] > 0, x[n, d], x[n, d] * slope) }"
    )
    flags = "op f(x: f32[N, D]) -> (y: bool[N, D]) { y[n, d] = x[n, d] > 0 and x[n, d] < 1 or n == 3 }"
    both = Elements(64), Elements(256)
    dims = {"N": 9, "D": 5}

    def gathered(i: Arrays) -> np.ndarray:
        inside = (i["at"] >= 0) & (i["at"] < 9)
        return np.where(inside[:, None], i["x"][np.where(inside, i["at"], 0)], np.float32(7))

    def upsampled(i: Arrays) -> np.ndarray:
        y = np.zeros((18, 5), np.float32)
        y[::2] = i["x"]
        return y

    def moved(i: Arrays) -> np.ndarray:
        rows = (np.arange(9) - 4) // 2
        return np.where((rows >= 0)[:, None], i["x"][rows], np.float32(0)) + np.arange(9, dtype=np.float32)[:, None]

    def leaked(i: Arrays) -> np.ndarray:
        return np.where(i["x"] > 0, i["x"], i["x"] * np.float32(0.25))

    def flagged(i: Arrays) -> np.ndarray:
        return ((i["x"] > 0) & (i["x"] < 1)) | (np.arange(9) == 3)[:, None]

    return [
        Form("gather-i32", gather, {"x": x, "at": at}, gathered, both, {**dims, "M": 8}),
        Form(
            "gather-i64",
            gather.replace("i32", "i64"),
            {"x": x, "at": at.astype(np.int64) * 3},
            gathered,
            both,
            {**dims, "M": 8},
        ),
        Form("upsample", upsample, {"x": x}, upsampled, both, dims),
        Form("shifted", shifted, {"x": x}, moved, both, dims),
        Form("leaky", leaky, {"x": x}, leaked, both, dims, {"slope": 0.25}),
        Form("flags", flags, {"x": x}, flagged, both, dims),
    ]


def transposed() -> list[Form]:
    """Tiles by vectors and by single elements, whole and broken ones, of narrow types; between other axes; two tensors that lie
    across and one that lies along."""
    turned = "op f(x: {t}[M, N]) -> (y: {t}[N, M]) {{ y[j, i] = x[i, j] }}"
    inner = "op f(x: f32[A, M, B, N]) -> (y: f32[N, A, B, M]) { y[j, a, b, i] = x[a, i, b, j] * 2 }"
    mixed = """op f(x: f32[M, N], z: f32[M, N], u: f32[N, M], v: f32[M]) -> (y: f32[N, M]) {
  y[j, i] = x[i, j] - z[i, j] * u[j, i] + v[i]
}"""
    forms: list[Form] = []
    for t, dtype, m, n, each in (("f32", "float32", 68, 36, 4), ("f16", "float16", 72, 64, 8), ("i8", "int8", 48, 160, 16)):
        x = RNG.integers(-9, 9, (m, n)).astype(dtype)
        ways = (TransposedTile(max(32, 8 * each), each), TransposedTile(32, 1), TransposedTile(32, 4), Elements(64))
        forms.append(Form(f"turned-{t}", turned.format(t=t), {"x": x}, lambda i: i["x"].T, ways, {"M": m, "N": n}))
    odd, tile = RNG.standard_normal((33, 19)), (TransposedTile(),)
    forms.append(Form("turned-f64", turned.format(t="f64"), {"x": odd}, lambda i: i["x"].T, tile, {"M": 33, "N": 19}))
    x = RNG.integers(-9, 9, (3, 36, 2, 20)).astype(np.float32)
    sizes = {"A": 3, "M": 36, "B": 2, "N": 20}
    both = (TransposedTile(32, 4), TransposedTile(32, 2))
    forms.append(Form("turned-inner", inner, {"x": x}, lambda i: i["x"].transpose(3, 0, 2, 1) * 2, both, sizes))
    x, z = (RNG.integers(-9, 9, (36, 20)).astype(np.float32) for _ in "xz")
    inputs = {"x": x, "z": z, "u": RNG.integers(-9, 9, (20, 36)).astype(np.float32), "v": np.arange(36, dtype=np.float32)}
    return [
        *forms,
        Form("turned-mixed", mixed, inputs, lambda i: (i["x"] - i["z"] * i["u"].T).T + i["v"], both, {"M": 36, "N": 20}),
    ]


def segments() -> list[Form]:
    """Rows of a key in any order, and terms of ascending keys, some of them outside; segments with nothing in them."""
    x, w = RNG.integers(-4, 5, (70, 33)).astype(np.float32), RNG.integers(-4, 5, (6, 20, 33)).astype(np.float32)
    z, scale = RNG.integers(-4, 5, (70, 20)).astype(np.float32), RNG.integers(1, 4, 6).astype(np.float32)
    ascending = np.sort(RNG.integers(-1, 7, 70)).astype(np.int32)
    ascending[ascending == 2] = 3
    rows = "op f(x: f32[M, D], key: {i}[M], w: f32[E, C, D]) -> (y: f32[M, C]) where sorted(key) {{\
 y[m, c] = sum[d](x[m, d] * w[key[m], c, d] else 0) }}"
    terms = """op f(x: f32[M, D], z: f32[M, C], key: {i}[M], scale: f32[E]) -> (y: f32[E, C, D]) where sorted(key) {{
  a[key[m], c, d] += x[m, d] * z[m, c]
  y[e, c, d] = a[e, c, d] * scale[e]
}}"""

    def by_row(i: Arrays) -> np.ndarray:
        inside = (i["key"] >= 0) & (i["key"] < len(i["w"]))
        return np.einsum("md,mcd->mc", i["x"], np.where(inside[:, None, None], i["w"][np.where(inside, i["key"], 0)], 0))

    def by_term(i: Arrays) -> np.ndarray:
        own = i["key"] == np.arange(len(i["scale"]))[:, None]
        return np.einsum("em,md,mc,e->ecd", own, i["x"], i["z"], i["scale"]).astype(np.float32)

    def forms(dtype: str, keys: np.ndarray, name: str) -> list[Form]:
        by = {"x": x, "key": keys.astype(np.int64 if dtype == "i64" else np.int32)}
        dims = {"M": 70, "D": 33, "E": 6, "C": 20}
        found = [Form(f"rows-{name}", rows.format(i=dtype), {**by, "w": w}, by_row, TILES, dims)]
        if name != "shuffled":
            found.append(Form(f"terms-{name}", terms.format(i=dtype), {**by, "z": z, "scale": scale}, by_term, TILES, dims))
        return found

    one = Form(
        "one-row", rows.format(i="i32"), {"x": x[:1], "key": ascending[-9:-8], "w": w}, by_row, TILES[-1:],
        {"M": 1, "D": 33, "E": 6, "C": 20},
    )  # fmt: skip
    one_term = Form(
        "one-segment", terms.format(i="i32"), {"x": x[:5], "z": z[:5], "key": np.zeros(5, np.int32), "scale": scale[:1]},
        by_term, TILES[-1:], {"M": 5, "D": 33, "E": 1, "C": 20},
    )  # fmt: skip
    shuffled = forms("i32", RNG.permutation(ascending), "shuffled")
    return [*forms("i32", ascending, "i32"), *forms("i64", ascending, "i64"), *shuffled, one, one_term]


INDEXED_FORMS = (*scatters(), *orders(), *segments(), *accesses(), *transposed())
FORMS = (*ROW_FORMS, *RECURRENCE_FORMS, *contractions(), *elements(), *INDEXED_FORMS, *SEARCH_FORMS)
SCHEDULED = [(form, schedule) for form in FORMS for schedule in form.schedules]


def job(form: Form, schedule: SimtSchedule, backend: SimtBackend, shift: int) -> Job:
    ops = parse(form.text)
    graph = lower(instantiate(ops[0], Library(ops), dims=form.dims, types={}), backend, {})
    device = backend.devices[backend.default_device]
    first, spec = [(s, next(iter(backend.schedules(s, device)))) for s in graph.specs[:-1]], graph.specs[-1]
    module = backend.assemble(graph, tuple(backend.render(s, by, device) for s, by in (*first, (spec, schedule))), device)
    return Job(module, form.inputs, form.scalars, shift=shift)


Runs = Callable[[int, str], tuple[Job, Array, object]]


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest) -> Runs:
    """A form's job, result and findings, by its number in SCHEDULED and a target; one in two of those that are asked for in
    one twin."""
    asked = asked_for(request, "test_form", "target", "number")

    @cache
    def half(first: int, target: str) -> dict[int, tuple[Job, Array, object]]:
        backend = registry.get(target)
        assert isinstance(backend, SimtBackend)
        shifted = (target == "hip") ^ first  # on one of the targets a form's tensors lie where large accesses may begin
        numbers = [number for on, number in asked if on == target and number % 2 == first]
        jobs = [job(*SCHEDULED[number], backend, int(shifted)) for number in numbers]
        done = execute_many(jobs)
        found = [(j, next(iter(run.outputs.values()), np.empty(0)), run.findings) for j, run in zip(jobs, done, strict=True)]
        return dict(zip(numbers, found, strict=True))

    return lambda number, target: half(number % 2, target)[number]


@pytest.mark.parametrize(
    ("target", "number"),
    by_turns(3, ["cuda", "hip"], range(len(SCHEDULED))),
    ids=[f"{t}-{form}-{schedule}" for t in ("cuda", "hip") for form, schedule in SCHEDULED],
)
def test_form(runs: Runs, target: str, number: int) -> None:
    form, _ = SCHEDULED[number]
    done, output, findings = runs(number, target)
    assert not findings, f"{findings}\n{done.module.device.text}"
    expected = np.asarray(form.expected(form.inputs))
    assert output.shape == expected.shape
    found = widened(output, "f64") if expected.dtype.kind == "f" else output
    same = found == expected
    if form.close:
        with np.errstate(invalid="ignore"):  # of infinities, which are equal
            same |= np.abs(found - expected) <= form.close * (1 + np.abs(expected))
    if expected.dtype.kind == "f":
        same |= np.isnan(found) & np.isnan(expected)
    assert same.all(), f"{found} is not {expected}\n{done.module.device.text}"


def wrap_spec(backend: SimtBackend) -> tuple[Form, KernelGraph]:
    form = next(f for f in FORMS if f.name == "wrap")
    ops = parse(form.text)
    return form, lower(instantiate(ops[0], Library(ops), dims=form.dims, types={}), backend, {})


def test_a_grid_that_is_too_small_is_strided_over() -> None:
    backend = registry.get("cuda")
    assert isinstance(backend, SimtBackend)
    small = replace(backend.target, capability=replace(backend.capability, max_grid=(3, 1, 1)))
    form, graph = wrap_spec(backend)
    kernel = rendering.render(graph.specs[0], Elements(32), small.on("sm_80"))
    assert kernel.launch.grid == (3, 1, 1)
    assert "for (int n = blockIdx.x * 32 + threadIdx.x; n < 500; n += gridDim.x * 32) {" in kernel.text
    module = backend.assemble(graph, (kernel,), backend.devices["a100"])
    (run,) = execute_many([Job(module, form.inputs)])
    assert not run.findings
    assert np.array_equal(run.outputs["z"], form.expected(form.inputs))


def test_a_block_has_no_room_for_many_places_and_no_use_for_few_points() -> None:
    def kernel(points: int, places: int) -> Schedule:
        return uol.compile("bincount", "cuda", dims={"N": points}, attrs={"bins": places}).module.kernels[-1].schedule

    assert kernel(100_000, 1024) == Bins(256, 4)
    assert kernel(256 * 8 * 108 * 452, 1024) == Bins(256, 452), "eight blocks a core"
    assert kernel(100_000, 1025) == Elements(256)
    assert kernel(16 * 1000 - 1, 1000) == Elements(256)


def test_a_schedule_of_another_kind_is_refused() -> None:
    backend = registry.get("cuda")
    assert isinstance(backend, SimtBackend)
    _, graph = wrap_spec(backend)
    with pytest.raises(ResourceError, match="a Map kernel has no schedule Tile"):
        backend.render(graph.specs[0], TILES[0], backend.devices[backend.default_device])
