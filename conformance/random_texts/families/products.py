"""Sums of products, with what comes before and behind them; windows."""

from __future__ import annotations

from uol.conformance.random_texts.families.sketch import ANY, FINITE, Sketch


def product(s: Sketch) -> None:
    """Of two matrices, of several operands, of windows; a softmax between two products."""
    forms = {"matrix": _matrix, "three": _three, "window": _window, "attention": _attention, "strided": _strided}
    forms[s.pick(("matrix", "matrix", "three", "window", "window", "attention", "strided"))](s)


def _matrix(s: Sketch) -> None:
    """Every way that operands lie, prologues and epilogues."""
    s.data = tuple(k for k in ANY if k != "special")
    batch = ("B",) if s.chance(0.4) else ()
    for name in (*batch, "M", "N", "K"):
        s.dim(name, most=4 if name == "B" else 10)
    a = s.pick(((*batch, "M", "K"), (*batch, "K", "M"), ("M", *batch, "K")))
    b = s.pick(((*batch, "N", "K"), (*batch, "K", "N"), ("K", "N"), ("N", "K")))
    s.input("u", *a), s.input("v", *b)
    before = s.pick(("{v}", "{v}", "{v}", "max({v}, 0)", "{v} * 0.5"))
    left, right = before.format(v=f"acc(u[{', '.join(a).lower()}])"), f"acc(v[{', '.join(b).lower()}])"
    value = f"sum[k]({left} * {right})"
    dims = (*batch, "M", "N")
    at = ", ".join(dims).lower()
    if s.chance(0.4):
        s.input("c", *s.pick((("N",), ("M", "N"), ("M",))))
        value = f"{value} + acc(c[{s.params[-1].split('[')[1][:-1].lower()}])"
    s.line(f"h[{at}] = {value}")
    if s.chance(0.3):
        s.line(f"z[{', '.join((*batch, 'M')).lower()}] = T({s.pick(('sum', 'max'))}[n](h[{at}]))")
        s.result("z", *batch, "M")
    s.line(f"y[{at}] = T({s.after(f'h[{at}]')})")
    s.result("y", *dims)


def _three(s: Sketch) -> None:
    s.data = FINITE
    s.input("a", s.dim("M"), s.dim("K"))
    s.input("b", "K", s.dim("N"))
    s.input("c", *s.pick((("M", "N"), ("K",), ("M", "K"), ("N",))))
    c = f"acc(c[{s.params[-1].split('[')[1][:-1].lower()}])"
    s.line(f"y[m, n] = T(sum[k](acc(a[m, k]) * acc(b[k, n]) * {c}))")
    s.result("y", "M", "N")


def _window(s: Sketch) -> None:
    """A convolution of one dim or two, a pooling: with stride, padding, dilation."""
    s.data = FINITE
    stride, pad, dilation = s.pick((1, 1, 2, 3)), s.pick((0, 1, 2)), s.pick((1, 1, 2))
    s.dim("N", most=3), s.dim("C", most=4), s.dim("L", most=12), s.dim("R", least=1, most=3)
    s.sizes["L"] = max(s.size("L"), dilation * s.size("R") + 1)
    length = f"(L + {2 * pad} - {dilation}*(R - 1) - 1) / {stride} + 1"
    s.where.append(f"L + {2 * pad} >= {dilation}*(R - 1) + 1")
    read = f"p*{stride} + r*{dilation} - {pad}"
    s.input("x", "N", "C", "L")
    if s.chance(0.6):
        s.input("w", s.dim("O", most=4), "C", "R")
        s.line(f"y[n, o, p] = T({s.after(f'sum[c, r](acc(x[n, c, {read}] else 0) * acc(w[o, c, r]))')})")
        s.result("y", "N", "O", length)
        return
    s.input("w", "R")
    op, fill = s.pick((("sum", "0"), ("max", "-inf"), ("min", "inf")))
    value = f"{op}[r < R](acc(x[n, c, {read}] else {fill}))"
    s.line(f"y[n, c, p] = T({value if op == 'sum' else f'max(min({value}, 50), -50)'} + acc(w[0]))")
    s.result("y", "N", "C", length)


def _attention(s: Sketch) -> None:
    s.data = FINITE
    s.input("q", s.dim("L"), s.dim("D", most=6))
    s.input("k", s.dim("M", least=1), "D")
    s.input("v", "M", s.dim("E", most=6))
    score = "sum[d](acc(q[l, d]) * acc(k[m, d]))"
    if s.chance(0.4):
        score = f"select(m <= l, {score} * 0.5, -inf)"
    s.line(f"score[l, m] = {score}")
    s.line("hi[l] = max[m](score[l, m])")
    s.line("e[l, m] = exp(score[l, m] - hi[l])")
    s.line("z[l] = sum[m](e[l, m])")
    s.line("y[l, j] = T(sum[m](e[l, m] / z[l] * acc(v[m, j])))")
    s.result("y", "L", "E")


def _strided(s: Sketch) -> None:
    """Reads by quotients and remainders, reversed, transposed."""
    s.input("x", s.dim("N"), s.dim("C", least=1))
    item = s.pick(("n, C - 1 - c", "N - 1 - n, c", "n, c / 2", "n, (c + 1) % C", "n, max(c - 1, 0)"))
    other = s.pick(("x[n, c + 1] else 0", "x[n - 1, c] else 1", "x[2 * n, c] else 0", "x[n, c - 2] else 0.5"))
    s.line(f"y[n, c] = T(acc(x[{item}]) {s.pick(('+', '-', '*'))} acc({other}))")
    s.result("y", "N", "C")
