"""Forms of kernels over rows: every fold, scans, rows that are gone over several times, few long ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from uol.backends.simt.choosing.schedules import SimtSchedule
from uol.backends.simt.elements.schedule import Elements
from uol.backends.simt.rows.schedule import BlockPerRow, ThreadPerRow

FOLD = "op f(x: {t}[R, C]) -> (y: {u}[R]) where C > 0 {{ y[r] = {fold}[c](x[r, c]) }}"
Arrays = Mapping[str, np.ndarray]
Expected = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Form:
    """A text with inputs, the schedules to force on it, and what it must give."""

    name: str
    text: str
    inputs: Arrays
    expected: Callable[[Arrays], np.ndarray]
    schedules: tuple[SimtSchedule, ...]
    dims: Mapping[str, int]
    scalars: Mapping[str, float] = field(default_factory=dict)
    close: float = 0.0

    def __str__(self) -> str:
        return self.name


ROWS = (ThreadPerRow(64), BlockPerRow(64), BlockPerRow(256))
SHARED = {
    7: (ThreadPerRow(64), BlockPerRow(64), BlockPerRow(64, 8)),
    300: (ThreadPerRow(64), BlockPerRow(256), BlockPerRow(256, 16), BlockPerRow(64, 1, 2), BlockPerRow(64, 8, 2)),
}
"""How rows of so many columns are shared: a block for each, or for several; with columns side by side; of 8 rows."""
RNG = np.random.default_rng(3)
DTYPES = {"f16": np.float16, "f32": np.float32, "f64": np.float64}


def fold_form(fold: str, t: str, u: str, x: np.ndarray, expected: Expected, close: float = 0.0) -> Form:
    rows, cols = x.shape
    text = FOLD.format(t=t, u=u, fold=fold)
    dims = {"R": rows, "C": cols}
    return Form(f"{fold}-{t}-{cols}", text, {"x": x}, lambda i: expected(i["x"]), SHARED[cols], dims, close=close)


def with_nan(x: np.ndarray) -> np.ndarray:
    x = x.copy()
    x[1, 3], x[1, 5], x[2, -1] = np.nan, np.nan, np.nan
    x[0, 2] = x[0, 4] = 9.0
    x[3, :] = -np.inf
    return x


def first_nan_else(pick: Callable[..., np.ndarray]) -> Expected:
    return lambda x: np.array([int(np.flatnonzero(np.isnan(r))[0]) if np.isnan(r).any() else int(pick(r)) for r in x])


def folds() -> list[Form]:
    forms: list[Form] = []
    for cols in (7, 300):
        reals = RNG.standard_normal((8, cols)).astype(np.float32)
        small = RNG.integers(-128, 128, (8, cols))
        bits = RNG.random((8, cols)) < 0.02
        large = RNG.integers(-(2**31), 2**31, (8, cols))
        forms += [
            fold_form("sum", "f32", "f32", reals, lambda x: x.astype(np.float64).sum(1), 1e-4),
            fold_form("prod", "f32", "f32", reals, lambda x: x.astype(np.float64).prod(1), 1e-4),
            fold_form("min", "f32", "f32", with_nan(reals), lambda x: x.min(1)),
            fold_form("max", "f16", "f16", with_nan(reals).astype(np.float16), lambda x: x.max(1)),
            fold_form("argmax", "f32", "i64", with_nan(reals), first_nan_else(np.argmax)),
            fold_form("argmin", "f16", "i64", with_nan(reals).astype(np.float16), first_nan_else(np.argmin)),
            fold_form("argmax", "i8", "i64", small.astype(np.int8), lambda x: x.argmax(1)),
            fold_form("max", "i8", "i8", small.astype(np.int8), lambda x: x.max(1)),
            fold_form("min", "u8", "u8", small.astype(np.uint8), lambda x: x.min(1)),
            fold_form("sum", "i32", "i32", large.astype(np.int32), lambda x: x.astype(np.int64).sum(1).astype(np.int32)),
            fold_form("sum", "i64", "i64", large.astype(np.int64), lambda x: x.sum(1)),
            fold_form("any", "bool", "bool", bits, lambda x: x.any(1)),
            fold_form("all", "bool", "bool", ~bits, lambda x: x.all(1)),
        ]
    return forms


SCAN = "op f(x: {t}[R, C]) -> (y: {u}[R, C]) {{ y[r, i] = {fold}[j {relation} i](x[r, j]) }}"
RELATIONS = ("<=", "<", ">=", ">")


def scan_form(fold: str, t: str, u: str, x: np.ndarray, relation: str, expected: Expected, close: float = 0.0) -> Form:
    """`expected` is the fold of each row of a part of x."""
    rows, cols = x.shape
    text = SCAN.format(t=t, u=u, fold=fold, relation=relation)

    def running(i: Arrays) -> np.ndarray:
        parts = {"<=": lambda n: (0, n + 1), "<": lambda n: (0, n), ">=": lambda n: (n, cols), ">": lambda n: (n + 1, cols)}
        ends = [parts[relation](n) for n in range(cols)]
        shift = [start if fold.startswith("arg") else 0 for start, _ in ends]
        return np.stack([expected(i["x"][:, start:end]) + at for (start, end), at in zip(ends, shift, strict=True)], 1)

    several = cols % 4 == 0 and relation in ("<=", ">=")
    ways = (*ROWS, BlockPerRow(64, 1, 2 if u == "i64" else 4)) if several else ROWS
    return Form(f"{fold}{relation}-{t}-{cols}", text, {"x": x}, running, ways, {"R": rows, "C": cols}, close=close)


def row_sums(x: np.ndarray) -> np.ndarray:
    return x.astype(np.float64).sum(1)


def scans() -> list[Form]:
    """Every fold; both directions, with and without the position itself; whole turns of a block and broken ones."""
    forms: list[Form] = []
    for number, cols in enumerate((7, 300)):
        reals = RNG.standard_normal((5, cols)).astype(np.float32)
        factors = np.exp(reals / 16).astype(np.float32)
        bits = RNG.random((5, cols)) < 0.02
        large = RNG.integers(-(2**31), 2**31, (5, cols)).astype(np.int32)
        small = RNG.integers(-128, 128, (5, cols)).astype(np.int8)
        relation = RELATIONS[number:] + RELATIONS[:number]
        forms += [scan_form("sum", "f32", "f32", reals, each, row_sums, 1e-4) for each in RELATIONS]
        forms += [
            scan_form("prod", "f32", "f32", factors, relation[0], lambda x: x.astype(np.float64).prod(1), 1e-4),
            scan_form("max", "f32", "f32", with_nan(reals), relation[0], lambda x: x.max(1, initial=-np.inf)),
            scan_form("min", "f16", "f16", with_nan(reals).astype(np.float16), relation[1], lambda x: x.min(1, initial=np.inf)),
            scan_form("argmax", "f32", "i64", with_nan(reals), RELATIONS[0], first_nan_else(np.argmax)),
            scan_form("argmin", "f32", "i64", with_nan(reals), RELATIONS[2], first_nan_else(np.argmin)),
            scan_form("min", "i8", "i8", small, relation[2], lambda x: x.min(1, initial=127)),
            scan_form("sum", "i32", "i32", large, relation[3], lambda x: x.astype(np.int64).sum(1).astype(np.int32)),
            scan_form("any", "bool", "bool", bits, relation[0], lambda x: x.any(1)),
            scan_form("all", "bool", "bool", ~bits, relation[1], lambda x: x.all(1)),
        ]
    whole = RNG.standard_normal((5, 512)).astype(np.float32)
    forms += [scan_form("sum", "f32", "f32", whole, each, row_sums, 1e-4) for each in ("<=", ">=")]
    return [*forms, two_scans()]


def two_scans() -> Form:
    """A scan of a scan's values, an epilogue that reads what the scan did, and rows that lie inside."""
    x = RNG.integers(-4, 5, (3, 70, 5)).astype(np.float32)
    text = """op f(x: f32[R, N, C]) -> (y: f32[R, N, C]) {
  s[r, i, c] = sum[j <= i](select(true, x[r, j, c] * x[r, j, c], x[r, i, c]))
  m[r, i, c] = max[j <= i](select(true, s[r, j, c] - 30 * x[r, j, c], x[r, i, c]))
  y[r, i, c] = m[r, i, c] * x[r, i, c] + s[r, i, c]
}"""

    def expected(i: Arrays) -> np.ndarray:
        squares = np.cumsum(i["x"] ** 2, 1)
        return np.maximum.accumulate(squares - 30 * i["x"], 1) * i["x"] + squares

    return Form("two-scans", text, {"x": x}, expected, ROWS, {"R": 3, "N": 70, "C": 5})


