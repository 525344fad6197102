"""The LALR parser of `grammar.lark`. Its tables take 0.1 s to build: a program may keep them, as bytes that hold data alone."""

from __future__ import annotations

import marshal
from collections.abc import Callable
from functools import cache
from importlib.resources import files

import lark
from lark.grammar import Rule
from lark.lexer import TerminalDef

Keeper = Callable[[str, Callable[[], bytes]], bytes]
"""Of a grammar's text and what makes its tables: the tables, which may have been made before."""

_keepers: list[Keeper] = []


def keep_tables(keeper: Keeper) -> None:
    """From here on `keeper` is asked for the tables. What it gives is believed to be what was made."""
    _keepers[:] = [keeper]


@cache
def grammar() -> lark.Lark:
    """The parser. One object a process."""
    text = files("uol.ir.syntax").joinpath("grammar.lark").read_text(encoding="utf-8")
    if not _keepers:
        return _built(text)
    data, memo = marshal.loads(_keepers[0](text, lambda: _tables(_built(text))))
    return lark.Lark.load({"data": data, "memo": memo})


def _built(text: str) -> lark.Lark:
    return lark.Lark(text, parser="lalr", propagate_positions=True, maybe_placeholders=True)


def _tables(parser: lark.Lark) -> bytes:
    return marshal.dumps(parser.memo_serialize([TerminalDef, Rule]))
