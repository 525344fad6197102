"""Reductions with bounds on outer indices."""

from __future__ import annotations

from uol.conformance.random_texts.families.sketch import ANY, Sketch

BOUNDS = (
    *("j <= i", "j < i", "j >= i", "j > i", "j > i - 2, j <= i", "j >= i, j < i + 3", "j > i - w, j <= i", "j <= i + 1"),
    *("j >= i - 1, j <= i + 1",),
)
WITHOUT_LARGEST = tuple(kind for kind in ANY if kind != "special")


def running(s: Sketch) -> None:
    """Along the last dim, along the first, of one row; sums, extrema, products, counts; of what bodies depend on the bound."""
    dims = s.pick((("R", "N"), ("N", "R"), ("N",)))
    for name in dims:
        s.dim(name, most=12 if name == "N" else 4)
    integer = s.chance(0.2)
    if integer:
        s.domains = {"T": ("i64", "i32", "i16", "u8")}
    s.input("x", *dims)
    i, j = (", ".join(along if d == "N" else d.lower() for d in dims) for along in "ij")
    bound = s.pick(BOUNDS)
    if "w" in bound:
        s.attributes["w"] = s.pick((1, 2, 3, 5))
        s.where.append("w > 0")
    op = s.pick(("sum", "sum", "max", "min", "prod", "any"))
    if op == "any":
        s.line(f"y[{i}] = any[{bound}](x[{j}] > {s.pick(('0', '1', f'x[{i}]'))})")
        s.result("y", *dims, type="bool")
        return
    form = s.pick(("{j}", "{j}", "{j} * 2", "{j} + {i}", "max({j}, {i})", "select({j} > 0, {j}, 1)"))
    if op == "prod":  # in another order a product of tiny numbers may be 0, and NaN times infinity
        s.data = WITHOUT_LARGEST
    if op == "sum" and "{i}" in form:  # in another order several times -3e38 may be -infinity, and NaN beside infinity
        s.data = WITHOUT_LARGEST
    body = form.format(i=f"acc(x[{i}])", j=f"acc(x[{j}])")
    value = f"{op}[{bound}]({body})"
    if op in ("max", "min") and not integer:
        value = f"max(min({value}, 100), -100)"
    own = f"acc(x[{i}])"
    value = s.pick(("{v}", "{v} + {x}", "{v} * {x}")).format(v=value, x=own)
    s.result("y", *dims)
    if s.chance(0.7) or integer:
        s.line(f"y[{i}] = T({value})")
    else:
        if op == "sum":  # which counts what is large in several sums, and adds these up: as above
            s.data = WITHOUT_LARGEST
        s.line(f"h[{i}] = {value} + {own}")
        s.line(f"y[{i}] = T(h[{i}])")
        rest = [d for d in dims if d != "N"]
        s.line(f"z[{', '.join(d.lower() for d in rest)}] = T(sum[i](h[{i}]))")
        s.result("z", *rest)
