"""The README shows what the commands print."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from command_line import uol
from readme_blocks import LIBRARY, PATH, blocks, library_table, matches

README = PATH.read_text()


def test_it_says_what_uol_is_then_the_two_commands_then_the_tour() -> None:
    lines = [line.split(" #")[0].strip() for line in README.splitlines()]
    assert lines[0] == "# uol"
    assert lines.index("make test") == lines.index("make demo") + 1 < lines.index("## Five minutes") < 20


def test_the_commands_that_it_names_are_there() -> None:
    named = set(re.findall(r"`uol ([a-z]+)", README))
    commands = "list show functions explain compile run check conform pack record bench gap train doctor"
    assert named == set(commands.split())


@pytest.mark.parametrize(("command", "shown"), blocks(README), ids=[command for command, _ in blocks(README)])
def test_a_command_prints_what_is_shown(command: str, shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = uol(*shlex.split(command))
    assert matches(shown, result.out + result.err), f"`make readme` writes it anew:\n{result.out}{result.err}"


def test_the_library_is_listed_whole() -> None:
    assert LIBRARY.findall(README) == [library_table()], "`make readme` writes it anew"


def test_there_are_blocks_to_compare() -> None:
    assert len(blocks(README)) >= 5


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("a\nb", "a\nb\n", True),
        ("a\nb", "a\nb\nc\n", False),
        ("a\n...", "a\nb\nc\n", True),
        ("...\nc", "a\nb\nc\n", True),
        ("a\n...\nc", "a\nb\nd\n", False),
        ("error against it: 1.5e-06 absolute", "error against it: 2e-07 absolute", True),
        ("error against it: 1.5e-06 absolute", "error against it: nan absolute", False),
        ("4096 rows", "4095 rows", False),
    ],
)
def test_the_comparison_has_teeth(shown: str, printed: str, same: bool) -> None:
    assert matches(shown, printed) is same


def test_the_python_of_the_readme_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    exec(code, {})
    assert "softmax_kernel" in capsys.readouterr().out
