"""What is wrong with a text that the grammar does not take: lark's bare facts made into advice.

lark knows the token it did not expect and those it did. Known mistakes are recognised by the parser's state: short
wrong texts are parsed once, and a mistake that ends in the same state on the same kind of token gets their advice.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import lark

from uol.ir.errors import ParseError
from uol.ir.syntax.span import Span

_READABLE = {
    "NAME": "a name",
    "NUMBER": "a number",
    "COMPARE": "a comparison",
    "REDUCER": "a reduction",
    "ARROW": "`->`",
    "ACCUMULATE": "`+=`",
    "OP": "`op`",
    "UOL": "`uol`",
    "LPAR": "`(`",
    "RPAR": "`)`",
    "LSQB": "`[`",
    "RSQB": "`]`",
    "LBRACE": "`{`",
    "RBRACE": "`}`",
    "COMMA": "`,`",
    "COLON": "`:`",
    "SEMICOLON": "`;`",
    "EQUAL": "`=`",
    "STAR": "`*`",
    "SLASH": "`/`",
    "PERCENT": "`%`",
    "PLUS": "`+`",
    "MINUS": "`-`",
    "FOR": "`for`",
    "IN": "`in`",
    "WHERE": "`where`",
    "ELSE": "`else`",
    "OR": "`or`",
    "AND": "`and`",
    "NOT": "`not`",
    "$END": "the end of the text",
}
_OPERATORS = {"STAR", "SLASH", "PERCENT", "PLUS", "MINUS", "OR", "AND", "COMPARE"}

Place = tuple[Any, frozenset[str]]  # the parser's state, and the tokens that it would take

_HEAD = "op f(x: f32[N]) -> (y: f32[N]) "
_BAD_EXAMPLES: dict[str, list[str]] = {
    "an operator starts with `op`, its name and its inputs: `op relu(x: T[*S]) -> (y: T[*S]) { ... }`": [
        "relu(x: f32[N]) -> (y: f32[N]) {}",
        "def f(x: f32[N]) -> (y: f32[N]) {}",
        "3",
    ],
    "results stand in parentheses: `-> (y: T[N])`": ["op f(x: f32[N]) -> y: f32[N] {}"],
    "an operator names its results: `-> (y: T[N])`": ["op f(x: f32[N]) {}", "op f(x: f32[N]) for T in (f32) {}"],
    "a parameter is `name: type[dims]`, a single value `name: type[]`": [
        "op f(x: f32) -> (y: f32[]) {}",
        "op f(x: f32, z: f32[]) -> (y: f32[]) {}",
        "op f(x) -> (y: f32[]) {}",
        "op f(x, z: f32[]) -> (y: f32[]) {}",
        "op f(x f32[N]) -> (y: f32[]) {}",
        "op f() -> (y: f32) {}",
        "op f() -> (y) {}",
    ],
    "the accumulator's type is `acc` of one type or variable: `name: acc(T)[dims]`": [
        "op f(x: acc[N]) -> (y: f32[]) {}",
        "op f(x: acc(acc(T))[N]) -> (y: f32[]) {}",
        "op f(x: acc()[N]) -> (y: f32[]) {}",
        "op f(x: wide(T)[N]) -> (y: f32[]) {}",
    ],
    "attributes stand after a `;`: `(x: T[N]; stride: int = 1)`": [
        "op f(x: f32[N], k: int = 1) -> (y: f32[N]) {}",
    ],
    "a type set is `for T in (f32, f16)`": [
        "op f(x: T[N]) -> (y: T[N]) for T {}",
        "op f(x: T[N]) -> (y: T[N]) for T in f32 {}",
    ],
    "`==` compares; `=` stands once in a statement, after its target": [
        _HEAD + "where N = 3 { }",
        _HEAD + "{ y[i] = select(x[i] = 0, x[i], x[i]) }",
        _HEAD + "{ y[i] = x[i] = x[i] }",
    ],
    "comparisons do not chain: write `0 <= i and i < N`": [
        _HEAD + "{ y[i] = select(0 <= i < N, x[i], x[i]) }",
        _HEAD + "where 0 < N < 3 { }",
    ],
    "a statement is `target[indices] = value`": [
        _HEAD + "{ y[i] == x[i] }",
        _HEAD + "{ y = x[i] }",
        _HEAD + "{ y(i) = x[i] }",
        _HEAD + "{ x[i] }",
        _HEAD + "{ 3 }",
        _HEAD + "{ (y[i]) = x[i] }",
    ],
    "a scatter uses `+=`; other compound assignments do not exist": [_HEAD + "{ y[i] -= x[i] }", _HEAD + "{ y[i] *= x[i] }"],
    "write the branches as `select(condition, a, b)`": [_HEAD + "{ y[i] = if x[i] }", _HEAD + "{ y[i] = x[i] if x[i] }"],
    "the body of a reduction stands in parentheses: `sum[k](x[k])`": [
        _HEAD + "{ y[i] = sum[k] x[k] }",
        _HEAD + "{ y[i] = sum[k] }",
        _HEAD + "{ y[i] = sum[k] + x[i] }",
        _HEAD + "{ y[i] = sum[k] * x[i] }",
    ],
    "a reduction names its indices: `sum[k](x[k])`": [_HEAD + "{ y[i] = sum[](x[i]) }", _HEAD + "{ y[i] = sum x[i] }"],
    "a power is `pow(x, y)`, a square `x * x`": [_HEAD + "{ y[i] = x[i] ** 2 }", _HEAD + "{ y[i] = x ** 2 }"],
    "an attribute is `name: int` or `name: float = 1.0`": [
        "op f(x: f32[N]; int k) -> (y: f32[N]) {}",
        "op f(x: f32[N]; k) -> (y: f32[N]) {}",
        "op f(x: f32[N]; k = 1) -> (y: f32[N]) {}",
    ],
    "a `[` is not closed": [
        "op f(x: f32[N) -> (y: f32[N]) {}",
        _HEAD + "{ y[i) = x[i] }",
        _HEAD + "{ y[i] = x[i }",
        _HEAD + "{ y[i] = x[i) }",
    ],
    "a `(` is not closed": [_HEAD + "{ y[i] = (x[i] }", _HEAD + "{ y[i] = max[k](x[k] }", _HEAD + "{ y[i] = exp(x[i] }"],
    "an operand is missing": [
        _HEAD + "{ y[i] = x[i] + }",
        _HEAD + "{ y[i] = * x[i] }",
        _HEAD + "{ y[i] = }",
        _HEAD + "{ y[i] = x[i] + * x[i] }",
        _HEAD + "{ y[i] = (x[i] - ) }",
    ],
    "the body of an operator stands in braces: `{ y[i] = x[i] }`": [
        _HEAD + "y[i] = x[i]",
        _HEAD + "= x[i]",
        _HEAD + ": y[i] = x[i]",
    ],
    "a `{` or `(` is not closed": [_HEAD + "{ y[i] = x[i]", _HEAD + "{", _HEAD + "{ y[i] = (x[i] "],
    "a call's attributes follow its tensors after a `;`: `conv2d(x, w; stride=2)`": [
        _HEAD + "{ y[i] = f(x, stride=2)[i] }",
    ],
    "`else` needs a value: `x[i - 1] else 0`": [_HEAD + "{ y[i] = x[i] else }"],
}


def explain(error: lark.UnexpectedInput, text: str, file: str, grammar: lark.Lark) -> ParseError:
    """The ParseError for what lark reported."""
    if isinstance(error, lark.UnexpectedCharacters):
        return _character(error, text, file)
    line, column, width = _position(error, text)
    span = Span(file, line, column, line, column + width)
    return ParseError(f"{_found(error)}, expected {_expected(error)}", span=span, text=text, hint=_advice(error, grammar))


def _advice(error: lark.UnexpectedInput, grammar: lark.Lark) -> str | None:
    """What to do about a mistake that an example makes too: at the same place of the grammar, on the same kind of token,
    or else on any. (lark's own `match_examples` fails where a state was reached in two ways.)"""
    place, token = _place(error)
    table = _examples(grammar)
    return table.get((place, token)) or table.get((place, None))


def _place(error: lark.UnexpectedInput) -> tuple[Place, str]:
    token = getattr(error, "token", None)
    state = getattr(error.state, "position", error.state)
    return (state, frozenset(getattr(error, "accepts", None) or ())), token.type if isinstance(token, lark.Token) else ""


@cache
def _examples(grammar: lark.Lark) -> dict[tuple[Place, str | None], str]:
    table: dict[tuple[Place, str | None], str] = {}
    for advice, texts in _BAD_EXAMPLES.items():
        for text in texts:
            try:
                grammar.parse(text)
            except lark.UnexpectedInput as error:
                place, token = _place(error)
                table.setdefault((place, token), advice)
                table.setdefault((place, None), advice)
    return table


def _character(error: lark.UnexpectedCharacters, text: str, file: str) -> ParseError:
    found = error.char
    span = Span(file, error.line, error.column, error.line, error.column + 1)
    hints = {
        "!": "use `not`, or `!=` to compare",
        "&": "use `and`",
        "|": "use `or`",
        "^": "use `pow(x, y)`",
        ".": "a number needs a digit before its point: `0.5`",
        "'": "the language has no strings",
        '"': "the language has no strings",
    }
    if found.isdigit():
        return ParseError(
            "a number runs into a name", span=span, text=text, hint="a name starts with a letter; write `2*x`, `1e-5`, `1.0`"
        )
    return ParseError(f"the character {found!r} has no meaning here", span=span, text=text, hint=hints.get(found))


def _position(error: lark.UnexpectedInput, text: str) -> tuple[int, int, int]:
    token = getattr(error, "token", None)
    if isinstance(token, lark.Token) and token.type != "$END":
        return token.line or 1, token.column or 1, max(1, len(str(token)))
    lines = text.rstrip().splitlines() or [""]
    return len(lines), len(lines[-1]) + 1, 1


def _found(error: lark.UnexpectedInput) -> str:
    token = getattr(error, "token", None)
    if not isinstance(token, lark.Token) or token.type == "$END":
        return "the text ends"
    return f"found `{token}`"


def _expected(error: lark.UnexpectedInput) -> str:
    accepted: set[str] = set(getattr(error, "accepts", None) or getattr(error, "expected", None) or ())
    names = sorted(_READABLE.get(name, f"`{name.lower()}`") for name in accepted - _OPERATORS)
    if accepted & _OPERATORS:
        names.append("an operator")
    if accepted >= {"NAME", "NUMBER", "MINUS"}:
        return "a value"
    return " or ".join((", ".join(names[:-1]), names[-1])) if len(names) > 1 else (names or ["nothing more"])[0]