def masked() -> Form:
    x = RNG.standard_normal((6, 40)).astype(np.float32)
    text = "op f(x: f32[R, C]) -> (y: f32[R]) where C > R { y[r] = sum[c <= r](x[r, c]) }"
    rows = range(6)

    def expected(i: Arrays) -> np.ndarray:
        return np.array([i["x"][r, : r + 1].astype(np.float64).sum() for r in rows])

    return Form("masked", text, {"x": x}, expected, ROWS, {"R": 6, "C": 40}, close=1e-5)


def statistics() -> Form:
    """Two independent folds share a pass; a run-time attribute; a row store."""
    x = RNG.standard_normal((5, 130)).astype(np.float32)
    text = """op f(x: f32[R, C]; eps: float = 0.5) -> (y: f32[R]) where C > 0 {
  s[r] = sum[c](x[r, c])
  q[r] = sum[c](x[r, c] * x[r, c])
  y[r] = q[r] / sqrt(s[r] * s[r] + eps)
}"""

    def expected(i: Arrays) -> np.ndarray:
        wide = i["x"].astype(np.float64)
        return (wide**2).sum(1) / np.sqrt(wide.sum(1) ** 2 + 0.5)

    return Form("statistics", text, {"x": x}, expected, ROWS, {"R": 5, "C": 130}, {"eps": 0.5}, close=1e-3)


