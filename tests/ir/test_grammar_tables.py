"""The parser whose tables were kept is the one that was built."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import lark
import pytest

from uol.ir.compiled_files import keep, kept
from uol.ir.syntax import grammar_tables
from uol.ops.texts import text_of

TEXT = grammar_tables.GRAMMAR.read_text(encoding="utf-8")


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The grammar in a folder of its own, beside which nothing was kept."""
    path = tmp_path / "grammar.lark"
    path.write_text(TEXT, encoding="utf-8")
    monkeypatch.setattr(grammar_tables, "GRAMMAR", path)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    return path


def parser() -> lark.Lark:
    return grammar_tables.grammar.__wrapped__()


def unbuilt(monkeypatch: pytest.MonkeyPatch) -> lark.Lark:
    """A parser whose tables must have been kept."""

    def built(text: str) -> lark.Lark:
        raise AssertionError("they were kept")

    with monkeypatch.context() as patched:
        patched.setattr(grammar_tables, "built", built)
        return parser()


def test_it_gives_the_same_trees_and_refuses_the_same(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built, first, second = grammar_tables.built(TEXT), parser(), unbuilt(monkeypatch)
    for family in ("exponential", "random", "running"):
        one, *others = (each.parse(text_of(family)) for each in (built, first, second))
        assert others == [one, one]
        lines = [[node.meta.line for node in tree.iter_subtrees()] for tree in (one, *others)]
        assert lines[1:] == [lines[0], lines[0]]
    refused = []
    for each in (built, first, second):
        with pytest.raises(lark.UnexpectedInput) as caught:
            each.parse("op f(x: f32[N]) -> (y f32[N]) {")
        refused.append((caught.value.line, caught.value.column, sorted(caught.value.accepts or ())))
    assert refused[1:] == [refused[0], refused[0]]


def test_another_grammar_and_damaged_tables_are_built_anew(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parser()
    (beside,) = (copy.parent / "__pycache__").iterdir()
    whole = beside.read_bytes()
    for damaged in (whole[:-1], whole[:200], b"", whole[:300] + b"\0" + whole[301:]):
        beside.write_bytes(damaged)
        parser()
        unbuilt(monkeypatch)
    copy.write_text(TEXT + "\n// another\n", encoding="utf-8")
    with pytest.raises(AssertionError, match="they were kept"):
        unbuilt(monkeypatch)


def test_what_cannot_be_kept_is_built(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (copy.parent / "__pycache__").write_text("no folder")
    assert parser().parse(text_of("random"))
    (copy.parent / "__pycache__").unlink()
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert parser().parse(text_of("random"))
    assert os.listdir(copy.parent) == ["grammar.lark"]


def test_it_is_read_by_whoever_reads_the_file(copy: Path) -> None:
    copy.chmod(0o644)
    keep(copy, b"of", b"what")
    (beside,) = (copy.parent / "__pycache__").iterdir()
    assert beside.stat().st_mode & 0o777 == 0o644
    assert (kept(copy, b"of"), kept(copy, b"of another")) == (b"what", None)


def test_a_second_process_builds_none(tmp_path: Path) -> None:
    program = """
import lark, sys
from uol.ir.syntax import grammar_tables
built, grammar_tables.built = [], lambda text, build=grammar_tables.built: built.append(text) or build(text)
grammar_tables.grammar()
print(len(built))
"""
    # A folder of bytecode that nothing was written to.
    fresh = {**os.environ, "PYTHONPYCACHEPREFIX": str(tmp_path)}
    fresh.pop("PYTHONDONTWRITEBYTECODE", None)
    run = [subprocess.run([sys.executable, "-c", program], env=fresh, capture_output=True, text=True, check=True) for _ in "ab"]
    assert [done.stdout for done in run] == ["1\n", "0\n"]
