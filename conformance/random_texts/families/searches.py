"""Counts of keys that ascend, which kernels find by halving."""

from __future__ import annotations

from uol.conformance.random_texts.families.sketch import FLOATS, Sketch

MANY = (127, 130, 200)
"""From 128 keys on the CPU's kernels search, too."""


def search(s: Sketch) -> None:
    """How many keys lie below, at or above a value; what stands at that place; how many values fell there."""
    kind = "T"
    if s.chance(0.3):
        kind, s.domains = "K", {"K": ("i64", "i32", "i16", "i8"), "T": FLOATS}
    s.input("keys", s.dim("E", most=12), type=kind)
    if s.chance(0.15):
        s.sizes["E"] = s.pick(MANY)
    dims = (s.dim("M", most=4), s.dim("N")) if s.chance(0.3) else (s.dim("N"),)
    s.input("x", *dims, type=kind)
    if s.chance(0.85):
        s.where.append("sorted(keys)")
    at, counter = ", ".join(dims).lower(), s.pick(("i32", "i32", "i64"))
    _use(s, dims, at, counter, _count(s, at, counter))


def _count(s: Sketch, at: str, counter: str) -> str:
    """Of all keys, or of some."""
    sides = ["keys[e]", s.pick(("x[{at}]", "x[{at}]", "-x[{at}]")).format(at=at)]
    s.rng.shuffle(sides)
    test = f"{sides[0]} {s.pick(('<', '<=', '>', '>='))} {sides[1]}"
    bound, condition = s.pick((*(("e", ""),) * 5, ("e", " and e < E - 1"), ("e >= 1", "")))
    return f"sum[{bound}]({counter}({test}{condition}))"


def _use(s: Sketch, dims: tuple[str, ...], at: str, counter: str, count: str) -> None:
    match s.pick(("count", "count", "read", "into", "float", "both")):
        case "count":
            s.line(f"y[{at}] = {count}")
            s.result("y", *dims, type=counter)
        case "read":
            s.input("w", s.dim("P"))
            s.line(f"at[{at}] = {count}")
            place = f"at[{at}]{s.pick(('', '', ' - 1', ' + 1'))}"
            s.line(f"y[{at}] = T({s.after(f'acc(w[{place}] else 0)')})")
            s.result("y", *dims)
        case "into":
            s.line(f"at[{at}] = {count}")
            s.line(f"y[at[{at}]] += {s.pick(('1', 'i64(1)', '2'))}")
            s.result("y", s.pick(("E + 1", "E", "E + 2")), type="i64")
        case "float":
            s.input("w", *dims)
            s.line(f"y[{at}] = T(acc(w[{at}]) * acc(T({count})))")
            s.result("y", *dims)
        case "both":
            s.line(f"y[{at}] = {count}")
            s.result("y", *dims, type=counter)
            s.line(f"z[{at}] = any[e](keys[e] == x[{at}])")
            s.result("z", *dims, type="bool")