def kept_rows() -> list[Form]:
    """Rows that are gone over several times: held whole, with a turn that is not, two tensors of them, in narrow types; read
    where data says, and with a guard; several axes of columns; more columns than are held; with exponentials that have a
    name, of rows with NaN, of ties and of -inf alone."""
    softmax = """op f(x: {t}[R, C]) -> (y: {t}[R, C]) where C > 0 {{
  hi[r] = max[c](acc(x[r, c]))
  s[r] = sum[c](exp(acc(x[r, c]) - hi[r]))
  y[r, c] = {t}(exp(acc(x[r, c]) - hi[r]) / s[r])
}}"""
    ratio = """op f(x: f32[R, A, B], z: f32[R, A, B], at: i32[B]) -> (y: f32[R, A, B]) {
  m[r] = max[a, b](x[r, a, b] + (z[r, a, at[b]] else 3))
  s[r] = sum[a, b](select(x[r, a, b] == m[r], z[r, a, b], 1))
  y[r, a, b] = x[r, a, b] / (s[r] * s[r] + 1) + (z[r, a, at[b]] else 3)
}"""

    def normal(i: Arrays) -> np.ndarray:
        with np.errstate(invalid="ignore"):  # of a row of infinities
            wide = np.exp(i["x"].astype(np.float64) - i["x"].astype(np.float64).max(1, keepdims=True))
        return wide / wide.sum(1, keepdims=True)

    def divided(i: Arrays) -> np.ndarray:
        inside = (i["at"] >= 0) & (i["at"] < i["z"].shape[-1])
        looked = np.where(inside, i["z"][..., np.where(inside, i["at"], 0)], 3)
        m = (i["x"] + looked).max((1, 2), keepdims=True)
        s = np.where(i["x"] == m, i["z"], 1).sum((1, 2), keepdims=True)
        return i["x"].astype(np.float64) / (s * s + 1) + looked

    forms: list[Form] = []
    for t, cols, each in (("f32", 300, 4), ("f16", 512, 8), ("f64", 60, 2), ("f32", 5000, 4)):
        x = RNG.standard_normal((8, cols)).astype(DTYPES[t])
        close = {"f16": 1e-3, "f32": 1e-5, "f64": 1e-12}[t]
        ways = (ThreadPerRow(64), BlockPerRow(256), BlockPerRow(64, 8), BlockPerRow(256, 1, each), BlockPerRow(64, 8, each))
        forms.append(Form(f"kept-{t}-{cols}", softmax.format(t=t), {"x": x}, normal, ways, {"R": 8, "C": cols}, close=close))
    once = """op f(x: f32[R, C]) -> (y: f32[R, C]) where C > 0 {
  hi[r] = max[c](x[r, c])
  e[r, c] = exp(x[r, c] - hi[r])
  s[r] = sum[c](e[r, c])
  y[r, c] = e[r, c] / s[r]
}"""
    x = with_nan(np.random.default_rng(11).standard_normal((8, 300)).astype(np.float32))
    ways = (ThreadPerRow(64), BlockPerRow(256), BlockPerRow(64, 8), BlockPerRow(64, 1, 4), BlockPerRow(64, 8, 4))
    forms.append(Form("kept-once", once, {"x": x}, normal, ways, {"R": 8, "C": 300}, close=1e-5))
    for b in (9, 8):
        x, z = (RNG.integers(-3, 4, (8, 40, b)).astype(np.float32) for _ in "xz")
        inputs, dims = {"x": x, "z": z, "at": RNG.integers(-2, 11, b).astype(np.int32)}, {"R": 8, "A": 40, "B": b}
        ways = (ThreadPerRow(64), BlockPerRow(256), BlockPerRow(64, 2, 4 if b == 8 else 1))
        forms.append(Form(f"kept-ratio-{b}", ratio, inputs, divided, ways, dims, close=1e-5))
    return forms


