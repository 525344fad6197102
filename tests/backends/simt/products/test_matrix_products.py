"""Products on matrix units, in the twin of both targets, against numpy: every tile, every way in which operands lie, tails.

Forms with other data, or whose tensors begin elsewhere, have the sizes of one with the same text: it is compiled once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import product

import numpy as np
import pytest
from simt_cases import widened
from turns import asked_for

import uol
from uol.backends import registry
from uol.backends.simt.products.matrix.candidates import ASYNCHRONOUS, IN_PARTS, SMALL, THROUGH_REGISTERS
from uol.backends.simt.products.matrix.schedule import MatrixTile
from uol.backends.simt.simt_backend import SimtBackend
from uol.backends.twin.record import Array, Job
from uol.backends.twin.run import execute_many
from uol.codegen.backend import Device
from uol.codegen.choice import compile_graph
from uol.codegen.lowering import lower
from uol.ir import Library, instantiate, parse

RNG = np.random.default_rng(50)
Arrays = dict[str, Array]
PRODUCT = "op f(a: {t}[{a}], b: {u}[{b}]) -> (y: {y}[M, N]) {{ y[m, n] = sum[k](acc(a[{at_a}]) * acc(b[{at_b}])) }}"
WAYS = {"k along both": ("M, K", "N, K"), "rows and columns": ("M, K", "K, N"), "k along none": ("K, M", "K, N")}
TILES = {"cuda": ASYNCHRONOUS, "hip": tuple(tile for tile in THROUGH_REGISTERS if tile.warps <= 4)}
"""Of gfx90a those of eight warps have room for rows along k alone."""
WIDE = {"cuda": IN_PARTS, "hip": (*TILES["hip"], *SMALL)}
"""Of f32, alone and with 16 bits."""
FEW_WIDE = {"cuda": IN_PARTS[2:4], "hip": (TILES["hip"][3], *SMALL)}
SKEWED = np.repeat([-3, -1, 0, 1, 3, 5, 6, 9], [1, 1, 150, 5, 1, 70, 1, 1])
"""Segments of rows, or terms: some outside of all of six, some empty, one that has most."""
LARGE = {"cuda": (), "hip": tuple(tile for tile in THROUGH_REGISTERS if tile.warps > 4)}


@dataclass(frozen=True)
class Form:
    """A text with one contraction, its inputs, and what numpy makes of them."""

    name: str
    text: str
    dims: dict[str, int]
    inputs: Arrays
    expected: Callable[[Arrays], np.ndarray]
    tiles: dict[str, tuple[MatrixTile, ...]] = field(default_factory=lambda: TILES)
    shift: int = 0
    is_open: bool = False


def integers(*shape: int) -> Array:
    """Whose sums of products are exact in any order and type."""
    return RNG.integers(-4, 5, shape).astype(np.float16)


def first(target_tiles: int) -> dict[str, tuple[MatrixTile, ...]]:
    return {target: tiles[:target_tiles] for target, tiles in TILES.items()}


def forms() -> list[Form]:
    found = []
    for way, (a, b) in WAYS.items():
        text = PRODUCT.format(t="f16", u="f16", y="f32", a=a, b=b, at_a=a.lower(), at_b=b.lower())
        left, right = (part.replace(", ", "").lower() for part in (a, b))
        equation = f"{left},{right}->mn"

        def expected(i: Arrays, equation: str = equation) -> np.ndarray:
            return np.einsum(equation, i["a"].astype(np.float64), i["b"].astype(np.float64))

        for m, n, k, tiles, shift in (
            (200, 136, 72, TILES, 0), (136, 264, 168, first(1), 0), (8, 8, 8, first(1), 0), (128, 128, 64, first(2), 0),
            (200, 136, 72, first(1), 1),
        ):  # fmt: skip
            sizes = {"M": m, "N": n, "K": k}
            inputs = {name: integers(*(sizes[d] for d in dims.split(", "))) for name, dims in (("a", a), ("b", b))}
            found.append(Form(f"{way}-{m}x{n}x{k}-{shift}", text, sizes, inputs, expected, tiles, shift))
    along = found[0]
    found.append(replace(along, name="of eight warps", tiles=LARGE))
    batched = """op f(a: f16[B, H, M, K], b: f16[B, N, H, K], c: f16[H, N], r: f16[B, M, H, N]) -> (y: f16[B, M, H, N]) {
  s[i, m, h, n] = sum[k](acc(a[i, h, m, k]) * acc(b[i, n, h, k]))
  y[i, m, h, n] = f16(max(s[i, m, h, n] + acc(c[h, n]), 0) + acc(r[i, m, h, n]))
}"""
    inputs = {"a": integers(2, 3, 20, 24), "b": integers(2, 32, 3, 24), "c": integers(3, 32), "r": integers(2, 20, 3, 32)}

    def of_batches(i: Arrays) -> np.ndarray:
        s = np.einsum("bhmk,bnhk->bmhn", i["a"].astype(np.float64), i["b"].astype(np.float64)) + i["c"]
        return (np.maximum(s, 0) + i["r"]).astype(np.float16).astype(np.float64)

    dims = {"B": 2, "H": 3, "M": 20, "N": 32, "K": 24}
    found.append(Form("batches with an epilogue", batched, dims, inputs, of_batches, first(2)))
    return [*found, *grouped(), *other_types(), *wide_types(), *in_pieces(), *narrow()]


def other_types() -> list[Form]:
    """Bytes that are multiplied to integers, and larger numbers."""

    def expected(i: Arrays) -> np.ndarray:
        return np.einsum("mk,nk->mn", widened(i["a"], "f64"), widened(i["b"], "f64"))

    found = []
    for dtype, numpy, result, targets in (
        ("i8", "int8", "i32", ("cuda", "hip")), ("f16", "float16", "f32", ("cuda", "hip")),
    ):  # fmt: skip
        text = PRODUCT.format(t=dtype, u=dtype, y=result, a="M, K", b="N, K", at_a="m, k", at_b="n, k")
        inputs = {name: RNG.integers(-99, 99, (count, 96)).astype(numpy) for name, count in (("a", 72), ("b", 48))}
        tiles = {target: TILES[target][:3] for target in targets}
        found.append(Form(f"of {dtype}", text, {"M": 72, "N": 48, "K": 96}, inputs, expected, tiles))
    return found


def all_bits(rows: int, cols: int, dtype: str, *, wide_first: bool) -> Array:
    """Rows along k of integers with all the bits of their type, in one half of the columns; in the other half mostly 0, and 1
    and -1: sums of products with rows whose halves are exchanged are exact. bf16 as bits."""
    bits = {"f32": 21, "f16": 11, "bf16": 8}[dtype]
    wide = RNG.integers(-1 << bits, 1 << bits, (rows, cols // 2)) | 1
    few = RNG.integers(-1, 2, (rows, cols // 2)) * (np.arange(cols // 2) % 29 == 3)
    values = np.concatenate([wide, few] if wide_first else [few, wide], axis=1).astype(np.float32)
    if dtype == "bf16":
        return (values.view(np.uint32) >> 16).astype(np.uint16)
    return values.astype({"f16": np.float16, "f32": np.float32}[dtype])


def lying(a: Array, b: Array, dims: tuple[str, str]) -> Arrays:
    """Two matrices with rows along k, as they lie."""
    return {"a": a.copy() if dims[0] == "M, K" else a.T.copy(), "b": b.copy() if dims[1] == "N, K" else b.T.copy()}


def wide_types() -> list[Form]:
    """f32, of whose products all bits are kept, alone and with 16 bits: with tails, unaligned, of what is not finite. With 16
    bits each tile is there with each way, and with each pair of types."""
    found = []
    types = (("f32", "f32"), ("f32", "f16"), ("f16", "f32"), ("bf16", "f32"))
    for number, ((way, dims), (t, u)) in enumerate(product(WAYS.items(), types)):
        text = PRODUCT.format(t=t, u=u, y="f32", a=dims[0], b=dims[1], at_a=dims[0].lower(), at_b=dims[1].lower())
        equation = ",".join(each.replace(", ", "").lower() for each in dims) + "->mn"

        def expected(i: Arrays, equation: str = equation, t: str = t, u: str = u) -> np.ndarray:
            return np.einsum(equation, widened(i["a"], t), widened(i["b"], u))

        turn = (number + number // len(types)) % 2
        few = FEW_WIDE if t == u else {target: FEW_WIDE[target][turn:][:1] for target in FEW_WIDE}
        small = [((40, 32, 64), {target: tiles[:1] for target, tiles in few.items()}, 0)] if t == u else []
        for (m, n, k), tiles, shift in (*small, ((72, 136, 88), WIDE if t == u else few, 0), ((72, 136, 88), few, 1)):
            a, b = all_bits(m, k, t, wide_first=True), all_bits(n, k, u, wide_first=False)
            name, inputs = f"{t} by {u}, {way}-{m}x{n}x{k}-{shift}", lying(a, b, dims)
            found.append(Form(name, text, {"M": m, "N": n, "K": k}, inputs, expected, tiles, shift))
        (a if t == "f32" else b)[[0, 3, 7], [3, 32, 80]] = np.inf, -np.inf, np.nan  # the other factor has 0, 1 and -1 for these
        found.append(replace(found[-1], name=f"{t} by {u}, {way}, not finite", inputs=lying(a, b, dims), shift=0))
    return found


def some(*numbers: int) -> dict[str, tuple[MatrixTile, ...]]:
    return {target: tuple(tiles[number] for number in numbers) for target, tiles in TILES.items()}


def in_pieces() -> list[Form]:
    """Operands whose rows, or terms, are several axes that no one step goes over: tokens of pictures, and their gradients."""
    found = []
    for name, a, b, result, sizes in (
        ("rows in pieces", "ikp", "nk", "ipn", "i5 p28 k36 n40"),
        ("rows in pieces of whole accesses", "ikp", "nk", "ipn", "i3 p48 k40 n40"),
        ("rows of rows in pieces", "hipk", "nk", "ihpn", "i3 h2 p28 k36 n40"),
        ("columns in pieces", "mk", "ikp", "mip", "i3 p12 k72 m40"),
        ("terms in pieces along one", "imp", "ipn", "mn", "i5 p28 m72 n40"),
        ("terms in pieces along both", "imp", "inp", "mn", "i5 p28 m72 n40"),
        ("terms in pieces from row to row", "mhk", "khn", "mn", "h5 k28 m72 n40"),
        ("terms of three axes", "imphk", "iphkn", "mn", "i2 m36 p3 h4 k8 n40"),
    ):
        dims = {each[0].upper(): int(each[1:]) for each in sizes.split()}
        summed = [axis for axis in a if axis in b and axis not in result]
        left, right, over = (", ".join(part) for part in (a, b, summed))
        of = [f"f16[{', '.join(part.upper())}]" for part in (a, b)]
        text = (
            f"op f(a: {of[0]}, b: {of[1]}) -> (y: f32[{', '.join(result.upper())}]) "
            f"{{ y[{', '.join(result)}] = sum[{over}](acc(a[{left}]) * acc(b[{right}])) }}"
        )
        inputs = {tensor: integers(*(dims[c.upper()] for c in part)) for tensor, part in (("a", a), ("b", b))}

        def expected(i: Arrays, equation: str = f"{a},{b}->{result}") -> np.ndarray:
            return np.einsum(equation, i["a"].astype(np.float64), i["b"].astype(np.float64))

        found.append(Form(name, text, dims, inputs, expected, some(2, 6)))
    return [*found, replace(found[0], name="rows in pieces, unaligned", tiles=some(6), shift=1)]


def narrow() -> list[Form]:
    """Rows that are whole accesses of 8 and of 4 bytes."""

    def along(i: Arrays) -> np.ndarray:
        return np.einsum("mk,nk->mn", widened(i["a"], "f64"), widened(i["b"], "f64"))

    def across(i: Arrays) -> np.ndarray:
        return np.einsum("km,kn->mn", widened(i["a"], "f64"), widened(i["b"], "f64"))

    found = []
    types = (("f16", "float16", "f32", 76), ("f16", "float16", "f32", 74), ("i8", "int8", "i32", 68))
    for dtype, numpy, result, count in types:
        text = PRODUCT.format(t=dtype, u=dtype, y=result, a="M, K", b="N, K", at_a="m, k", at_b="n, k")
        inputs = {name: RNG.integers(-4, 5, (rows, count)).astype(numpy) for name, rows in (("a", 150), ("b", 46))}
        dims = {"M": 150, "N": 46, "K": count}
        found.append(Form(f"rows of {count} {dtype}", text, dims, inputs, along, some(0, 2, 6)))
    for rows, tiles in ((76, some(2, 6)), (74, {"cuda": ASYNCHRONOUS[2:8:4]})):
        text = PRODUCT.format(t="f16", u="f16", y="f32", a="K, M", b="K, N", at_a="k, m", at_b="k, n")
        inputs = {"a": integers(150, rows), "b": integers(150, 44)}
        found.append(Form(f"columns of {rows}", text, {"M": rows, "N": 44, "K": 150}, inputs, across, tiles))
    return found


def grouped() -> list[Form]:
    """Rows of segments, and sums over the terms of each: some outside of all, some segments empty, one that has all."""
    rows = """op f(a: f16[M, K], key: i64[M], b: f16[E, N, K]) -> (y: f32[M, N]) where sorted(key) {
  y[m, n] = sum[k](acc(a[m, k]) * acc(b[key[m], n, k] else 0))
}"""
    terms = """op f(a: f16[M, C], key: i64[M], b: f16[M, D], c: f32[E]) -> (y: f32[E, C, D]) where sorted(key) {
  s[key[m], j, d] += acc(a[m, j]) * acc(b[m, d])
  y[e, j, d] = s[e, j, d] + c[e]
}"""

    def by_row(i: Arrays) -> np.ndarray:
        inside = (i["key"] >= 0) & (i["key"] < len(i["b"]))
        own = np.where(inside[:, None, None], i["b"][np.where(inside, i["key"], 0)], 0)
        return np.einsum("mk,mnk->mn", i["a"].astype(np.float64), own.astype(np.float64))

    def by_term(i: Arrays) -> np.ndarray:
        own = (i["key"] == np.arange(len(i["c"]))[:, None]).astype(np.float64)
        sums = np.einsum("em,mf,md->efd", own, i["a"].astype(np.float64), i["b"].astype(np.float64))
        return sums + i["c"][:, None, None]

    found = []
    for name, keys, tiles in (
        ("skewed", SKEWED, first(4)), ("one segment", np.full_like(SKEWED, 4), first(4)),
        ("none", np.full_like(SKEWED, 7), first(4)), ("few", np.array([2, 2, 7]), first(1)),
    ):  # fmt: skip
        key, count = keys.astype(np.int64), len(keys)
        inputs = {"a": integers(count, 72), "key": key, "b": integers(6, 40, 72)}
        found.append(Form(f"rows of {name}", rows, {"M": count, "N": 40, "K": 72, "E": 6}, inputs, by_row, tiles))
        inputs = {"a": integers(count, 40), "key": key, "b": integers(count, 24), "c": np.arange(6, dtype=np.float32)}
        found.append(Form(f"terms of {name}", terms, {"M": count, "C": 40, "D": 24, "E": 6}, inputs, by_term, tiles))
    return [*found, replace(found[0], name="rows of skewed, unaligned", shift=1), *gathered()]


def gathered() -> list[Form]:
    """The same of rows that data names, some of which are not there, and one of which comes several times."""
    rows = """op f(x: {t}[N, K], src: {i}[M], key: i64[M], b: {t}[E, J, K]) -> (y: f32[M, J]) where sorted(key) {{
  y[m, n] = sum[k](acc(x[src[m], k] else 0) * acc(b[key[m], n, k] else 0))
}}"""
    terms = """op f(a: {t}[M, C], x: {t}[N, D], src: {i}[M], key: i64[M], c: f32[E]) -> (y: f32[E, C, D]) where sorted(key) {{
  s[key[m], j, d] += acc(a[m, j]) * acc(x[src[m], d] else 0)
  y[e, j, d] = s[e, j, d] + c[e]
}}"""

    def taken(i: Arrays) -> np.ndarray:
        is_there = (i["src"] >= 0) & (i["src"] < len(i["x"]))
        own = np.concatenate([numbers(i["x"]), np.zeros((1, i["x"].shape[1]))])[np.where(is_there, i["src"], 0)]
        return np.where(is_there[:, None], own, 0)

    def by_row(i: Arrays) -> np.ndarray:
        inside = (i["key"] >= 0) & (i["key"] < len(i["b"]))
        own = np.where(inside[:, None, None], numbers(i["b"])[np.where(inside, i["key"], 0)], 0)
        return np.einsum("mk,mnk->mn", taken(i), own)

    def by_term(i: Arrays) -> np.ndarray:
        own = (i["key"] == np.arange(len(i["c"]))[:, None]).astype(np.float64)
        return np.einsum("em,mf,md->efd", own, numbers(i["a"]), taken(i)) + i["c"][:, None, None]

    found = []
    for name, keys, tokens, integer, dtype, tiles, shift in (
        ("skewed", SKEWED, 61, "int64", "f16", TILES, 0), ("skewed, bf16", SKEWED, 7, "int32", "bf16", first(2), 0),
        ("one segment", np.full_like(SKEWED, 4), 61, "int64", "f16", first(4), 0),
        ("none", np.full_like(SKEWED, 7), 61, "int64", "f16", first(2), 0),
        ("few", np.array([2, 2, 7]), 5, "int32", "f16", first(1), 0),
        ("no tokens", np.full(9, 2), 0, "int64", "f16", first(1), 0),
        ("skewed, unaligned", SKEWED, 61, "int64", "f16", first(2), 1),
    ):  # fmt: skip
        key, count, texts = keys.astype(np.int64), len(keys), {"t": dtype, "i": f"i{integer[3:]}"}
        src = RNG.integers(-1, tokens + 2, count).astype(integer)
        src[: count // 3] = np.arange(count // 3) % max(tokens, 1)
        src[-1] = np.iinfo(integer).min
        if integer == "int64":
            src[count // 2] = 2**32  # which is 0 in 32 bits
        inputs = {"x": narrowed(integers(tokens, 72), dtype), "src": src, "key": key, "b": narrowed(integers(6, 40, 72), dtype)}
        dims = {"N": tokens, "M": count, "J": 40, "K": 72, "E": 6}
        found.append(Form(f"gathered rows of {name}", rows.format(**texts), dims, inputs, by_row, tiles, shift))
        inputs = {
            "a": narrowed(integers(count, 40), dtype), "x": narrowed(integers(tokens, 24), dtype), "src": src, "key": key,
            "c": np.arange(6, dtype=np.float32),
        }  # fmt: skip
        dims = {"N": tokens, "M": count, "C": 40, "D": 24, "E": 6}
        found.append(Form(f"gathered terms of {name}", terms.format(**texts), dims, inputs, by_term, tiles, shift))
    opened = [replace(form, name=f"{form.name}, open", tiles=first(1), is_open=True) for form in found[:4]]
    return [*found, *opened, *sums_of_products(SKEWED)]


def sums_of_products(key: Array) -> list[Form]:
    """Two products by the matrices of a row's segment, added to each other: one kernel, with a loop over k for each."""
    text = """op f(a: f16[M, K], c: f16[M, K], key: i64[M], b: f16[E, J, K], d: f16[E, K, J], bias: f16[J]) -> (y: f16[M, J])
    where sorted(key) {
  s[m, n] = sum[k](acc(a[m, k]) * acc(b[key[m], n, k] else 0)) + sum[k](acc(c[m, k]) * acc(d[key[m], k, n] else 0))
  y[m, n] = f16(s[m, n] + acc(bias[n]))
}"""

    def by_row(i: Arrays) -> np.ndarray:
        inside = (i["key"] >= 0) & (i["key"] < len(i["b"]))
        at = np.where(inside, i["key"], 0)
        added = np.einsum("mk,mnk->mn", numbers(i["a"]), numbers(i["b"])[at])
        added += np.einsum("mk,mkn->mn", numbers(i["c"]), numbers(i["d"])[at])
        return np.where(inside[:, None], added, 0) + numbers(i["bias"])

    count = len(key)
    rows, weights = {"a": integers(count, 72), "c": integers(count, 72)}, {"b": integers(6, 40, 72), "d": integers(6, 72, 40)}
    inputs = {**rows, "key": key, **weights, "bias": integers(40)}
    plain = Form("rows of two products", text, {"M": count, "J": 40, "K": 72, "E": 6}, inputs, by_row, first(4))
    unaligned = replace(plain, name="rows of two products, unaligned", tiles=first(1), shift=1)
    return [plain, unaligned, replace(plain, name="rows of two products, open", tiles=first(1), is_open=True)]


