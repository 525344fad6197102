"""The console blocks of the README. `python tests/cli/readme_blocks.py` (or `make readme`) writes them anew.

A block that leaves lines out (`...`) is kept as it is. The table of the library's operators is written anew, too.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
import tempfile
from pathlib import Path

PATH = Path(__file__).parent.parent.parent / "README.md"
LIBRARY = re.compile(r"(?<=<!-- the library -->\n).*?(?=<!-- end -->)", re.DOTALL)
BLOCK = re.compile(r"```console\n\$ uol ([^\n]*)\n(.*?)```", re.DOTALL)


def blocks(readme: str) -> list[tuple[str, str]]:
    """Commands, without `uol`, and what the README shows for them."""
    return BLOCK.findall(readme)


def library_table() -> str:
    """The operators of the library, family by family."""
    from uol.ops.texts import FAMILIES, family_of, names

    rows = [f"| `{f}.uol` | {', '.join(n for n in names() if family_of(n) == f)} |\n" for f in FAMILIES]
    return "".join(("| text | operators |\n", "|---|---|\n", *rows))


def plain(text: str) -> str:
    """Without spaces at the ends of lines and empty lines at the end."""
    return "\n".join(line.rstrip() for line in text.rstrip("\n").splitlines())


def matches(shown: str, printed: str) -> bool:
    """Is what was printed what is shown? `...` is any number of lines; figures of rounding errors are the machine's."""
    parts = [_pattern(line) for line in plain(shown).splitlines()]
    return re.fullmatch("".join(parts), plain(printed) + "\n") is not None


def _pattern(line: str) -> str:
    if line.strip() == "...":
        return r"(?:.*\n)*?"
    escaped = re.escape(line)
    if "error against" in line:
        escaped = re.sub(r"\d[\d.e+\\-]*", r"[\\d.e+-]+", escaped)
    return escaped + r"\n"


def main() -> None:
    from command_line import uol

    readme = PATH.read_text()

    def renewed(block: re.Match[str]) -> str:
        command, shown = block.groups()
        result = uol(*shlex.split(command))
        printed = plain(result.out + result.err)
        return block.group(0) if matches(shown, printed) else f"```console\n$ uol {command}\n{printed}\n```"

    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        PATH.write_text(LIBRARY.sub(lambda _: library_table(), BLOCK.sub(renewed, readme)))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main()
