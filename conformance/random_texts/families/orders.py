"""Sorts, the largest K, and places of extrema."""

from __future__ import annotations

from dataclasses import dataclass

from uol.conformance.random_texts.families.sketch import FLOATS, INTEGERS, Sketch

PLACES = ("i64", "i32")


def order(s: Sketch) -> None:
    """Of an input as it is: places that depend on rounding could not be judged."""
    integer = s.chance(0.25)
    if integer:
        s.domains = {"I": INTEGERS, "T": FLOATS}
    kind = "I" if integer else "T"
    dims = s.pick((("R", "C"), ("R", "C"), ("C",), ("C", "R")))
    for name in dims:
        s.dim(name, least=1 if name == "C" else 0, most=9)
    s.input("x", *dims, type=kind)
    at = ", ".join(d.lower() for d in dims)
    q = ", ".join("q" if d == "C" else d.lower() for d in dims)
    rest = tuple(d for d in dims if d != "C")
    row = ", ".join(d.lower() for d in rest)
    where = _Where(dims, at, q, rest, row)
    forms = {"sort": _sort, "topk": _largest, "argsort": _argsort, "extremum": _extremum, "first": _first}
    forms |= {"read": _read, "rank": _rank}
    forms[s.pick(tuple(forms))](s, kind, where)


@dataclass(frozen=True, slots=True)
class _Where:
    """Dims, and the indices of an element (`at`), of what is sorted (`q`), of a row."""

    dims: tuple[str, ...]
    at: str
    q: str
    rest: tuple[str, ...]
    row: str

    def along(self, place: str) -> str:
        """With another index along the dim that is sorted."""
        return ", ".join(place if d == "C" else d.lower() for d in self.dims)


def _sort(s: Sketch, kind: str, where: _Where) -> None:
    s.line(f"(y[{where.at}], p[{where.at}]) = sort[q](x[{where.q}])")
    s.result("y", *where.dims, type=kind)
    s.result("p", *where.dims, type=s.pick(PLACES))


def _largest(s: Sketch, kind: str, where: _Where) -> None:
    s.attributes["K"] = s.rng.randint(1, s.size("C"))
    s.where += ["K >= 1", "C >= K"]
    top = tuple("K" if d == "C" else d for d in where.dims)
    k = ", ".join(top).lower()
    s.line(f"(y[{k}], p[{k}]) = topk[q](x[{where.q}], K)")
    s.result("y", *top, type=kind)
    s.result("p", *top, type=s.pick(PLACES))


def _argsort(s: Sketch, kind: str, where: _Where) -> None:
    s.line(f"p[{where.at}] = argsort[q](x[{where.q}])")
    s.result("p", *where.dims, type=s.pick(PLACES))


def _extremum(s: Sketch, kind: str, where: _Where) -> None:
    place, value = s.pick(PLACES), f"{s.pick(('argmax', 'argmin'))}[q](x[{where.q}])"
    s.line(f"p[{where.row}] = {value if place == 'i64' else f'i32({value})'}")
    s.result("p", *where.rest, type=place)
    s.line(f"y[{where.row}] = {s.pick(('max', 'min'))}[q](x[{where.q}])")
    s.result("y", *where.rest, type=kind)


def _first(s: Sketch, kind: str, where: _Where) -> None:
    s.line(f"p[{where.row}] = {s.pick(('argmax', 'argmin'))}[q](x[{where.q}])")
    s.line(f"y[{where.row}] = x[{where.along(f'p[{where.row}]')}]")
    s.result("y", *where.rest, type=kind)


def _read(s: Sketch, kind: str, where: _Where) -> None:
    """Another tensor at the places of the sort."""
    s.input("w", *where.dims)
    s.line(f"p[{where.at}] = argsort[q](x[{where.q}])")
    s.line(f"y[{where.at}] = T(acc(w[{where.along(f'p[{where.at}]')}]) * 0.5)")
    s.result("y", *where.dims)


def _rank(s: Sketch, kind: str, where: _Where) -> None:
    s.line(f"v[{where.at}] = sort[q](x[{where.q}])")
    s.line(f"y[{where.at}] = max(v[{where.at}], x[{where.along('C - 1 - c')}])")
    s.result("y", *where.dims, type=kind)
