"""Operators built by functions: the same tree, and the same text, as the library's."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from strategies.rebuilding import rebuilt

from uol.ir.checker.checker import check
from uol.ir.errors import ParseError, TypeCheckError, UolError
from uol.ir.library import Library
from uol.ir.syntax.builder import Construction, build
from uol.ir.syntax.expression_handles import fn
from uol.ir.syntax.parser import parse
from uol.ir.syntax.printer import print_op
from uol.ops.texts import FAMILIES, text_of

INF = float("inf")


def softplus(op: Construction) -> None:
    S, s = op.names("*S *s")
    T = op.type("T", "f64", "f32", "f16", "bf16")
    x, y = op.input("x", T[S]), op.result("y", T[S])
    beta, threshold = op.attribute("beta", "float", 1.0), op.attribute("threshold", "float", 20.0)
    op.a[s] = fn.acc(x[s]) * beta
    y[s] = T(fn.select(op.a[s] > threshold, fn.acc(x[s]), fn.log1p(fn.exp(op.a[s])) / beta))


def softmax(op: Construction) -> None:
    S, C, s, c = op.names("*S C *s c")
    T = op.type("T", "f64", "f32", "f16", "bf16")
    x, y = op.input("x", T[S, C]), op.result("y", T[S, C])
    op.hi[s] = fn.max[c](fn.acc(x[s, c]))
    op.e[s, c] = fn.exp(fn.acc(x[s, c]) - op.hi[s])
    op.z[s] = fn.sum[c](op.e[s, c])
    y[s, c] = T(op.e[s, c] / op.z[s])


def conv2d(op: Construction) -> None:
    N, C, H, W, M, R, S = op.names("N C H W O R S")
    n, c, o, p, q, r, s = op.names("n c o p q r s")
    T = op.type("T", "f64", "f32", "f16", "bf16")
    stride, pad = op.attribute("stride", "int", 1), op.attribute("pad", "int", 0)
    left = op.attribute("left", "int", pad)
    x, w = op.input("x", T[N, C, H, W]), op.input("w", T[M, C, R, S])
    y = op.result("y", T[N, M, (H + 2 * pad - R) / stride + 1, (W + left + pad - S) / stride + 1])
    op.where(stride > 0, pad >= 0, left >= 0, H + 2 * pad >= R, W + left + pad >= S)
    at = x[n, c, p * stride + r - pad, q * stride + s - left].otherwise(0)
    y[n, o, p, q] = T(fn.sum[c, r, s](fn.acc(at) * fn.acc(w[o, c, r, s])))


def moe_route(op: Construction) -> None:
    N, D, E, n, d, e, k = op.names("N D E n d e k")
    T = op.type("T", "f32", "f16", "bf16")
    x, w = op.input("x", T[N, D]), op.input("w", T[E, D])
    K = op.attribute("K", "int", 4)
    p, expert = op.result("p", fn.f32[N, K]), op.result("expert", fn.i32[N, K])
    op.where(K >= 1, E >= K)
    op.score[n, e] = fn.sum[d](fn.acc(x[n, d]) * fn.acc(w[e, d]))
    op[op.top[n, k], expert[n, k]] = fn.topk[e](op.score[n, e], K)
    p[n, k] = fn.softmax(op.top)[n, k]


def segment_sum(op: Construction) -> None:
    N, D, n, d = op.names("N D n d")
    T = op.type("T", "f64", "f32")
    x, at = op.input("x", T[N, D]), op.input("at", fn.i32[N])
    S = op.attribute("S", "int")
    y = op.result("y", T[S, D])
    op.where(S > 0, fn.sorted(at))
    y[at[n], d] += x[n, d]


def window(op: Construction) -> None:
    N, W, i, j = op.names("N W i j")
    x, m = op.input("x", fn.f32[N]), op.result("m", fn.bool[()])
    y = op.result("y", fn.f32[N])
    width = op.attribute("width", "int", 3)
    y[i] = fn.sum[j > i - width, j <= i](fn.select((x[j] > -INF) & ~(x[j] == -1.5) | (i % 2 == 0), -x[j] * -2, 1 - x[j]))
    m[()] = fn.all[i](x[i] < INF)


TEXTS = {
    softplus: """op softplus(x: T[*S]; beta: float = 1.0, threshold: float = 20.0) -> (y: T[*S])
      for T in (f64, f32, f16, bf16) {
      a[*s] = acc(x[*s]) * beta
      y[*s] = T(select(a[*s] > threshold, acc(x[*s]), log1p(exp(a[*s])) / beta)) }""",
    softmax: """op softmax(x: T[*S, C]) -> (y: T[*S, C]) for T in (f64, f32, f16, bf16) {
      hi[*s]   = max[c](acc(x[*s, c]))
      e[*s, c] = exp(acc(x[*s, c]) - hi[*s])
      z[*s]    = sum[c](e[*s, c])
      y[*s, c] = T(e[*s, c] / z[*s]) }""",
    conv2d: """op conv2d(x: T[N, C, H, W], w: T[O, C, R, S]; stride: int = 1, pad: int = 0, left: int = pad)
      -> (y: T[N, O, (H + 2*pad - R) / stride + 1, (W + left + pad - S) / stride + 1]) for T in (f64, f32, f16, bf16)
      where stride > 0, pad >= 0, left >= 0, H + 2*pad >= R, W + left + pad >= S {
      y[n, o, p, q] = T(sum[c, r, s](
          acc(x[n, c, p*stride + r - pad, q*stride + s - left] else 0) * acc(w[o, c, r, s]))) }""",
    moe_route: """op moe_route(x: T[N, D], w: T[E, D]; K: int = 4) -> (p: f32[N, K], expert: i32[N, K])
      for T in (f32, f16, bf16) where K >= 1, E >= K {
      score[n, e]               = sum[d](acc(x[n, d]) * acc(w[e, d]))
      (top[n, k], expert[n, k]) = topk[e](score[n, e], K)
      p[n, k]                   = softmax(top)[n, k] }""",
    segment_sum: """op segment_sum(x: T[N, D], at: i32[N]; S: int) -> (y: T[S, D]) for T in (f64, f32)
      where S > 0, sorted(at) { y[at[n], d] += x[n, d] }""",
    window: """op window(x: f32[N]; width: int = 3) -> (m: bool[], y: f32[N]) {
      y[i] = sum[j > i - width, j <= i](select(x[j] > -inf and not x[j] == -1.5 or i % 2 == 0, -x[j] * -2, 1 - x[j]))
      m[] = all[i](x[i] < inf) }""",
}


@pytest.mark.parametrize("function", TEXTS, ids=lambda f: f.__name__)
def test_a_function_builds_what_its_text_says(function: Callable[[Construction], None]) -> None:
    (written,) = parse(TEXTS[function])
    built = build(function)
    assert built == written
    assert print_op(built) == print_op(written)
    check(built, Library([build(softmax), *([built] if function is not softmax else [])]))


@pytest.mark.parametrize("family", FAMILIES)
def test_handles_build_every_operator_of_the_library(family: str) -> None:
    for op in parse(text_of(family)):
        assert rebuilt(op) == op
        assert print_op(rebuilt(op)) == print_op(op)


def test_errors_of_the_checker_point_into_the_printed_text() -> None:
    def reach(op: Construction) -> None:
        N, i = op.names("N i")
        x, y = op.input("x", fn.f32[N]), op.result("y", fn.f32[N])
        y[i] = x[i - 1]

    with pytest.raises(UolError) as caught:
        check(build(reach), Library())
    assert caught.value.span is not None and (caught.value.span.file, caught.value.span.line) == ("<reach>", 2)
    assert "  y[i] = x[i - 1]\n" + " " * 13 + "^^^^^" in str(caught.value)


def chain(op: Construction) -> None:
    x, y, i = op.input("x", fn.f32[()]), op.result("y", fn.f32[()]), op.names("i")[0]
    y[()] = fn.select(0 < i < 3, x[()], 0)  # type: ignore[misc]


def whole(op: Construction) -> None:
    op.result("y", fn.f32[()])
    op.hi = 3


def pack_as_value(op: Construction) -> None:
    S, s = op.names("*S *s")
    x, y = op.input("x", fn.f32[S]), op.result("y", fn.f32[S])
    y[s] = x[s] * S


def local_sum(op: Construction) -> None:
    N, i = op.names("N i")
    x, y = op.input("x", fn.f32[N]), op.result("y", fn.f32[N])
    total = x[i]
    total += 1
    y[i] = total * 2


def other_place(op: Construction) -> None:
    N, i, j = op.names("N i j")
    y = op.result("y", fn.f32[N])
    element = y[i]
    element += 1
    y[j] = element


def text_inside(op: Construction) -> None:
    N, i = op.names("N i")
    op.result("y", fn.f32[N])[i] = fn.exp("x[i]")


def unpacked(op: Construction) -> None:
    N, i = op.names("N i")
    op.result("y", fn.f32[N])
    a, b = fn.sort[i](op.y[i])


REFUSED = {
    chain: "write & | ~ for and, or, not",
    whole: "name its indices: op.hi[i, j] = ...",
    pack_as_value: "the pack *S is no value",
    local_sum: "write a = a + b",
    other_place: "was assigned to another of y",
    text_inside: "a str cannot stand in an operator",
    unpacked: "bind several results so",
    lambda op: None: "<lambda> has no result",
    lambda op: op.result("y", fn.f32[()]): "<lambda> returned TensorHandle",
    lambda op: op.result("y", "f32[N]"): "`y` has no type and dims",
    lambda op: fn.sum[3](1): "a reduction is over indices",
    lambda op: fn.exp(1)[op.names("i")[0]] * op.names("x")[0] + fn.exp(2).otherwise(3): "`otherwise` belongs to an access",
    lambda op: fn.exp(float("nan")): "nan is no literal",
    lambda op: (op.names("a")[0] + 1)[0]: "only a tensor, or the call of an operator, is indexed",
}


@pytest.mark.parametrize("function", REFUSED)
def test_what_cannot_stand_in_an_operator_is_refused_with_what_can(function: Callable[[Construction], object]) -> None:
    with pytest.raises(TypeCheckError) as caught:
        build(function)
    assert REFUSED[function] in str(caught.value)


@pytest.mark.parametrize("name", ["for", "x: f32[N], z", "3"])
def test_names_that_the_grammar_refuses_are_refused_in_the_printed_text(name: str) -> None:
    def twice(op: Construction) -> None:
        N, i = op.names("N i")
        x, y = op.input(name, fn.f32[N]), op.result("y", fn.f32[N])
        y[i] = x[i] + x[i]

    with pytest.raises(ParseError):
        build(twice)
