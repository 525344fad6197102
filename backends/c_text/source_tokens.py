"""Emitted C++ text as tokens with places: comments, strings and preprocessor lines are left out."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"(?P<skip>//[^\n]*|/\*.*?\*/|^[ \t]*\#[^\n]*(?:\\\n[^\n]*)*|\"(?:\\.|[^\"\\])*\")"
    r"|(?P<float>(?:\d+\.\d*|\.\d+)(?:[eE][+-]?\d+)?[fF]?|\d+[eE][+-]?\d+[fF]?|\d+[fF])"
    r"|(?P<int>0[xX][0-9a-fA-F]+[uUlL]*|\d+[uUlL]*)"
    r"|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<mark>\+\+|--|<<=|>>=|<=|>=|==|!=|&&|\|\||\+=|-=|\*=|/=|<<|>>|->|::|[-+*/%<>=!&|^~?:;,.(){}\[\]])",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Token:
    """One token: `kind` is float, int, name or mark; `start` and `end` are offsets into the text."""

    kind: str
    text: str
    start: int
    end: int


def tokenize(source: str) -> list[Token]:
    """The tokens of a text, in order."""
    found = []
    for match in _TOKEN.finditer(source):
        if match.lastgroup is not None and match.lastgroup != "skip":
            found.append(Token(match.lastgroup, match.group(), match.start(), match.end()))
    return found


def partner(tokens: list[Token], opening: int) -> int:
    """The place of the bracket that closes the one at `opening`."""
    close = {"(": ")", "[": "]", "{": "}"}[tokens[opening].text]
    depth = 0
    for place in range(opening, len(tokens)):
        if tokens[place].text == tokens[opening].text:
            depth += 1
        elif tokens[place].text == close:
            depth -= 1
            if depth == 0:
                return place
    raise ValueError(f"bracket at {tokens[opening].start} is not closed")


def template_end(tokens: list[Token], opening: int) -> int | None:
    """The place of the `>` that closes a template's `<`, or None where `<` compares: a template's follows a name without a
    space, holds names, numbers, `::`, `,` and pointers only, and is closed before any other mark."""
    if opening == 0 or tokens[opening - 1].kind != "name" or tokens[opening - 1].end != tokens[opening].start:
        return None
    depth = 0
    for place in range(opening, len(tokens)):
        match tokens[place].text:
            case "<":
                depth += 1
            case ">" | ">>":
                depth -= len(tokens[place].text)
                if depth <= 0:
                    return place
            case "::" | "," | "*" | "-" | "+" | "/":
                continue
            case _ if tokens[place].kind in ("name", "int"):
                continue
            case _:
                return None
    return None
