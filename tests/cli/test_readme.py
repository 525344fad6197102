"""The README shows what the commands print. In a console block `...` stands for lines that are left out."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from command_line import uol

README = (Path(__file__).parent.parent.parent / "README.md").read_text()
BLOCKS = re.findall(r"```console\n\$ uol ([^\n]*)\n(.*?)```", README, re.DOTALL)


def pattern(shown: str) -> re.Pattern[str]:
    """A block as a regular expression: its lines in order, anything where `...` stands."""
    lines = [".*?" if line.strip() == "..." else _line(line.rstrip()) for line in shown.rstrip("\n").splitlines()]
    return re.compile("\n".join(lines).replace(".*?\n", "(?:.*\n)*?").replace("\n.*?", "(?:\n.*)*"))


def _line(line: str) -> str:
    """Rounding errors are the machine's: their figures are not compared."""
    escaped = re.escape(line)
    return re.sub(r"\d[\d.e+\\-]*", r"[\\d.e+-]+", escaped) if "error against" in line else escaped


def plain(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.rstrip("\n").splitlines())


def test_the_first_lines_are_the_two_commands() -> None:
    commands = re.findall(r"make \w+", README, re.MULTILINE)
    assert commands[:2] == ["make demo", "make test"]
    assert README.index("make demo") < 200


@pytest.mark.parametrize(("command", "shown"), BLOCKS, ids=[command for command, _ in BLOCKS])
def test_a_command_prints_what_the_readme_shows(
    command: str, shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = uol(*shlex.split(command))
    assert pattern(plain(shown)).fullmatch(plain(result.out + result.err)), result.out + result.err


def test_there_are_blocks_to_check() -> None:
    assert len(BLOCKS) >= 5
