"""Forms of kernels that look for values among ascending keys: element by element, side by side, for the places of a scatter,
among keys in shared memory and among those that are no copy of a tensor."""

from __future__ import annotations

import numpy as np
from forms_of_rows import Arrays, Form

from uol.backends.simt.choosing.schedules import SimtSchedule
from uol.backends.simt.elements.schedule import Bins, Elements
from uol.backends.simt.rows.schedule import BlockPerRow, ThreadPerRow

RNG = np.random.default_rng(11)
COUNT = "op f(x: {t}[N], keys: {t}[E]) -> (y: i64[N]) where sorted(keys) {{ y[n] = sum[e](i64(keys[e] {relation} x[n])) }}"
INTO = """op f(x: {t}[N], keys: {t}[E]) -> (y: i64[E + 1]) where sorted(keys) {{
  at[n] = sum[e](i32(keys[e] {relation} x[n]))
  y[at[n]] += 1
}}"""
SOME = INTO.replace("sum[e](", "sum[e < E - 3](").replace("[E + 1]", "[E - 2]")
ROW = """op f(x: f32[R, C], at: f32[R], keys: f32[E]) -> (y: f32[R]) where sorted(keys) {
  before[r] = sum[e](i32(keys[e] < at[r]))
  y[r] = sum[c](x[r, c]) + f32(before[r])
}"""
COMPARED = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal}
DTYPES = {"f64": np.float64, "f32": np.float32, "f16": np.float16, "i64": np.int64, "i8": np.int8}
EDGES = (-np.inf, -3.0, -0.0, 0.0, 0.0, 1.0, 1.0, 7.0, np.inf, np.nan, np.nan)


def values(dtype: str, number: int) -> np.ndarray:
    """At keys, between them, below and above all of them; of floats infinities and NaN, too."""
    made = RNG.integers(-10, 20, number).astype(DTYPES[dtype]) / (2 if dtype.startswith("f") else 1)
    if dtype.startswith("f"):
        made[:4] = np.nan, np.inf, -np.inf, -0.0
    return made.astype(DTYPES[dtype])


def keys(dtype: str) -> np.ndarray:
    """Equal ones beside each other; of floats, NaN last."""
    floats = np.sort(np.array(EDGES))
    return floats.astype(DTYPES[dtype]) if dtype.startswith("f") else np.array([-9, -1, -1, 0, 4, 4, 4, 19], DTYPES[dtype])


def form(name: str, text: str, dtype: str, relation: str, schedules: tuple[SimtSchedule, ...], cut: int = 0) -> Form:
    """Every value is compared with every key, by numpy."""

    def counted(i: Arrays) -> np.ndarray:
        of = i["keys"][: len(i["keys"]) - cut]
        return COMPARED[relation](of, i["x"][:, None]).sum(1)

    def into(i: Arrays) -> np.ndarray:
        return np.bincount(counted(i), minlength=len(i["keys"]) + 1 - cut)

    found = {"x": values(dtype, 300), "keys": keys(dtype)}
    expected = into if "+=" in text else counted
    dims = {"N": 300, "E": len(found["keys"])}
    return Form(f"{name}-{dtype}-{relation}", text.format(t=dtype, relation=relation), found, expected, schedules, dims)


def by_row(i: Arrays) -> np.ndarray:
    return np.asarray(i["x"].sum(1) + (i["keys"] < i["at"][:, None]).sum(1), np.float32)


WIDTHS, PLACED = (Elements(64), Elements(256, 2)), (Elements(64), Bins(64, 3), Bins(256))
ROWS = {"x": RNG.integers(-4, 5, (9, 40)).astype(np.float32), "at": values("f32", 9), "keys": keys("f32")}
SEARCH_FORMS = (
    *(form("count", COUNT, t, relation, WIDTHS) for t, relation in zip(DTYPES, ("<", "<=", ">", ">=", "<="), strict=True)),
    *(form("into", INTO, t, relation, PLACED) for t, relation in zip(DTYPES, ("<=", ">=", "<", "<=", ">"), strict=True)),
    form("some", SOME, "f32", "<=", PLACED, cut=3),
    Form("row", ROW, ROWS, by_row, (ThreadPerRow(64), BlockPerRow(64)), {"R": 9, "C": 40, "E": len(EDGES)}),
)
