"""The door to the integer facts: scopes, bounds, and the solver behind them."""

import subprocess
import sys

import pytest

from uol.ir.errors import ToolchainError
from uol.ir.integers.facts import Facts
from uol.ir.integers.intervals import Interval
from uol.ir.integers.terms import compare, idx
from uol.ir.program.nodes import Call, Const, Load, Var
from uol.ir.program.render import show

i, j, n, m, s = map(Var, ("i", "j", "N", "M", "s"))


def nonnegative(*variables: Var) -> list[Call]:
    return [compare(">=", v, Const(0)) for v in variables]


def test_scopes_nest_and_close() -> None:
    facts = Facts(nonnegative(i))
    below = compare("<", i, Const(4))
    assert not facts.prove(below)
    with facts.scope(compare("<", i, Const(3))) as inner:
        assert inner is facts
        assert facts.prove(below)
        with facts.scope(compare("==", i, Const(2))):
            assert show(facts.simplify(idx("*", i, Const(3)))) in ("6", "i * 3")
            assert facts.prove(compare("==", i, Const(2)))
        assert not facts.prove(compare("==", i, Const(2)))
    assert not facts.prove(below)


def test_a_scope_closes_when_its_block_fails() -> None:
    facts = Facts()
    with pytest.raises(RuntimeError), facts.scope(compare("<", i, Const(3))):
        raise RuntimeError
    assert not facts.prove(compare("<", i, Const(3)))


def test_everything_follows_from_a_contradiction() -> None:
    facts = Facts((compare("<", i, Const(0)), compare(">=", i, Const(0))))
    assert facts.prove(compare("<", n, m))


def test_conditions_beyond_integers_are_ignored() -> None:
    mask = Load("mask", (i,), (), None, "bool")
    with Facts(nonnegative(i)).scope(mask, compare("<", i, Const(2))) as facts:
        assert facts.prove(compare("<=", i, Const(1)))
        assert not facts.prove(mask)


def test_bounds() -> None:
    facts = Facts(nonnegative(n, m, s))
    extents = {"i": n, "j": m}
    access = idx("-", idx("+", idx("*", i, s), j), Const(1))
    assert show(facts.bound_above(access, extents)) == "N * s + M - s - 2"
    assert show(facts.bound_below(access, extents)) == "-1"
    assert facts.bound_above(idx("*", i, idx("-", n, m)), extents) is None
    assert facts.interval(idx("%", i, Const(8))) == Interval(0, 7)


def test_the_solver_proves_what_elimination_does_not() -> None:
    largest = idx("max", idx("-", i, j), idx("-", j, i))
    facts = Facts((*nonnegative(i, j, n), compare("<", i, n), compare("<", j, n)))
    assert facts.prove(compare("<", largest, n))
    assert not facts.prove(compare("<", idx("+", largest, Const(1)), n))


def test_the_solver_simplifies_under_what_is_known() -> None:
    facts = Facts((*nonnegative(i, n), compare("<", i, s), compare(">", s, Const(0))))
    quotient = idx("/", idx("+", idx("*", n, s), i), s)
    assert facts.prove(compare("==", quotient, n))


def test_large_constants_are_not_proven_wrongly() -> None:
    big = Const(2**62)
    product = idx("*", idx("*", n, big), idx("+", m, big))
    facts = Facts((compare(">=", n, Const(2)), compare(">=", m, Const(2))))
    assert not facts.prove(compare("<", product, Const(0)))
    assert facts.prove(compare(">", product, Const(0)))


def test_a_build_without_z3_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    analyzer = pytest.importorskip("uol.ir.integers.analyzer", reason="TVM is not installed")

    class Without:
        is_z3_enabled = False

    monkeypatch.setattr(analyzer.sym, "Analyzer", Without)
    with pytest.raises(ToolchainError, match="this build of TVM has no Z3"):
        analyzer.prove(compare("<", i, n), ())


def test_a_proof_that_was_cut_short_does_not_weigh_on_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last place of a row's last window: nothing but Z3 decides on it."""
    analyzer = pytest.importorskip("uol.ir.integers.analyzer", reason="TVM is not installed")
    known = (
        *(compare(">", v, Const(0)) for v in (s, m)),
        compare("<=", m, n),
        *nonnegative(i, j),
        compare("<", i, idx("+", idx("/", idx("-", n, m), s), Const(1))),
        compare("<", j, m),
    )
    inside = compare("<", idx("+", idx("*", i, s), j), n)
    with monkeypatch.context() as short:
        short.setattr(analyzer, "Z3_STEPS", 400)
        assert not analyzer.prove(inside, known)
    assert all(analyzer.prove(inside, known) for _ in range(3))


def test_a_divisor_that_may_be_zero_proves_nothing() -> None:
    facts = Facts((compare("==", idx("%", n, s), Const(0)), *nonnegative(n, s)))
    assert not facts.prove(compare("<", n, Const(100)))


def test_a_quotient_of_what_is_less_than_its_divisor_is_nothing() -> None:
    facts = Facts((*nonnegative(i), compare("<", i, n)))
    assert facts.simplify(idx("+", idx("*", idx("/", i, n), m), j)) == j
    assert facts.simplify(idx("%", i, n)) == i
    for unlike in (idx("/", idx("+", i, Const(1)), n), idx("/", i, m), idx("/", j, n), idx("%", idx("*", i, Const(2)), n)):
        assert show(facts.simplify(unlike)) == show(unlike)


IN_THREADS = """
from threading import Barrier, Thread
from uol.ir.integers.facts import Facts
from uol.ir.integers.terms import compare, idx
from uol.ir.program.nodes import Const, Var

together, proven = Barrier(4), []

def prove(number):
    together.wait()
    for n in range(40):  # products of variables: nothing but the analyzer decides on them
        i, j, m = Var(f"i{number}"), Var("j"), Var("m")
        known = *(compare(">=", v, Const(0)) for v in (i, j)), compare("<", j, i), compare("<", i, m)
        proven.append(Facts(known).prove(compare("<=", idx("/", idx("*", i, j), m), idx("+", j, Const(n)))))

threads = [Thread(target=prove, args=(number,)) for number in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(len(proven), all(proven))
"""


def test_threads_prove_side_by_side() -> None:
    """In a process of its own: an analyzer whose scopes two threads open and close ends it."""
    done = subprocess.run([sys.executable, "-c", IN_THREADS], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()) == (0, ["160", "True"]), done.stderr[-2000:]