def long_rows() -> list[Form]:
    """Few rows of so many columns that several blocks share them, in parts of one size and of two; several passes; rows that
    lie side by side."""
    x = RNG.standard_normal((2, 40001)).astype(np.float32)
    even = np.ascontiguousarray(x[:, :40000])
    columns = RNG.integers(-4, 5, (301, 5)).astype(np.float32)
    down = "op f(x: f32[N, C]) -> (y: f32[C], z: f32[C]) { y[c] = max[n](x[n, c])\n z[c] = sum[n](x[n, c]) }"
    norm = """op f(x: f32[R, C]) -> (y: f32[R, C]) where C > 0 {
  m[r] = sum[c](x[r, c]) / C
  v[r] = sum[c]((x[r, c] - m[r]) * (x[r, c] - m[r])) / C
  y[r, c] = (x[r, c] - m[r]) / sqrt(v[r] + 1)
}"""

    def normal(i: Arrays) -> np.ndarray:
        wide = i["x"].astype(np.float64)
        return (wide - wide.mean(1, keepdims=True)) / np.sqrt(wide.var(1, keepdims=True) + 1)

    def running_max(i: Arrays) -> np.ndarray:
        return np.maximum.accumulate(i["x"][:, ::-1], 1)[:, ::-1]

    long = {"R": 2, "C": 40000}
    bits = np.zeros((1, 50000), bool)
    bits[0, -1] = True
    summed, either = FOLD.format(t="f32", u="f32", fold="sum"), FOLD.format(t="bool", u="bool", fold="any")
    return [
        Form("long-even", summed, {"x": even}, lambda i: row_sums(i["x"]), ROWS, long, close=1e-3),
        Form("long-odd", summed, {"x": x}, lambda i: row_sums(i["x"]), ROWS, {"R": 2, "C": 40001}, close=1e-3),
        Form("long-any", either, {"x": bits}, lambda i: i["x"].any(1), ROWS, {"R": 1, "C": 50000}),
        Form("long-norm", norm, {"x": x}, normal, (Elements(256),), {"R": 2, "C": 40001}, close=1e-4),
        Form("long-scan", SCAN.format(t="f32", u="f32", fold="max", relation=">="), {"x": even}, running_max, ROWS, long),
        Form("long-columns", down, {"x": columns}, lambda i: i["x"].max(0), ROWS, {"N": 301, "C": 5}),
    ]


