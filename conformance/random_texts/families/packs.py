"""Tensors of any number of dims."""

from __future__ import annotations

from uol.conformance.random_texts.families.sketch import Sketch


def pack(s: Sketch) -> None:
    """Maps and reductions over `*S` alone, before and behind a named dim, with what is broadcast over it."""
    forms = {"map": _map, "rows": _rows, "columns": _columns, "whole": _whole, "place": _place, "both": _both, "order": _order}
    s.pack("S")
    forms[s.pick(tuple(forms))](s)


def _map(s: Sketch) -> None:
    s.input("x", "*S")
    s.input("z", "*S")
    value = s.pick(("acc(x[*s]) * acc(z[*s])", "max(acc(x[*s]), acc(z[*s]))", "select(x[*s] > z[*s], acc(x[*s]), 1)"))
    s.line(f"y[*s] = T({s.after(value)})")
    s.result("y", "*S")


def _rows(s: Sketch) -> None:
    s.input("x", "*S", s.dim("C"))
    s.input("g", "C")
    s.line(f"hi[*s] = {s.pick(('max', 'min', 'sum'))}[c](acc(x[*s, c]))")
    joined = s.pick(("acc(x[*s, c]) - hi[*s]", "acc(x[*s, c]) * hi[*s]", "max(acc(x[*s, c]), hi[*s])"))
    s.line(f"y[*s, c] = T({s.pick(('({v}) * acc(g[c])', '{v} + acc(g[c])')).format(v=joined)})")
    s.result("y", "*S", "C")


def _columns(s: Sketch) -> None:
    """A statistic of each channel, over what stands on both sides of it."""
    s.input("x", s.dim("N", most=4), s.dim("C", most=5), "*S")
    s.line("total[c] = sum[n, *s](acc(x[n, c, *s]))")
    s.line("y[n, c, *s] = T(acc(x[n, c, *s]) - total[c] * 0.125)")
    s.result("y", "N", "C", "*S")
    if s.chance(0.5):
        s.line(f"hi[c] = {s.pick(('max', 'min'))}[n, *s](x[n, c, *s])")
        s.result("hi", "C")


def _whole(s: Sketch) -> None:
    s.input("x", "*S")
    op = s.pick(("sum", "max", "min", "sum"))
    body = s.pick(("{x}", "{x} * {x}", "abs({x})")).format(x="acc(x[*s])")
    s.line(f"a[] = {op}[*s]({body})")
    s.line("y[] = T(a[])")
    s.result("y")
    if s.chance(0.5):
        s.line("z[*s] = T(acc(x[*s]) * a[])")
        s.result("z", "*S")


def _place(s: Sketch) -> None:
    """The row-major place of an element, and how many there are."""
    s.input("x", "*S")
    value = s.pick(("acc(T(flat(*s)))", "select(flat(*s) % 2 == 0, 1, 0.5)", "select(flat(*s) < count(*S) / 2, 1, 0)"))
    s.line(f"y[*s] = T(acc(x[*s]) * {value})")
    s.result("y", "*S")


def _both(s: Sketch) -> None:
    """A product of the last dims, the same for all of the first."""
    s.input("a", "*S", s.dim("M"), s.dim("K"))
    s.input("b", *(("*S",) if s.chance(0.5) else ()), "K", s.dim("N"))
    b = "b[*s, k, n]" if "*S" in s.params[-1] else "b[k, n]"
    s.line(f"y[*s, m, n] = T({s.after(f'sum[k](acc(a[*s, m, k]) * acc({b}))')})")
    s.result("y", "*S", "M", "N")


def _order(s: Sketch) -> None:
    s.input("x", "*S", s.dim("C", least=1))
    if s.chance(0.5):
        s.line("(y[*s, c], p[*s, c]) = sort[q](x[*s, q])")
        s.result("y", "*S", "C")
        s.result("p", "*S", "C", type="i64")
        return
    s.line("p[*s] = argmax[c](x[*s, c])")
    s.result("p", "*S", type="i64")
    s.line("y[*s, i] = T(sum[c <= i](acc(x[*s, c])))")
    s.result("y", "*S", "C")
