"""Sums and reads by keys, some of which lie outside."""

from __future__ import annotations

from uol.conformance.random_texts.families.sketch import FINITE, Sketch


def segments(s: Sketch) -> None:
    """`at` has a key a row: of a sum, of a mean, of a product with the key's own operand, or of rows to be read."""
    key = s.pick(("i32", "i32", "i64", "i16", "u8"))
    s.dim("N", most=14)
    s.input("at", "N", type=key)
    if s.chance(0.5):
        s.where.append("sorted(at)")
    forms = {"sum": _sum, "mean": _mean, "product": _product, "outer": _outer, "gather": _gather, "several": _several}
    forms[s.pick(("sum", "sum", "mean", "product", "outer", "gather", "several"))](s)


def _key(s: Sketch) -> str:
    return s.pick(("at[n]", "at[n]", "at[n]", "at[n] - 1", "at[n] + 1", "2 * at[n]", "at[n] * 1000000"))


def _sum(s: Sketch) -> None:
    """Straight into a result, by one or two statements."""
    dims = ("N", s.dim("D", most=7)) if s.chance(0.7) else ("N",)
    rest = dims[1:]
    at = ", ".join(d.lower() for d in dims)
    s.input("x", *dims)
    s.dim("S", most=6)
    s.input("like", "S")
    target = ", ".join((_key(s), *(d.lower() for d in rest)))
    s.line(f"a[{target}] += {s.pick(('{x}', '{x} * 0.5', 'abs({x})', '{x} * {x}')).format(x=f'acc(x[{at}])')}")
    if s.chance(0.25):
        s.line(f"a[{', '.join((_key(s), *(d.lower() for d in rest)))}] += acc(x[{at}])")
    items = ", ".join(("s", *(d.lower() for d in rest)))
    s.line(f"y[{items}] = T({s.after(f'a[{items}]')} + acc(like[s]))")
    s.result("y", "S", *rest)


def _mean(s: Sketch) -> None:
    s.input("x", "N", s.dim("D", most=7))
    s.dim("S", most=6)
    s.input("like", "S")
    key = _key(s)
    s.line(f"a[{key}, d] += acc(x[n, d])")
    s.line(f"size[{key}] += acc(T(1))")
    s.line("y[s, d] = T(select(size[s] > 0, a[s, d] / size[s], 0) * acc(like[s]))")
    s.result("y", "S", "D")


def _product(s: Sketch) -> None:
    """Row n times the matrix of its key."""
    s.data = FINITE  # a product with a factor of 0 by `else 0` may be left out
    s.input("x", "N", s.dim("D", most=7))
    s.input("w", s.dim("S", most=5), s.dim("F", most=7), "D")
    s.line(f"y[n, f] = T({s.after('sum[d](acc(x[n, d]) * acc(w[at[n], f, d] else 0))')})")
    s.result("y", "N", "F")


def _outer(s: Sketch) -> None:
    """Products of two rows, added by key: the weight gradient of the above."""
    s.input("x", "N", s.dim("D", most=7))
    s.input("z", "N", s.dim("F", most=7))
    s.dim("S", most=5)
    s.input("like", "S")
    s.line("a[at[n], d, f] += acc(x[n, d]) * acc(z[n, f])")
    s.line("y[s, d, f] = T(a[s, d, f] + acc(like[s]))")
    s.result("y", "S", "D", "F")


def _gather(s: Sketch) -> None:
    """Rows read by key, reduced or not."""
    s.input("w", s.dim("S", most=6), s.dim("D", most=7))
    fill = s.pick(("0", "0", "1", "-inf", "0.5"))
    read = f"acc(w[{_key(s)}, d] else {fill})"
    match s.pick(("map", "sum", "max", "square")):
        case "map":
            s.line(f"y[n, d] = T({s.after(read)})")
            s.result("y", "N", "D")
        case "sum":
            s.line(f"y[d] = T(sum[n]({read}))")
            s.result("y", "D")
        case "max":
            s.line(f"y[n] = T({s.pick(('max', 'min'))}[d]({read}))")
            s.result("y", "N")
        case "square":
            s.line(f"y[n] = T(sum[d]({read} * {read.replace(fill, '0')}))")
            s.result("y", "N")
            s.data = FINITE


def _several(s: Sketch) -> None:
    """Two sums of the same keys, and one that is read back at them."""
    s.data = FINITE
    s.input("x", "N")
    s.dim("S", most=6)
    s.input("like", "S")
    s.line(f"a[{_key(s)}] += exp(min(acc(x[n]), 3))")
    s.line("total[s] = a[s] + abs(acc(like[s])) + 1")
    s.line("y[n] = T(exp(min(acc(x[n]), 3)) / (total[at[n]] else 1))")
    s.result("y", "N")
