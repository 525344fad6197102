"""What derived texts look like: short enough to be read aloud."""

from __future__ import annotations

import subprocess
import sys
from textwrap import dedent

import pytest

from uol.ir import Library, Op, TypeCheckError, check, parse, print_op
from uol.ir.gradients import gradient
from uol.ops.texts import library

TEXTS = parse(
    """
    op a_gather(x: T[N, D], src: i32[M]) -> (y: T[M, D]) for T in (f64, f32, f16) { y[m, d] = x[src[m], d] else 0 }
    op a_segment_sum(x: T[N, D], at: i32[N]; S: int) -> (y: T[S, D]) for T in (f64, f32) where S > 0 { y[at[n], d] += x[n, d] }
    op a_window(x: T[N]; w: int) -> (y: T[N]) for T in (f64, f32) where w > 0 { y[i] = sum[j > i - w, j <= i](x[j]) }
    op a_smallest(x: T[N, E]) -> (y: T[N, E]) for T in (f64, f32) { y[n, i] = sort[e](x[n, e]) }
    op a_roll(x: T[N]; k: int) -> (y: T[N]) for T in (f64, f32) where N > 0 { y[i] = x[(i + k) % N] }
    op a_flip(x: T[*S, N]) -> (y: T[*S, N]) for T in (f64, f32) { y[*s, i] = x[*s, N - 1 - i] }
    op a_concat(a: T[A], b: T[B]) -> (y: T[A + B]) for T in (f64, f32) {
      y[i] = select(i < A, a[i] else 0, b[i - A] else 0)
    }
    op a_every_other(x: T[N]; step: int) -> (y: T[(N + step - 1) / step]) for T in (f64, f32) where step > 0 {
      y[i] = x[step*i] else 0
    }
    op a_repeated(x: T[N]; k: int) -> (y: T[N*k]) for T in (f64, f32) where k > 0 { y[i] = x[i / k] }
    op a_strided(x: T[C, L], w: T[O, C, K]; stride: int, pad: int) -> (y: T[O, (L + 2*pad - K) / stride + 1])
        for T in (f64, f32) where stride > 0, pad >= 0, L + 2*pad >= K {
      y[o, p] = sum[c, k](x[c, p*stride + k - pad] else 0 * w[o, c, k])
    }
    op a_diagonal(x: T[N, N]) -> (y: T[N]) for T in (f64, f32) { y[i] = x[i, i] }
    op a_gram(x: T[N, D]) -> (y: T[N, N]) for T in (f64, f32) { y[i, j] = sum[d](x[i, d] * x[j, d]) }
    op a_unit(x: T[*S, C]) -> (y: T[*S, C]) for T in (f64, f32) { y[*s, c] = x[*s, c] / sqrt(sum[k](x[*s, k] * x[*s, k])) }
    op a_blend(x: T[N], w: T[N]; unused: float = 1.0) -> (y: T[N]) for T in (f64, f32, f16) {
      y[n] = T(acc(softmax(x)[n]) * acc(w[n]))
    }
    """
)
OPS = library().copy()
for _op in TEXTS:
    OPS.add(_op)

EXPECTED = {
    "softmax": """
        dot[*s] = sum[c](acc(dy[*s, c]) * acc(y[*s, c]))
        dx[*s, c] = T(acc(y[*s, c]) * (acc(dy[*s, c]) - dot[*s]))
    """,
    "silu": """
        u[*s] = 1 + exp(-acc(x[*s]))
        dx[*s] = T(acc(dy[*s]) * (1 + acc(x[*s]) * (1 - 1 / u[*s])) / u[*s])
    """,
    "linear": """
        dx[*s, k] = T(sum[n](acc(dy[*s, n]) * acc(w[n, k])))
        dw[n, k] = T(sum[*s](acc(dy[*s, n]) * acc(x[*s, k])))
        db[n] = T(sum[*s](acc(dy[*s, n])))
    """,
    "layer_norm": """
        mu[*s] = sum[c](acc(x[*s, c])) / C
        var[*s] = sum[c]((acc(x[*s, c]) - mu[*s]) * (acc(x[*s, c]) - mu[*s])) / C
        root[*s] = sqrt(var[*s] + eps)
        dvar[*s] = -0.5 * sum[c](acc(dy[*s, c]) * acc(gamma[c]) * (acc(x[*s, c]) - mu[*s]))
            / (root[*s] * root[*s] * root[*s] * C)
        dmu[*s] = -sum[c](acc(dy[*s, c]) * acc(gamma[c])) / (root[*s] * C)
        dx[*s, c] = T(acc(dy[*s, c]) * acc(gamma[c]) / root[*s] + 2 * dvar[*s] * (acc(x[*s, c]) - mu[*s])
            + dmu[*s])
        dgamma[c] = T(sum[*s](acc(dy[*s, c]) * (acc(x[*s, c]) - mu[*s]) / root[*s]))
        dbeta[c] = T(sum[*s](acc(dy[*s, c])))
    """,
    "relu": "dx[*s] = select(y[*s] > 0, dy[*s], 0)",
    "sigmoid": "dx[*s] = T(acc(dy[*s]) * (1 - acc(y[*s])) * acc(y[*s]))",
    "a_gather": """
        dx_sum[src[m], d] += acc(dy[m, d])
        dx[n, d] = T(dx_sum[n, d])
    """,
    "a_segment_sum": "dx[n, d] = dy[at[n], d] else 0",
    "a_window": "dx[j] = sum[i < j + w, i >= j](dy[i])",
    "a_smallest": """
        at[n, i] = argsort[e](x[n, e])
        dx[n, at[n, i]] += dy[n, i]
    """,
    "a_roll": "dx[n] = dy[(n - k) % N]",
    "a_flip": "dx[*s, n] = dy[*s, N - 1 - n] else 0",
    "a_concat": """
        da[i] = dy[i] else 0
        db[b_2] = dy[b_2 + A] else 0
    """,
    "a_every_other": "dx[n] = select(n % step == 0, dy[n / step] else 0, 0)",
    "a_repeated": "dx[n] = sum[t < k](dy[n * k + t] else 0)",
    "a_strided": """
        dx[c, l] = sum[t < (K + stride - 1) / stride, o < O](dy[o, (l + pad) / stride - t] else 0 * w[o, c,
            (l + pad) % stride + stride * t] else 0)
        dw[o, c, k] = sum[p](dy[o, p] * x[c, p * stride + k - pad] else 0)
    """,
    "a_diagonal": "dx[i, n] = select(i == n, dy[i], 0)",
    "a_gram": "dx[i, d] = sum[j](dy[i, j] * x[j, d]) + sum[j](dy[j, i] * x[j, d])",
}


