"""Sums whose terms fade by a product over what lies between."""

from __future__ import annotations

from uol.conformance.random_texts.families.sketch import NUMBERS, Sketch

MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
LAYOUTS = (("R", "N"), ("R", "N"), ("N", "R"), ("N",), ("R", "N", "M"))


def recurrence(s: Sketch) -> None:
    """One of every choice of ends, alone, on another one, twice in a text, or beside a running reduction."""
    s.data = NUMBERS  # of infinite factors an order of the steps decides
    dims = s.pick(LAYOUTS)
    for name in dims:
        s.dim(name, most=8 if name == "N" else 4)
    if s.chance(0.1):  # as written, a gradient may take the fourth power of it
        s.sizes |= {name: 2 for name in dims} | {"N": s.pick((17, 33))}
    value = _sum(s, dims, "b")
    forms = {"alone": _alone, "scaled": _scaled, "twice": _twice, "chained": _chained, "summed": _summed, "within": _within}
    forms[s.pick(("alone", "alone", *forms))](s, dims, value)


def _alone(s: Sketch, dims: tuple[str, ...], value: str) -> None:
    s.line(f"y[{_index(dims, 'i')}] = T({s.after(value)})")
    s.result("y", *dims)


def _scaled(s: Sketch, dims: tuple[str, ...], value: str) -> None:
    at = _index(dims, "i")
    own = f"acc({s.input('e', *dims)}[{at}])"
    s.line(f"y[{at}] = T({s.pick(('{e} * {v}', '{v} + {e}')).format(e=own, v=value)})")
    s.result("y", *dims)


def _twice(s: Sketch, dims: tuple[str, ...], value: str) -> None:
    at = _index(dims, "i")
    s.line(f"y[{at}] = T({value})")
    s.line(f"z[{at}] = T({s.after(_sum(s, dims, 'b'))})")
    s.result("y", *dims)
    s.result("z", *dims)


def _chained(s: Sketch, dims: tuple[str, ...], value: str) -> None:
    _local(s, dims, value)
    s.line(f"y[{_index(dims, 'i')}] = T({_sum(s, dims, 'h')})")
    s.result("y", *dims)


def _summed(s: Sketch, dims: tuple[str, ...], value: str) -> None:
    _local(s, dims, value)
    at, rest = _index(dims, "i"), tuple(d for d in dims if d != "N")
    s.line(f"y[{at}] = T(h[{at}])")
    s.line(f"z[{_index(rest, 'i')}] = T(sum[i](h[{at}]))")
    s.result("y", *dims)
    s.result("z", *rest)


def _within(s: Sketch, dims: tuple[str, ...], value: str) -> None:
    """Inside another reduction."""
    rest = tuple(d for d in dims if d != "N")
    own = f"acc({s.input('e', *dims)}[{_index(dims, 'i')}])"
    s.line(f"y[{_index(rest, 'i')}] = T(sum[i]({own} * {value}))")
    s.result("y", *rest)


def _local(s: Sketch, dims: tuple[str, ...], value: str) -> None:
    """`h`, with an input that says how far it runs, or without."""
    at = _index(dims, "i")
    own = "" if s.chance(0.4) else f" + acc({s.input('e', *dims)}[{at}])"
    s.line(f"h[{at}] = {value}{own}")


def _index(dims: tuple[str, ...], along: str) -> str:
    return ", ".join(along if d == "N" else d.lower() for d in dims)


def _sum(s: Sketch, dims: tuple[str, ...], term: str) -> str:
    """`term` is an input, or a local of the accumulator's type."""
    ends = s.pick(("<=", "<=", "<")), s.pick((">", ">=")), s.pick(("<=", "<"))
    if s.chance(0.4):
        ends = MIRRORED[ends[0]], MIRRORED[ends[1]], MIRRORED[ends[2]]
    of_sum, of_term, of_result = ends
    factor = _read(s, dims, s.pick(("a", "a", "a", "b")), "k")
    forms = "{v}", "{v}", "{v}", "tanh({v})", "{v} * 0.5", "exp(-abs({v}))", "select({v} > 0, {v}, 0.5)"
    factor = s.pick(forms).format(v=factor)
    local = term if term == "h" else ""
    added = _read(s, dims, term, "j", local)
    if s.chance(0.25):
        added = s.pick(("{v} * {w}", "{v} + {w}", "select({w} > 0, {v}, 0)", "{v} - {w}")).format(
            v=added, w=_read(s, dims, s.pick(("a", "b", "d")), "j")
        )
    factors = [f"({added})", f"prod[k {of_term} j, k {of_result} i]({factor})"]
    return f"sum[j {of_sum} i]({' * '.join(factors if s.chance(0.75) else factors[::-1])})"


def _read(s: Sketch, dims: tuple[str, ...], name: str, along: str, local: str = "") -> str:
    """At the index itself or a neighbour's, of this row or of the mirrored one."""
    if not local:
        s.input(name, *dims)
    place, fill = along, ""
    if s.chance(0.35):
        place = s.pick((f"{along} + 1", f"{along} - 1", f"{along} + 2", f"{along} - 2"))
        fill = f" else {s.pick(('0', '0', '1', '0.5'))}"
    items = _index(dims, place)
    if "R" in dims and s.chance(0.1):
        items = ", ".join("R - 1 - r" if item == "r" else item for item in items.split(", "))
    read = f"{name}[{items}]{fill}"
    if local:
        return f"({read})" if fill else read
    return f"acc({read})"
