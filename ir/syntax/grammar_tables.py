"""The LALR parser of `grammar.lark`. Its tables take 0.2 s to build, and are kept beside the grammar as data alone."""

from __future__ import annotations

import marshal
from functools import cache
from importlib import metadata
from pathlib import Path

import lark
from lark.grammar import Rule
from lark.lexer import TerminalDef

from uol.ir.compiled_files import keep, kept

GRAMMAR = Path(__file__).with_name("grammar.lark")


@cache
def grammar() -> lark.Lark:
    """The parser. One object a process."""
    text = GRAMMAR.read_text(encoding="utf-8")
    made_of = f"{metadata.version('lark')} {marshal.version}\n{text}".encode()
    tables = kept(GRAMMAR, made_of)
    if tables is None:
        tables = tables_of(built(text))
        keep(GRAMMAR, made_of, tables)
    data, memo = marshal.loads(tables)
    return lark.Lark.load({"data": data, "memo": memo})


def built(text: str) -> lark.Lark:
    """The parser of a grammar, built from its text."""
    return lark.Lark(text, parser="lalr", propagate_positions=True, maybe_placeholders=True)


def tables_of(parser: lark.Lark) -> bytes:
    """What `Lark.load` takes."""
    return marshal.dumps(parser.memo_serialize([TerminalDef, Rule]))
