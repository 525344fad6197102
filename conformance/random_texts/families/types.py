"""Integers, bools and several types in one text."""

from __future__ import annotations

from uol.conformance.random_texts.families.sketch import FLOATS, INTEGERS, Sketch

WHOLE = (
    *("{a} + {b}", "{a} - {b}", "{a} * {b}", "{a} / {b}", "{a} % {b}", "max({a}, {b})", "min({a}, {b})", "abs({a})"),
    *("-{a}", "{a} / 3", "{a} % 4", "{a} * 2 + 1", "select({a} > {b}, {a}, {b})", "select({a} % 2 == 0, {a} / 2, {b})"),
)
REAL = ("{a} + {b}", "{a} * {b}", "max({a}, {b})", "min({a}, {b})", "{a} / (1 + abs({b}))", "select({a} <= {b}, {a}, {b})")


def types(s: Sketch) -> None:
    """Type variables of integers and floats, casts between them, bools that come of comparisons."""
    whole = s.pick((INTEGERS, ("i32",), ("i32", "i64"), ("i8", "u8"), ("i16", "i32")))
    s.domains = {"T": FLOATS, "K": whole}
    if s.chance(0.3):
        s.domains["U"] = FLOATS
    s.dim("N"), s.dim("C")
    s.input("x", "N", "C")
    s.input("k", "N", "C", type="K")
    s.input("m", *s.pick((("N", "C"), ("C",), ("N",))), type="K")
    m = f"m[{s.params[-1].split('[')[1][:-1].lower()}]"
    integer = s.pick(WHOLE).format(a="k[n, c]", b=m)
    if s.chance(0.4):
        integer = s.pick(("({v}) + {w}", "max({v}, {w})", "({v}) * {w}")).format(v=integer, w=s.pick(("k[n, c]", m)))
    real = s.pick(REAL).format(a="acc(x[n, c])", b="acc(T(k[n, c]))")
    forms = {"map": _map, "cast": _cast, "reduce": _reduce, "truth": _truth, "choose": _choose, "narrow": _narrow}
    forms[s.pick(tuple(forms))](s, integer, real)


def _map(s: Sketch, integer: str, real: str) -> None:
    s.line(f"z[n, c] = {integer}")
    s.result("z", "N", "C", type="K")
    if s.chance(0.5):
        s.line(f"y[n, c] = T({real})")
        s.result("y", "N", "C")


def _cast(s: Sketch, integer: str, real: str) -> None:
    """Floats to integers, of which most lie outside, and back."""
    s.line(f"z[n, c] = K({real})")
    s.result("z", "N", "C", type="K")
    s.line(f"y[n, c] = T(acc(T({integer})) * 0.5)")
    s.result("y", "N", "C")


def _reduce(s: Sketch, integer: str, real: str) -> None:
    op = s.pick(("sum", "max", "min", "prod"))
    if op in ("max", "min"):
        s.line(f"z[n] = {op}[c]({integer})")
        s.result("z", "N", type="K")
    else:
        s.line(f"z[n] = {op}[c](acc({integer}))")
        s.result("z", "N", type="acc(K)")
    s.line(f"y[n] = T(sum[c]({real}))")
    s.result("y", "N")


def _truth(s: Sketch, integer: str, real: str) -> None:
    """`any`, `all`, and comparisons of both kinds."""
    test = s.pick(("{i} > 0", "{r} <= 0.5", "{i} == k[n, c]", "not ({r} > 0) and {i} != 1", "{i} < 3 or {r} < 0"))
    test = test.format(i=f"({integer})", r=f"({real})")
    s.line(f"t[n, c] = {test}")
    s.line(f"z[n] = {s.pick(('any', 'all'))}[c](t[n, c])")
    s.line("y[n, c] = T(select(t[n, c], acc(x[n, c]), 0))")
    s.result("z", "N", type="bool")
    s.result("y", "N", "C")


def _choose(s: Sketch, integer: str, real: str) -> None:
    """By a mask that is an input, with values of a second type of floats."""
    s.input("mask", "N", "C", type="bool")
    other = "U" if "U" in s.domains else "f32"
    s.input("u", "N", type=other)
    s.line(f"y[n, c] = {other}(select(mask[n, c], acc({other}({real})), acc(u[n])))")
    s.result("y", "N", "C", type=other)
    s.line(f"z[n] = sum[c](i32(mask[n, c] and {integer} > 0))")
    s.result("z", "N", type="i32")


def _narrow(s: Sketch, integer: str, real: str) -> None:
    """Through a narrower type and on."""
    narrow = s.pick(("f16", "bf16", "i8", "u8", "i16", "f8e4m3", "f8e5m2"))
    s.line(f"v[n, c] = {narrow}({real})")
    s.line("y[n, c] = T(f32(v[n, c]) + 1)")
    s.result("y", "N", "C")
    s.line(f"z[n, c] = {s.pick(('i16', 'i8', 'i32', 'u8'))}({integer})")
    s.result("z", "N", "C", type=s.lines[-1].split("= ")[1].split("(")[0])
