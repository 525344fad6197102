"""The parser whose tables were kept is the one that was built."""

from __future__ import annotations

import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import lark
import pytest

from uol.ir.syntax import grammar_tables
from uol.ops.texts import text_of
from uol.ops.trees import kept_tables

GRAMMAR = files("uol.ir.syntax").joinpath("grammar.lark").read_text(encoding="utf-8")


@pytest.fixture
def kept(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> lark.Lark:
    """From tables that lie in the cache."""

    def make() -> bytes:
        raise AssertionError("they were kept")

    kept_tables(GRAMMAR, lambda: grammar_tables._tables(grammar_tables._built(GRAMMAR)))
    monkeypatch.setattr(grammar_tables, "_keepers", [lambda text, _: kept_tables(text, make)])
    return grammar_tables.grammar.__wrapped__()


def test_it_gives_the_same_trees_and_refuses_the_same(kept: lark.Lark) -> None:
    built = grammar_tables._built(GRAMMAR)
    for family in ("exponential", "random", "running"):
        one, other = (parser.parse(text_of(family)) for parser in (built, kept))
        assert one == other
        assert [node.meta.line for node in one.iter_subtrees()] == [node.meta.line for node in other.iter_subtrees()]
    refused = []
    for parser in (built, kept):
        with pytest.raises(lark.UnexpectedInput) as caught:
            parser.parse("op f(x: f32[N]) -> (y f32[N]) {")
        refused.append((caught.value.line, caught.value.column, sorted(caught.value.accepts or ())))
    assert refused[0] == refused[1]


def test_a_second_process_builds_none(own_cache: Path) -> None:
    program = """
import lark, sys
from uol.ir.syntax import grammar_tables
from uol.ops.trees import trees_of
built, grammar_tables._built = [], lambda text, build=grammar_tables._built: built.append(text) or build(text)
trees_of("op f(x: f32[N]) -> (y: f32[N]) { y[i] = x[i] }", sys.argv[1])["f"]
print(len(built))
"""
    run = [subprocess.run([sys.executable, "-c", program, name], capture_output=True, text=True, check=True) for name in "ab"]
    assert [done.stdout for done in run] == ["1\n", "0\n"]