def numbers(values: Array) -> np.ndarray:
    """Of f16, or of bf16 as its bits."""
    return widened(values, "bf16" if values.dtype == np.uint16 else "f64")


def narrowed(values: Array, dtype: str) -> Array:
    """Small integers in a type, bf16 as its bits."""
    return (values.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16) if dtype == "bf16" else values


CASES = [
    pytest.param(form, target, tile, id=f"{target}-{form.name}-{tile.describe()}", marks=() if of_suite else pytest.mark.soak)
    for number, form in enumerate(forms())
    for turn, target in enumerate(("cuda", "hip"))
    for at, tile in enumerate(form.tiles.get(target, ()))
    for of_suite in [(number + turn + at) % (2 if len(form.tiles[target]) < 4 else 4) == 0]
]
"""Each form on one target at least, and each tile with one in four of the forms that have many; the others are for the soak."""
TOGETHER = 64


Case = tuple[Form, str, MatrixTile]
Runs = Callable[[Case], tuple[Job, Array, object]]


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest) -> Runs:
    """A case's job, result and findings. Those that are asked for one after the other are in few twins: so many that another
    process which has those behind them seldom needs these too."""
    asked = asked_for(request, "test_products", "form", "target", "tile")

    @cache
    def part(first: int) -> list[tuple[Job, Array, object]]:
        jobs = []
        for form, target, tile in asked[first : first + TOGETHER]:
            backend = registry.get(target)
            assert isinstance(backend, SimtBackend)
            jobs.append(job_of(form, tile, backend, backend.devices[backend.default_device]))
        return [(job, run.outputs["y"], run.findings) for job, run in zip(jobs, execute_many(jobs), strict=True)]

    def run(case: Case) -> tuple[Job, Array, object]:
        number = next(n for n, each in enumerate(asked) if all(a is b for a, b in zip(each, case, strict=True)))
        return part(number // TOGETHER * TOGETHER)[number % TOGETHER]

    return run


def job_of(form: Form, tile: MatrixTile, backend: SimtBackend, device: Device) -> Job:
    """With that tile; of open sizes with the tile that the sizes' kernel has."""
    ops = parse(form.text)
    graph = lower(instantiate(ops[0], Library(ops), dims={} if form.is_open else form.dims, types={}), backend, {})
    if form.is_open:
        module = compile_graph(graph, backend, device)
        assert any(isinstance(kernel.schedule, MatrixTile) for kernel in module.kernels)
        return Job(module, form.inputs, form.dims, shift=form.shift)
    before = ((spec, next(iter(backend.schedules(spec, device)))) for spec in graph.specs[:-1])
    kernels = (*(backend.render(*each, device) for each in before), backend.render(graph.specs[-1], tile, device))
    return Job(backend.assemble(graph, kernels, device), form.inputs, {}, shift=form.shift)


@pytest.mark.parametrize(("form", "target", "tile"), CASES)
def test_products(runs: Runs, form: Form, target: str, tile: MatrixTile) -> None:
    job, output, findings = runs((form, target, tile))
    assert not findings, f"{findings}\n{job.module.device.text}"
    expected = form.expected(form.inputs)
    found = widened(output, "f64")
    assert np.array_equal(found, expected, equal_nan=True), f"{output} is not {expected}\n{job.module.device.text}"


@pytest.mark.parametrize("target", ["cuda", "hip"])
def test_rows_in_segments_are_on_matrix_units_at_any_size(target: str) -> None:
    """Though their number, of which a guard asks, is an argument, too."""
    kernel = uol.compile("grouped_matmul", target, "f16", dict.fromkeys("MDEF"))
    tiles = [each.schedule for each in kernel.module.kernels if each.spec.name.endswith("_whole")]
    few, many = (tile.m for tile in tiles if isinstance(tile, MatrixTile))
    assert few <= 64 <= many, "few rows for each of 128 segments, and many"
    keys = np.concatenate([np.zeros(30), np.full(5, 1), np.full(45, 4)]).astype(np.int64)
    inputs = {"x": integers(80, 40), "expert": keys, "w": integers(6, 24, 40)}
    (run,) = execute_many([Job(kernel.module, inputs, {"M": 80, "D": 40, "E": 6, "F": 24})])
    assert not run.findings, run.findings
    expected = np.einsum("mk,mnk->mn", inputs["x"].astype(np.float64), inputs["w"][keys].astype(np.float64))
    assert np.array_equal(run.outputs["y"], expected.astype(np.float16))
