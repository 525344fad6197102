"""Random questions about integers, small enough to be answered by trying every value."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from uol.ir.integers.terms import compare, idx
from uol.ir.program.nodes import Call, Const, Expr, Var

LIMIT = 5
"""Dims and attributes are tried from 0 to here."""


@dataclass(frozen=True)
class Question:
    """Does `goal` hold wherever the `assumptions` do? `names` in an order in which ranges can be enumerated."""

    names: tuple[str, ...]
    assumptions: tuple[Expr, ...]
    goal: Expr


def evaluate(expr: Expr, values: dict[str, int]) -> int:
    """An integer expression or condition at a point; division floors."""
    match expr:
        case Const(value=value):
            return int(value)
        case Var(name=name):
            return values[name]
        case Call(fn=fn, args=args):
            if fn == "and":
                return int(all(evaluate(a, values) for a in args))
            if fn == "or":
                return int(any(evaluate(a, values) for a in args))
            if fn == "select":
                return evaluate(args[1] if evaluate(args[0], values) else args[2], values)
            return _FUNCTIONS[fn](*(evaluate(a, values) for a in args))
    raise AssertionError(expr)


def points(question: Question) -> Iterator[dict[str, int]]:
    """Every assignment, within the limit, under which the assumptions hold."""
    ready = [
        [
            a
            for a in question.assumptions
            if _names(a) <= set(question.names[: n + 1]) and not _names(a) <= set(question.names[:n])
        ]
        for n in range(len(question.names))
    ]

    def extend(point: dict[str, int]) -> Iterator[dict[str, int]]:
        if len(point) == len(question.names):
            yield point
            return
        for value in range(LIMIT + 1):
            longer = {**point, question.names[len(point)]: value}
            if all(evaluate(a, longer) for a in ready[len(point)]):
                yield from extend(longer)

    return extend({})


def _names(expr: Expr) -> set[str]:
    match expr:
        case Var(name=name):
            return {name}
        case Call(args=args):
            return {n for a in args for n in _names(a)}
    return set()


def holds(question: Question) -> bool:
    """The answer by trying."""
    return all(evaluate(question.goal, point) for point in points(question))


def random_question(rng: random.Random) -> Question:
    """Dims with relations such as `C == D*g`, indices with constant, symbolic and dependent ranges, and an access."""
    dims = [Var(n) for n in ("N", "M", "K")[: rng.randint(1, 2)]]
    attributes = [Var("s"), Var("p")][: rng.randint(0, 2)]
    known: list[Expr] = [compare(">=", d, Const(0)) for d in dims]
    known += [compare(">=", a, Const(1 if a.name == "s" else 0)) for a in attributes]
    if len(dims) == 2 and rng.random() < 0.4:
        known.append(_relation(rng, dims, attributes))
    sizes: list[Expr] = [*dims, *(Const(n) for n in (1, 2, 3, 4))]
    indices: list[Var] = []
    for name in ("i", "j")[: rng.randint(1, 2)]:
        index = Var(name)
        known += [compare(">=", index, Const(0)), _bound(rng, index, sizes, indices, attributes)]
        indices.append(index)
    atoms: list[Expr] = [*indices, *indices, *attributes, *dims]
    goal = compare(rng.choice(("<", ">=", "<=", ">")), _expr(rng, atoms, attributes, 3), _size(rng, sizes, atoms, attributes))
    names = tuple(v.name for v in (*dims, *attributes, *indices))
    return Question(names, tuple(known), goal)


def _relation(rng: random.Random, dims: list[Var], attributes: list[Var]) -> Expr:
    first, second = dims
    factor: Expr = attributes[0] if attributes and attributes[0].name == "s" else Const(rng.randint(1, 3))
    return rng.choice(
        (
            compare("==", first, idx("*", second, factor)),
            compare("==", idx("%", first, factor), Const(0)),
            compare("<=", first, second),
            compare("==", first, second),
            compare("!=", first, second),
        )
    )


def _bound(rng: random.Random, index: Var, sizes: list[Expr], outer: list[Var], attributes: list[Var]) -> Expr:
    roll = rng.random()
    if outer and roll < 0.3:
        return compare(rng.choice(("<=", "<")), index, outer[0])
    if roll < 0.7:
        return compare("<", index, rng.choice(sizes))
    divisor: Expr = attributes[0] if attributes and attributes[0].name == "s" else Const(rng.randint(1, 3))
    window = idx("/", idx(rng.choice("+-"), rng.choice(sizes), Const(rng.randint(0, 2))), divisor)
    return compare("<", index, idx("+", window, Const(rng.randint(0, 1))))


def _size(rng: random.Random, sizes: list[Expr], atoms: list[Expr], attributes: list[Var]) -> Expr:
    return rng.choice((Const(0), rng.choice(sizes), rng.choice(sizes), _expr(rng, atoms, attributes, 1)))


def _expr(rng: random.Random, atoms: list[Expr], attributes: list[Var], depth: int) -> Expr:
    if depth == 0 or rng.random() < 0.2:
        return rng.choice(atoms) if rng.random() < 0.8 else Const(rng.randint(0, 4))
    fn = rng.choice(("+", "+", "-", "-", "*", "/", "%", "min", "max"))
    left = _expr(rng, atoms, attributes, depth - 1)
    if fn in "/%":
        positive = [a for a in attributes if a.name == "s"]
        return idx(fn, left, rng.choice((*positive, Const(rng.randint(1, 4)))))
    return idx(fn, left, _expr(rng, atoms, attributes, depth - 1))


_FUNCTIONS = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a // b,
    "%": lambda a, b: a % b,
    "neg": lambda a: -a,
    "abs": abs,
    "min": min,
    "max": max,
    "<": lambda a, b: int(a < b),
    "<=": lambda a, b: int(a <= b),
    ">": lambda a, b: int(a > b),
    ">=": lambda a, b: int(a >= b),
    "==": lambda a, b: int(a == b),
    "!=": lambda a, b: int(a != b),
    "not": lambda a: int(not a),
}
