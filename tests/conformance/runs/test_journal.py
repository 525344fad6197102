"""Journals: lines that are cut or damaged count as absent, and nothing else is taken for a journal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from uol.conformance.runs.journal import MARK, Entry, Journal, entries_of
from uol.ir.errors import ResourceError, UolError


def entry(name: str, result: str = "passed") -> Entry:
    return Entry("conform", name, "sources", "machine", "judge", "content", result)


def written(path: Path, *names: str) -> Path:
    journal = Journal.open(path)
    for name in names:
        journal.append(entry(name))
    journal.close()
    return path


def reopened(path: Path) -> Journal:
    journal = Journal.open(path)
    journal.close()
    return journal


def test_what_was_appended_is_known_again_and_the_last_line_of_a_name_holds(tmp_path: Path) -> None:
    path = written(tmp_path / "run.jsonl", "one", "two")
    journal = Journal.open(path)
    journal.append(entry("one", "breach"))
    journal.close()
    found = reopened(path)
    assert found.get("conform", "one") == entry("one", "breach")
    assert found.get("conform", "two") == entry("two")
    assert found.get("counts", "two") is None
    assert all(json.loads(line)["entry"]["name"] in ("one", "two") for line in path.read_text().splitlines())


def test_a_line_that_was_cut_is_absent_and_the_next_one_is_whole(tmp_path: Path) -> None:
    path = written(tmp_path / "run.jsonl", "one", "two")
    path.write_bytes(path.read_bytes()[:-20])
    journal = Journal.open(path)
    assert (journal.get("conform", "one"), journal.get("conform", "two"), journal.damaged) == (entry("one"), None, 1)
    journal.append(entry("three"))
    journal.close()
    assert reopened(path).get("conform", "three") == entry("three")


@pytest.mark.parametrize("change", [("passed", "breach"), ('"content"', '"contents"'), ("{", "["), (MARK[:14], "")])
def test_a_damaged_line_is_absent_and_the_others_stay(change: tuple[str, str], tmp_path: Path) -> None:
    path = written(tmp_path / "run.jsonl", "one", "two", "three")
    first, second, third = path.read_text().splitlines()
    path.write_text("\n".join([first, second.replace(*change), third, ""]))
    journal = reopened(path)
    assert [journal.get("conform", name) is not None for name in ("one", "two", "three")] == [True, False, True]
    assert journal.damaged == 1


@pytest.mark.parametrize("text", ['{"kind": "operators"}', "name,seconds\n", "[]\n", "\x00\x01"])
def test_a_file_that_is_no_journal_is_left_alone(text: str, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(text)
    for read in (Journal.open, entries_of):
        with pytest.raises(UolError, match=r"report\.json' is no journal of a run"):
            read(path)
    assert path.read_text() == text


def test_a_journal_whose_first_line_was_cut_is_one(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text(entry("one").line[:30])
    assert reopened(path).damaged == 1


def test_one_run_at_a_time_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    journal = Journal.open(path)
    with pytest.raises(ResourceError, match="another run is writing the journal"):
        Journal.open(path)
    journal.close()
    reopened(path)


def test_where_it_cannot_be_written_is_a_message(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError, match="cannot keep a journal in .*file/run.jsonl"):
        Journal.open(tmp_path / "file" / "run.jsonl")


def test_lines_of_no_use_are_dropped_when_they_are_most(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("uol.conformance.runs.journal._FEW", 3)
    path = written(tmp_path / "run.jsonl", *["one"] * 9, "two")
    journal = Journal.open(path)
    assert len(path.read_text().splitlines()) == 2
    journal.append(entry("three"))
    journal.close()
    assert set(entries_of(path)) == {("conform", name) for name in ("one", "two", "three")}