def pairs() -> list[Form]:
    """Several columns' axes; the index of an extremum is row-major over them. A row axis inside the column axes."""
    x = RNG.integers(0, 50, (3, 4, 5, 6)).astype(np.float32)
    flat = "op f(x: f32[A, B, C, D]) -> (y: i64[A, C]) where B > 0, D > 0 { y[a, c] = argmax[b, d](x[a, b, c, d]) }"
    total = "op f(x: f32[A, B, C, D]) -> (y: f32[C]) { y[c] = sum[a, b, d](x[a, b, c, d]) }"
    dims = {"A": 3, "B": 4, "C": 5, "D": 6}

    def picked(i: Arrays) -> np.ndarray:
        return i["x"].transpose(0, 2, 1, 3).reshape(3, 5, 24).argmax(-1)

    return [
        Form("pick-2", flat, {"x": x}, picked, ROWS, dims),
        Form("sum-3", total, {"x": x}, lambda i: i["x"].sum((0, 1, 3)), ROWS, dims, close=1e-6),
    ]


def neighbours() -> list[Form]:
    """Rows that lie side by side, several a thread: columns of narrow and wide types with what is read once a row; windows that
    touch, of two and of three columns. Rows one behind the other, which come to shared memory first."""
    narrow, wide = RNG.standard_normal((9, 48)).astype(np.float16), RNG.standard_normal((9, 3, 16)).astype(np.float32)
    weighted = """op f(x: f16[N, C], z: f32[N], w: f32[C]) -> (y: f32[C], m: f16[C]) where N > 0 {
  y[c] = sum[n](acc(x[n, c]) * z[n]) * w[c]
  m[c] = max[n](x[n, c])
}"""
    inputs = {"x": narrow, "z": RNG.standard_normal(9).astype(np.float32), "w": RNG.standard_normal(48).astype(np.float32)}
    middle = "op f(x: f32[N, A, C]) -> (y: f32[N, C]) where A > 0 { y[n, c] = max[a](x[n, a, c]) }"
    ways = (ThreadPerRow(64), ThreadPerRow(64, 2), ThreadPerRow(64, 4))
    eight = (*ways, ThreadPerRow(64, 8))
    dims = {"N": 9, "A": 3, "C": 16}
    forms = [
        Form("columns-f16", weighted, inputs, weighted_sums, eight, {"N": 9, "C": 48}, close=1e-5),
        Form("columns-f32", middle, {"x": wide}, lambda i: i["x"].max(1), ways, dims),
    ]
    for k in (2, 3):
        x = RNG.standard_normal((5, 6, 8 * k)).astype(np.float32)
        text = f"""op f(x: f32[N, H, W]) -> (y: f32[N, H/2, W/{k}]) where H % 2 == 0, W % {k} == 0 {{
  y[n, p, q] = max[r < 2, s < {k}](x[n, 2*p + r, {k}*q + s])
}}"""
        forms.append(Form(f"windows-{k}", text, {"x": x}, windows(k), ways, {"N": 5, "H": 6, "W": 8 * k}))
    for t, rows, cols in (("f32", 64, 49), ("f16", 128, 21)):
        x = RNG.standard_normal((rows, cols)).astype(DTYPES[t])
        text = f"""op f(x: {t}[R, C]) -> (y: f32[R]) where C > 0 {{
  m[r] = sum[c](f32(x[r, c])) / C
  y[r] = sum[c]((f32(x[r, c]) - m[r]) * (f32(x[r, c]) - m[r]))
}}"""
        pieces = (BlockPerRow(256), BlockPerRow(256, 32, 1, True), BlockPerRow(64, 8, 1, True), BlockPerRow(128, 64, 1, True))
        forms.append(Form(f"staged-{t}", text, {"x": x}, squares, pieces, {"R": rows, "C": cols}, close=1e-4))
    return forms


def windows(k: int) -> Callable[[Arrays], np.ndarray]:
    return lambda i: i["x"].reshape(5, 3, 2, 8, k).max((2, 4))


def weighted_sums(i: Arrays) -> np.ndarray:
    return (i["z"] @ i["x"].astype(np.float64)) * i["w"]


def squares(i: Arrays) -> np.ndarray:
    return i["x"].astype(np.float64).var(1) * i["x"].shape[1]


ROW_FORMS = (*neighbours(), *folds(), *scans(), masked(), statistics(), *pairs(), *kept_rows(), *long_rows())
