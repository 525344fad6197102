"""Forms of recurrences: both directions, every end of the product, infinite and missing factors, folds that others are made of,
few long rows."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from forms_of_rows import RNG, ROWS, Arrays, Form

from uol.backends.simt.rows.schedule import BlockPerRow

STATE = """op f(a: f32[R, C], b: f32[R, C]) -> (y: f32[R, C]) {{
  y[r, i] = sum[j {0} i](b[r, j] * prod[k {1} j, k {2} i](a[r, k]))
}}"""
SUMS = """op f(x: f32[R, C]) -> (y: f32[R, C]) {
  before[r, i] = max[j < i](select(true, x[r, j], x[r, i]))
  hi[r, i] = max(before[r, i], x[r, i])
  y[r, i] = hi[r, i] + log(sum[j <= i](exp(x[r, j] - hi[r, j]) * prod[k > j, k <= i](exp(before[r, k] - hi[r, k]))))
}"""


def by_steps(reverse: bool, of_sum: str, of_term: str, of_result: str) -> Callable[[Arrays], np.ndarray]:
    """Position after position, in float64; what multiplies nothing is not there."""

    def expected(i: Arrays) -> np.ndarray:
        a, b = (np.flip(i[name].astype(np.float64), 1) if reverse else i[name].astype(np.float64) for name in "ab")
        out, state = np.zeros_like(b), np.zeros(len(b))
        with np.errstate(all="ignore"):
            for n, (by, own) in enumerate(zip(a.T, b.T, strict=True)):
                plus = by * own if of_term.endswith("=") else own
                faded = state * by if n and of_result.endswith("=") else state
                ended = plus if of_result.endswith("=") else own
                out[:, n] = faded + ended if of_sum.endswith("=") else faded
                state = by * state + plus if n else plus
        return np.flip(out, 1) if reverse else out

    return expected


def recurrence_forms() -> list[Form]:
    forms: list[Form] = []
    ends = [(">", "<="), (">", "<"), (">=", "<="), (">=", "<")]
    back = {">": "<", ">=": "<=", "<=": ">=", "<": ">"}
    with np.errstate(all="ignore"):
        for cols in (7, 300, 512):
            a, b = (RNG.standard_normal((5, cols)).astype(np.float32) for _ in range(2))
            a *= 0.9
            # infinities of one sign alone, and no product that is lost beside them: no order of the terms makes NaN of those
            a[[0, 1, 3]], b[[0, 1, 3]] = RNG.uniform(0.9, 1.1, (2, 3, cols)).astype(np.float32)
            a[0, 0], a[0, 4], a[1, -1], a[2, 3], b[3, :5] = np.inf, np.inf, np.inf, np.nan, 0.0
            a[3, 5], a[4, 2:4] = np.inf, 0.0
            ways = (*ROWS, BlockPerRow(64, 1, 4), BlockPerRow(64, 1, 2)) if cols % 4 == 0 else ROWS
            for number, (term, result) in enumerate(ends):
                of_sum = "<=" if cols == 7 or number % 2 else "<"
                for reverse in (False, True):
                    given = (of_sum, term, result)
                    signs = tuple(back[sign] for sign in given) if reverse else given
                    form = by_steps(reverse, *given)
                    name = f"recurrence{''.join(signs)}-{cols}"
                    dims = {"R": 5, "C": cols}
                    forms.append(Form(name, STATE.format(*signs), {"a": a, "b": b}, form, ways, dims, close=1e-4))
        x = (RNG.standard_normal((5, 512)) * 30).astype(np.float32)
        wide = x.astype(np.float64)
        lse = np.logaddexp.accumulate(wide, axis=1)
        ways = (*ROWS, BlockPerRow(64, 1, 4), BlockPerRow(128, 1, 2))
        forms.append(Form("recurrence-of-maxima", SUMS, {"x": x}, lambda i: lse, ways, {"R": 5, "C": 512}, close=1e-5))
        return [*forms, chosen_terms(), *guarded_terms(), *long_recurrences()]


def chosen_terms() -> Form:
    """What is added is a choice: `by * y + (b > 0 ? b : 0)`."""
    text = STATE.format("<=", ">", "<=").replace("b[r, j]", "select(b[r, j] > 0, b[r, j], 0)")
    a, b = (RNG.uniform(-1, 1, (5, 64)).astype(np.float32) for _ in range(2))
    steps = by_steps(False, "<=", ">", "<=")
    ways = (*ROWS, BlockPerRow(64, 1, 4))
    return Form(
        "recurrence-of-choices",
        text,
        {"a": a, "b": b},
        lambda i: steps({"a": i["a"], "b": np.maximum(i["b"], 0)}),
        ways,
        {"R": 5, "C": 64},
        close=1e-5,
    )


def guarded_terms() -> list[Form]:
    """Terms and factors that are read beyond the ends of a row, or where data says."""
    a, b = RNG.uniform(-1, 1, (5, 64)).astype(np.float32), RNG.standard_normal((5, 64)).astype(np.float32)
    at = RNG.integers(-3, 67, 64).astype(np.int32)
    inside, places = (at >= 0) & (at < 64), np.clip(at, 0, 63)
    zeros, ones = np.zeros((5, 1), np.float32), np.ones((5, 1), np.float32)
    read = {
        "b[r, j + 1] else 0": np.hstack([b[:, 1:], zeros]),
        "b[r, j - 1] else 0": np.hstack([zeros, b[:, :-1]]),
        "b[r, at[j]] else 0": np.where(inside, b[:, places], 0),
        "a[r, k + 1] else 1": np.hstack([a[:, 1:], ones]),
        "a[r, at[k]] else 1": np.where(inside, a[:, places], 1),
    }
    forms = []
    pairs = (("a[r, k]", "b[r, j + 1] else 0"), *zip(list(read)[3:], list(read)[1:3], strict=True))
    for factor, term in pairs:
        text = STATE.format("<=", ">", "<=").replace("b: f32[R, C]", "b: f32[R, C], at: i32[C]")
        text = text.replace("b[r, j]", f"({term})").replace("a[r, k]", factor)
        steps, given = by_steps(False, "<=", ">", "<="), {"a": read.get(factor, a), "b": read[term]}
        inputs = {"a": a, "b": b, "at": at}
        name = f"recurrence-of-{term[:10]}-{factor[:10]}"
        expected = partial(lambda steps, given, _: steps(given), steps, given)
        forms.append(Form(name, text, inputs, expected, ROWS, {"R": 5, "C": 64}, close=1e-5))
    return forms


def long_recurrences() -> list[Form]:
    """Three launches: with an infinite factor at the first position of a part. Of a length that has no
    parts of one size, one more; a recurrence of what another scan leaves comes behind that."""
    forms = []
    for length, way in ((49152, (BlockPerRow(256, 1, 4),)), (49157, (BlockPerRow(256),))):
        a, b = RNG.uniform(-1.1, 1.0, (1, length)).astype(np.float32), RNG.standard_normal((1, length)).astype(np.float32)
        for number, (signs, reverse) in enumerate(((("<=", ">", "<="), False), ((">=", "<", ">="), True))):
            text = STATE.format(*signs)
            given = {"a": a, "b": b}
            if number:  # no product of a part is lost beside it
                given = {name: RNG.uniform(0.9, 1.1, (1, length)).astype(np.float32) for name in "ab"}
                given["a"][0, 49152 // 3 * 2 - 1] = np.inf
            expected = by_steps(reverse, "<=", ">", "<=")
            name = f"long-recurrence-{length}-{number}"
            forms.append(Form(name, text, given, expected, way, {"R": 1, "C": length}, close=1e-4))
    x = (RNG.standard_normal((1, 49157)) * 30).astype(np.float32)
    wide = x.astype(np.float64)
    lse = np.logaddexp.accumulate(wide, axis=1)
    forms.append(Form("long-recurrence-of-maxima", SUMS, {"x": x}, lambda i: lse, way, {"R": 1, "C": 49157}, close=1e-5))
    return forms


RECURRENCE_FORMS = tuple(recurrence_forms())
