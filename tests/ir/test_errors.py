"""Bad input: every error by kind, line, column, message and hint.

The tables are data, in bad_texts.toml.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

from uol.ir import Library, ParseError, ShapeError, TypeCheckError, UolError, check, errors, instantiate, parse
from uol.ir.program.render import show

HEAD = "op f(x: f32[N]) -> (y: f32[N]) "

LIBRARY = """
op relu(x: T[*S]) -> (y: T[*S]) for T in (f32, f16) { y[*s] = max(x[*s], 0) }
op pool(x: f32[N]; k: int) -> (y: f32[N - k]) where k >= 0 { y[i] = x[i + k] }
op two(x: f32[N]) -> (a: f32[N], b: f32[N]) { a[i] = x[i]; b[i] = x[i] }
op spread(x: f32[N], at: i32[N]) -> (y: f32[N]) where permutation(at) { y[at[n]] += x[n] }
"""


@dataclass(frozen=True)
class Case:
    text: str
    kind: type[UolError]
    line: int
    column: int
    message: str
    hint: str | None


def cases(table: str) -> list[Case]:
    """A table of bad_texts.toml."""
    read = tomllib.loads(Path(__file__).with_name("bad_texts.toml").read_text(encoding="utf-8"))
    return [Case(c["text"], getattr(errors, c["kind"]), *c["at"], c["message"], c.get("hint")) for c in read[table]]


def assert_reported(error: UolError, case: Case) -> None:
    assert type(error) is case.kind
    assert error.span is not None
    assert (error.span.line, error.span.column) == (case.line, case.column)
    assert error.message == case.message
    assert error.hint == case.hint
    report = error.report.splitlines()
    assert report[0] == f"<text>:{case.line}:{case.column}: {case.kind.__name__}: {case.message}"
    if case.text:
        assert report[1] == "  " + case.text.splitlines()[case.line - 1]
        assert report[2].index("^") == case.column + 1


@pytest.mark.parametrize("case", cases("syntax"), ids=lambda c: c.text[:60])
def test_syntax(case: Case) -> None:
    with pytest.raises(ParseError) as caught:
        parse(case.text)
    assert_reported(caught.value, case)


@pytest.mark.parametrize("case", cases("meaning"), ids=lambda c: c.text[:60])
def test_meaning(case: Case) -> None:
    op = parse(case.text)[0]
    library = Library(parse(LIBRARY))
    library.add(op)
    with pytest.raises(UolError) as caught:
        check(op, library)
    assert_reported(caught.value, case)


def test_deep_nesting_is_an_error_and_not_a_crash() -> None:
    with pytest.raises(ParseError, match="expressions are nested more than 64 deep here"):
        parse(HEAD + "{ y[i] = " + "-" * 5000 + "x[i] }")
    with pytest.raises(ParseError, match="expressions are nested more than 64 deep here"):
        parse(HEAD + "{ y[i] = " + " + ".join(["x[i]"] * 3000) + " }")
    flat = parse(HEAD + "{ y[i] = " + "(" * 3000 + "x[i]" + ")" * 3000 + " }")  # parentheses leave no trace
    assert flat == parse(HEAD + "{ y[i] = x[i] }")


def test_an_error_names_its_file() -> None:
    with pytest.raises(ParseError, match=r"^ops/f.uol:1:1: found `f`"):
        parse("f", "ops/f.uol")


CALLS = [
    (dict(types={}), TypeCheckError, "the type `T` of `op1` is not given"),
    (dict(types={"T": "i32"}), TypeCheckError, "`op1` is not for i32"),
    (dict(types={"T": "f32", "U": "f32"}), TypeCheckError, "`op1` has no type variable `U`"),
    (dict(types={"T": "f32"}, ranks={}), TypeCheckError, "the rank of `*S` is not given"),
    (dict(types={"T": "f32"}, dims={"Q": 3}), ShapeError, "`op1` has no dim `Q`"),
    (dict(types={"T": "f32"}, dims={"C": -3}), ShapeError, "the dim `C` of `op1` is -3, below zero"),
    (dict(types={"T": "f32"}, attrs={"z": 3}), ShapeError, "`op1` has no attribute `z`"),
    (dict(types={"T": "f32"}, attrs={"k": 1.5}), ShapeError, "the attribute `k` of `op1` is an integer, not 1.5"),
    (dict(types={"T": "f32"}, attrs={"k": 0}), ShapeError, "the `where` clause of `op1` does not hold: k = 0"),
    (dict(types={"T": "f32"}, dims={"C": 2}, attrs={"k": 5}), ShapeError, "this dim is -3, below zero"),
]


@pytest.mark.parametrize(("given", "kind", "message"), CALLS, ids=[m for _, _, m in CALLS])
def test_what_a_call_gives(given: dict, kind: type[UolError], message: str) -> None:
    text = "op op1(x: T[*S, C]; k: int) -> (y: T[*S, C - k]) for T in (f32, f16) where k > 0 { y[*s, c] = x[*s, c + k] }"
    op = parse(text)[0]
    with pytest.raises(kind) as caught:
        instantiate(op, Library([op]), **{"ranks": {"S": 1}, **given})
    assert caught.value.message == message


def test_a_constant_index_outside_is_a_shape_error() -> None:
    op = parse(HEAD + "{ y[i] = x[3] }")[0]
    assert [show(c) for c in instantiate(op, Library(), types={}).checks] == ["3 < N"]
    with pytest.raises(ShapeError, match="`x` is read at 3 in dim 0, of size 2"):
        instantiate(op, Library(), types={}, dims={"N": 2})
    instantiate(op, Library(), types={}, dims={"N": 4})
