"""Rule 15: an input may be overwritten where every element is read only at the index that is written."""

from __future__ import annotations

import pytest

from uol.ir.checker.aliasing import check_aliases
from uol.ir.errors import TypeCheckError
from uol.ir.syntax.parser import parse

HEAD = "op f(x: f32[N], w: f32[N, M], at: i32[N]) -> (y: f32[N], z: f32[N, M], r: f32[M], n: f64[N])"
ADMITTED = {
    "its own element": "{ y[i] = x[i] * 2 + w[i, 0] }",
    "through a local": "{ d[i] = x[i] * 2\n y[i] = d[i] + x[i] }",
    "through a chain of locals, some of them casts": "{ d[i] = f64(x[i])\n e[i] = d[i] + 1\n y[i] = f32(e[i]) }",
    "other tensors anyhow": "{ s[] = sum[i](w[i, 0])\n y[i] = x[i] + w[at[i], 0] else 0 + s[] }",
    "the result anyhow, for it is written by then": "{ y[i] = x[i] + 1\n z[i, j] = y[j] else 0 }",
    "under a condition": "{ y[i] = select(x[i] > 0, x[i], 0) }",
    "not at all": "{ y[i] = 1 }",
}
REFUSED = {
    "a neighbour": ("{ y[i] = x[i] + x[i - 1] else 0 }", "x[i - 1] else 0"),
    "all in a sum": ("{ y[i] = sum[j](x[j]) }", "x[j]"),
    "a sum that takes the index for its own": ("{ y[i] = sum[i](x[i]) }", "x[i]"),
    "where the local is read elsewhere": ("{ d[i] = x[i] * 2\n y[i] = d[i + 1] else 0 }", "d[i + 1] else 0"),
    "for another element of a larger result": ("{ y[i] = x[i]\n z[i, j] = w[i, j] * x[i] }", "x[i]"),
    "through data": ("{ y[i] = x[at[i]] else 0 }", "x[at[i]] else 0"),
    "as a whole, by a callee": ("{ y[i] = softmax(x)[i] }", "softmax(x)"),
    "in a scatter": ("{ y[i] = x[i]\n r[at[i]] += x[i] }", "x[i]"),
    "a result that is added to": ("{ y[at[i]] += w[i, 0] }", "y[at[i]] += w[i, 0]"),
}


@pytest.mark.parametrize("case", ADMITTED)
def test_what_may_be_overwritten(case: str) -> None:
    check_aliases(parse(HEAD + ADMITTED[case])[0], {"x": "y"})


@pytest.mark.parametrize("case", REFUSED)
def test_what_may_not_be_is_refused_where_it_is_read(case: str) -> None:
    body, place = REFUSED[case]
    text = HEAD + body
    with pytest.raises(TypeCheckError) as caught:
        check_aliases(parse(text)[0], {"x": "y"})
    span = caught.value.span
    assert span is not None
    lines = text.splitlines()
    assert lines[span.line - 1][span.column - 1 : span.end_column - 1] == place
    assert "`x`" in caught.value.message and caught.value.hint


WRONG = {
    "`f` has no input `xx`": {"xx": "y"},
    "`f` has no result `Y`": {"x": "Y"},
    "`z` cannot take the memory of `x`: they are declared differently": {"x": "z"},
    "`n` cannot take the memory of `x`: they are declared differently": {"x": "n"},
    "`z` is to take the memory of both `w` and `x`": {"w": "z", "x": "z"},
}


@pytest.mark.parametrize("message", WRONG)
def test_what_is_no_alias_is_refused(message: str) -> None:
    (op,) = parse(HEAD + "{ z[i, j] = w[i, j] }")
    with pytest.raises(TypeCheckError) as caught:
        check_aliases(op, WRONG[message])
    assert message in caught.value.message
