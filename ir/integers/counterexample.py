"""Counterexamples to conditions on integers: most goals that cannot be proven are false for some small numbers, and
finding those is much cheaper than letting a solver give up.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence

from uol.ir.integers.assumptions import Knowledge
from uol.ir.program.nodes import Call, Const, Expr, Var

Point = dict[str, int]
Test = Callable[[Point], bool]

ATTEMPTS = 150
REACH = 7
"""Values are tried from a variable's least one up to this many above it."""


def refuted(goal: Expr, known: Knowledge) -> bool:
    """Whether numbers were found under which the assumptions hold and the goal does not. The same every time."""
    linked = _linked(goal, known.conditions)
    order = list(dict.fromkeys(n for c in (*linked, goal) for n in sorted(_used(c))))
    ready = _schedule(order, linked)
    goal_test = _compiled(goal)
    rng = random.Random(0)
    for _ in range(ATTEMPTS):
        point = _attempt(order, ready, known, rng)
        if point is not None and not goal_test(point):
            return True
    return False


def _attempt(order: Sequence[str], ready: Sequence[list[Test]], known: Knowledge, rng: random.Random) -> Point | None:
    """Values one by one; the first candidate that no condition forbids is taken."""
    point: Point = {}
    for name, tests in zip(order, ready, strict=True):
        for candidate in _candidates(name, known, rng):
            point[name] = candidate
            if all(test(point) for test in tests):
                break
        else:
            return None
    return point


def _candidates(name: str, known: Knowledge, rng: random.Random) -> list[int]:
    box = known.ranges.get(name)
    low = box.low if box is not None and box.low is not None else -2
    high = low + REACH if box is None or box.high is None else min(box.high, low + REACH)
    values = list(range(low, high + 1))
    if box is not None and box.high is not None and box.high > high:
        values.append(box.high)
    match rng.randrange(3):
        case 0:
            values.reverse()
        case 1:
            rng.shuffle(values)
    return values


def _schedule(order: Sequence[str], conditions: Iterable[Expr]) -> list[list[Test]]:
    """For each variable the conditions that can be tested once it has a value."""
    ready: list[list[Test]] = [[] for _ in order]
    for condition in conditions:
        ready[max((order.index(n) for n in _used(condition)), default=0)].append(_compiled(condition))
    return ready


def _linked(goal: Expr, conditions: Sequence[Expr]) -> list[Expr]:
    """The conditions that share a variable with the goal, or with one that does."""
    reached = set(_used(goal))
    pending = list(conditions)
    found = True
    while found:
        found = False
        for condition in list(pending):
            if _used(condition) & reached:
                reached |= _used(condition)
                pending.remove(condition)
                found = True
    return [c for c in conditions if c not in pending]


def _used(expr: Expr) -> frozenset[str]:
    """The unknowns of an expression: its variables, and what it reads from memory, each an unknown number of its own."""
    match expr:
        case Const():
            return frozenset()
        case Call(fn=fn, args=args) if fn != "cast":
            return frozenset(n for a in args for n in _used(a))
    return frozenset((_key(expr),))


def _key(expr: Expr) -> str:
    return expr.name if isinstance(expr, Var) else repr(expr)


def _compiled(expr: Expr) -> Test:
    """A condition as a function of a point; a division by zero makes it false."""
    code = compile(_python(expr), "<condition>", "eval")
    scope = {"__builtins__": {}, "min": min, "max": max, "abs": abs}

    def test(point: Point) -> bool:
        try:
            return bool(eval(code, scope, {"v": point}))  # noqa: S307 - the text is made of our own nodes
        except ZeroDivisionError:
            return False

    return test


def _python(expr: Expr) -> str:
    match expr:
        case Const(value=value):
            return repr(int(value))
        case Call(fn="neg", args=(a,)):
            return f"(-{_python(a)})"
        case Call(fn="not", args=(a,)):
            return f"(not {_python(a)})"
        case Call(fn="select", args=(c, a, b)):
            return f"({_python(a)} if {_python(c)} else {_python(b)})"
        case Call(fn="min" | "max" | "abs" as fn, args=args):
            return f"{fn}({', '.join(map(_python, args))})"
        case Call(fn=fn, args=(a, b)) if fn != "cast":
            return f"({_python(a)} {'//' if fn == '/' else fn} {_python(b)})"
    return f"v[{_key(expr)!r}]"