def body_of(op: Op) -> str:
    lines = print_op(op).splitlines()
    first = next(n for n, line in enumerate(lines) if line.endswith("{"))
    return " ".join(" ".join(lines[first + 1 : -1]).split())


def get(name: str) -> Op:
    op = OPS.get(name)
    assert op is not None
    return op


@pytest.mark.parametrize("name", EXPECTED)
def test_the_body_of_a_gradient(name: str) -> None:
    assert body_of(gradient(get(name), OPS)) == " ".join(dedent(EXPECTED[name]).split())


@pytest.mark.parametrize("name", [op.name for op in TEXTS])
def test_these_texts_pass_the_checker(name: str) -> None:
    text = gradient(get(name), OPS)
    assert parse(print_op(text))[0] == text
    check(text, OPS)


def test_only_what_is_needed_is_kept() -> None:
    head = print_op(gradient(get("softmax"), OPS)).splitlines()[0]
    assert head.startswith("op softmax_grad(y: T[*S, C], dy: T[*S, C]) -> (dx: T[*S, C])")
    text = gradient(get("a_blend"), OPS)
    assert [a.name for a in text.attributes] == []
    assert [p.name for p in text.params] == ["x", "w", "dy"]
    assert "softmax_grad(softmax_y, dsoftmax_y)" in print_op(text)


def test_some_inputs_only() -> None:
    text = gradient(get("linear"), OPS, wrt=["b"])
    assert [r.name for r in text.results] == ["db"]
    assert [p.name for p in text.params] == ["dy"]
    text = gradient(get("conv2d"), OPS, wrt=["x"])
    assert [p.name for p in text.params] == ["x", "w", "dy"]  # nothing but x says how large dx is


def test_what_has_no_gradient() -> None:
    with pytest.raises(TypeCheckError, match="`argmax` has no gradient"):
        gradient(get("argmax"), OPS)
    with pytest.raises(TypeCheckError, match="`linear` has no float input `bias`"):
        gradient(get("linear"), OPS, wrt=["bias"])


def test_a_library_gives_the_gradient_of_its_operators_and_a_text_may_override_it() -> None:
    assert OPS.get("softmax_grad") == gradient(get("softmax"), OPS)
    assert OPS.get("argmax_grad") is None
    assert OPS.get("nothing_grad") is None
    (mine,) = parse("op relu_grad(y: T[*S], dy: T[*S]) -> (dx: T[*S]) for T in (f64, f32) { dx[*s] = dy[*s] }")
    assert Library([get("relu"), mine]).get("relu_grad") == mine


def test_a_gradient_loads_neither_torch_nor_tvm() -> None:
    code = """
import sys
from uol.ir import Library, parse
from uol.ir.gradients import gradient
gradient(parse("op f(x: f32[N]) -> (y: f32[N]) { y[n] = exp(x[n]) }")[0], Library())
print(*(m for m in ("tvm", "torch") if m in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("silu", {"x", "dy"}),  # y would spare a multiplication
        ("swiglu", {"gate", "up", "dy"}),
        ("rms_norm", {"x", "gamma", "dy"}),
        ("softmax", {"y", "dy"}),  # x would ask for two reductions
        ("sigmoid", {"y", "dy"}),
        ("cosine_similarity", {"a", "b", "y", "dy"}),  # without y, one more reduction
    ],
)
def test_a_result_is_read_where_it_spares_an_input_or_a_reduction(name: str, read: set[str]) -> None:
    op = OPS.get(name)
    assert op is not None
    assert {p.name for p in gradient(op, OPS).params} == read
